"""Rows of a part in one shape, whatever its layout: a row for each label of a clip that may count."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from birddask.table.parquet import WORD
from birddask.table.parts import IDENTITY

SCHEMA = pa.schema(
    [
        ("clip", pa.int64()),
        ("recording", WORD),
        ("recorder", WORD),
        ("offset_us", pa.int64()),
        ("start_time_us", pa.int64()),
        ("label", WORD),
        ("probability", pa.float32()),
    ]
)
_WIDE_BEFORE_LABELS = (*IDENTITY, "top_label", "top_probability")

Least = Callable[[str], float | None]
"""The smallest probability that counts of a label; None if none does."""


def rows_of(content: bytes, layout: Literal["wide", "long"], least: Least) -> pa.Table:
    """The rows of a part whose probability is at least the least of their label, compared as float32; as ``SCHEMA``.

    Args:
        content: the file.
        layout: of the part.
        least: called once for each label of the part.
    """
    file = pq.ParquetFile(pa.BufferReader(content))
    return _wide(file, least) if layout == "wide" else _long(file, least)


def clips_of(content: bytes, layout: Literal["wide", "long"]) -> pa.Table:
    """The scored clips of a part, each once: rows without a label, with the highest probability of the clip."""
    file = pq.ParquetFile(pa.BufferReader(content))
    # In a long table the likeliest label of a clip stands first.
    table = _read(file, (*IDENTITY, "top_probability" if layout == "wide" else "probability"))
    _, first = np.unique(table.column("clip").to_numpy(), return_index=True)
    highest = table.columns[-1].take(pa.array(first))
    return _shaped(table, first, pa.nulls(first.size, WORD), highest)


def label_columns(schema: pa.Schema) -> list[str]:
    """The labels of a wide part."""
    return [name for name in schema.names if name not in _WIDE_BEFORE_LABELS]


def in_batches(table: pa.Table, bounds: Sequence[str]) -> pa.Table:
    """The same rows with a column ``batch``: how many of the bounds are not behind the recording."""
    recording = table.column("recording").combine_chunks()
    of_name = [bisect.bisect_right(bounds, name) for name in recording.dictionary.to_pylist()]
    batch = np.array(of_name, np.int32)[recording.indices.to_numpy()]
    return table.append_column("batch", pa.array(batch))


def _long(file: pq.ParquetFile, least: Least) -> pa.Table:
    table = _read(file, (*IDENTITY, "label", "probability"))
    label = table.column("label").combine_chunks()
    probability = table.column("probability").to_numpy()
    minima = _minima(label.dictionary.to_pylist(), least)
    kept = np.flatnonzero(probability >= minima[label.indices.to_numpy()])
    return _shaped(table, kept, label.take(pa.array(kept)), pa.array(probability[kept]))


def _wide(file: pq.ParquetFile, least: Least) -> pa.Table:
    labels = label_columns(file.schema_arrow)
    minima = _minima(labels, least)
    wanted = np.flatnonzero(np.isfinite(minima))
    names = [labels[index] for index in wanted.tolist()]
    table = _read(file, (*IDENTITY, *names))
    columns = [table.column(name).to_numpy() for name in names]
    probability = np.column_stack(columns) if columns else np.empty((table.num_rows, 0), np.float32)
    clip, label = np.nonzero(probability >= minima[wanted])
    indices = pa.array(label.astype(np.int32))
    label_column = pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))
    return _shaped(table, clip, label_column, pa.array(probability[clip, label]))


def _read(file: pq.ParquetFile, names: tuple[str, ...]) -> pa.Table:
    # A name also brings along the columns of names that go on with a dot: hence the selection. No threads: those of
    # pyarrow may abort the interpreter when it ends soon after.
    return file.read(columns=list(names), use_threads=False).select(list(names))


def _minima(labels: list[str], least: Least) -> NDArray[np.float32]:
    least_of = (least(label) for label in labels)
    return np.array([np.inf if each is None else each for each in least_of], np.float32)


def _shaped(table: pa.Table, rows: NDArray[np.intp], label: pa.Array, probability: pa.Array) -> pa.Table:
    taken = table.select(list(IDENTITY)).take(pa.array(rows))
    start_time = taken.column("start_time").cast(pa.int64())
    columns = [*(taken.column(name) for name in IDENTITY if name != "start_time"), start_time, label, probability]
    return pa.table(columns, schema=SCHEMA)
