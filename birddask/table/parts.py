"""All Parquet files: recordings, clip tables, probabilities (the only ``pyarrow`` writer).

Files are built in memory and published whole; the same rows give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.recordings.recording import Recording

ClipStatus = Literal["ok", "silent", "quarantined"]

_TIME = pa.timestamp("us", tz="UTC")
_WORD = pa.dictionary(pa.int32(), pa.string())
_METADATA_KEY = b"birddask"

_RECORDINGS = pa.schema(
    [
        ("recording", pa.string()),
        ("status", _WORD),
        ("reason", _WORD),
        ("flags", _WORD),
        ("size_bytes", pa.int64()),
        ("site", _WORD),
        ("recorder", _WORD),
        ("container", _WORD),
        ("encoding", _WORD),
        ("sample_rate_hz", pa.int32()),
        ("channels", pa.int32()),
        ("frames", pa.int64()),
        ("data_offset_bytes", pa.int64()),
        ("start_time", _TIME),
        ("time_source", _WORD),
        ("comment", pa.string()),
    ]
)
_CLIPS = pa.schema(
    [
        ("clip", pa.int64()),
        ("recording", _WORD),
        ("site", _WORD),
        ("recorder", _WORD),
        ("offset_us", pa.int64()),
        ("start_time", _TIME),
        ("status", _WORD),
        ("reason", _WORD),
        ("level_dbfs", pa.float32()),
    ]
)


@dataclass(frozen=True)
class ClipRow:
    """One clip of the store.

    Attributes:
        clip: its row in the mel array.
        offset_us: its start in the recording, in microseconds.
        start_time_us: microseconds since 1970 UTC, None where unknown.
        status: ``ok``; ``silent``: every sample is zero, nothing to score; ``quarantined``: not computed.
        reason: why it was quarantined.
        level_dbfs: root mean square of the samples against full scale; None unless ``ok``.
    """

    clip: int
    recording: str
    site: str
    recorder: str | None
    offset_us: int
    start_time_us: int | None
    status: ClipStatus
    reason: str = ""
    level_dbfs: float | None = None


@dataclass(frozen=True)
class PartLayout:
    """How probabilities are laid out.

    Attributes:
        kind: ``wide`` has a row a clip and a column a label; ``long`` has a row for each label of a clip at or above
            ``floor``, and always one for the best label.
        floor: smallest probability kept by ``long``; 0 for ``wide``, which keeps all.
    """

    kind: Literal["wide", "long"]
    floor: float


def recordings_file(recordings: Sequence[Recording]) -> bytes:
    """The table of one scan."""
    columns = {
        ("recording" if field.name == "path" else field.name.removesuffix("_us")): [
            getattr(recording, field.name) for recording in recordings
        ]
        for field in fields(Recording)
    }
    return _to_bytes(pa.table(columns, schema=_RECORDINGS), {})


def read_recordings(content: bytes) -> list[Recording]:
    """The rows of one scan, in scan order."""
    table = pq.read_table(pa.BufferReader(content))
    rows = _with_integer_times(table).to_pylist()
    return [Recording(path=row.pop("recording"), **row) for row in rows]


def clips_file(rows: Sequence[ClipRow]) -> bytes:
    """The clip table of one block."""
    columns = {
        name: [getattr(row, "start_time_us" if name == "start_time" else name) for row in rows] for name in _CLIPS.names
    }
    return _to_bytes(pa.table(columns, schema=_CLIPS), {})


def read_clips(content: bytes) -> list[ClipRow]:
    """The rows of one block's clip table."""
    table = pq.read_table(pa.BufferReader(content))
    return [ClipRow(**row) for row in _with_integer_times(table).to_pylist()]


def clip_statuses(content: bytes) -> list[ClipStatus]:
    """The status of each clip of a clip table."""
    statuses: list[ClipStatus] = (
        pq.read_table(pa.BufferReader(content), columns=["status"]).column("status").to_pylist()
    )
    return statuses


def probabilities_file(
    rows: Sequence[ClipRow],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
    layout: PartLayout,
    metadata: Mapping[str, object],
) -> bytes:
    """The part of one block.

    Args:
        rows: the clips that were scored.
        probabilities: float32 (clip, label), in the order of ``rows`` and ``labels``.
        labels: names of the labels.
        layout: wide or long.
        metadata: what is recorded in the file about where the numbers come from.
    """
    build = _wide if layout.kind == "wide" else _long
    return _to_bytes(build(rows, probabilities, labels, layout.floor), metadata)


def read_metadata(content: bytes) -> dict[str, object]:
    """What a part records about where its numbers come from."""
    stored = pq.read_schema(pa.BufferReader(content)).metadata
    metadata: dict[str, object] = json.loads(stored[_METADATA_KEY])
    return metadata


IDENTITY = ("clip", "recording", "recorder", "offset_us", "start_time")
"""The columns that both layouts begin with."""

_WIDE_RESERVED = frozenset({*IDENTITY, "top_label", "top_probability", "site", "month", "model"})


def require_distinct_columns(labels: Sequence[str]) -> None:
    """Raise ConfigError if a label can't be a column of a wide table."""
    taken = [label for label in labels if label.casefold() in _WIDE_RESERVED]
    if taken:
        raise ConfigError(
            f"the labels {sorted(taken)} are names of other columns; rename them in labels.txt or set `table: long`"
        )


def _identity(rows: Sequence[ClipRow], index: NDArray[np.intp]) -> dict[str, pa.Array]:
    chosen = [rows[position] for position in index.tolist()]
    return {
        "clip": pa.array([row.clip for row in chosen], pa.int64()),
        "recording": pa.array([row.recording for row in chosen], _WORD),
        "recorder": pa.array([row.recorder for row in chosen], _WORD),
        "offset_us": pa.array([row.offset_us for row in chosen], pa.int64()),
        "start_time": pa.array([row.start_time_us for row in chosen], _TIME),
    }


def _wide(
    rows: Sequence[ClipRow],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
    _floor: float,
) -> pa.Table:
    best = probabilities.argmax(axis=1)
    columns = _identity(rows, np.arange(len(rows)))
    columns["top_label"] = pa.array([labels[label] for label in best.tolist()], _WORD)
    columns["top_probability"] = pa.array(probabilities[np.arange(len(rows)), best])
    for label, name in enumerate(labels):
        columns[name] = pa.array(np.ascontiguousarray(probabilities[:, label]))
    return pa.table(columns)


def _long(
    rows: Sequence[ClipRow],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
    floor: float,
) -> pa.Table:
    kept = probabilities >= np.float32(floor)
    kept[np.arange(len(rows)), probabilities.argmax(axis=1)] = True
    clip, label = np.nonzero(kept)
    value = probabilities[clip, label]
    # Within a clip the likeliest label first; equal ones in the order of the labels.
    order = np.lexsort((label, -value, clip))
    clip, label, value = clip[order], label[order], value[order]
    columns = _identity(rows, clip)
    columns["label"] = pa.array([labels[each] for each in label.tolist()], _WORD)
    columns["probability"] = pa.array(value)
    return pa.table(columns)


def _with_integer_times(table: pa.Table) -> pa.Table:
    position = table.schema.get_field_index("start_time")
    times = table.column(position).cast(pa.int64())
    return table.set_column(position, "start_time_us", times)


def _to_bytes(table: pa.Table, metadata: Mapping[str, object]) -> bytes:
    if metadata:
        text = json.dumps(metadata, sort_keys=True)
        table = table.replace_schema_metadata({_METADATA_KEY: text.encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
