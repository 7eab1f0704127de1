"""The parts of a block: its probabilities, wide or long, and its embeddings. The probabilities commit its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.table.clip_table import ClipRow
from birddask.table.parquet import TIME, WORD, to_bytes

EmbeddingType = Literal["float16", "float32"]

IDENTITY = ("clip", "recording", "recorder", "offset_us", "start_time")
"""The columns that both layouts begin with."""

_WIDE_RESERVED = frozenset({*IDENTITY, "top_label", "top_probability", "site", "month", "model"})


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
        probabilities: float32 (clip, label), 0 to 1, in the order of ``rows`` and ``labels``.
        labels: names of the labels.
        layout: wide or long.
        metadata: what is recorded in the file about where the numbers come from.
    """
    if layout.kind == "wide":
        return to_bytes(_wide(rows, probabilities, labels), metadata)
    return to_bytes(_long(rows, probabilities, labels, layout.floor), metadata)


def embeddings_file(
    rows: Sequence[ClipRow],
    embeddings: NDArray[np.float16 | np.float32],
    metadata: Mapping[str, object],
) -> bytes:
    """The embeddings of one block, as lists of fixed size.

    Args:
        rows: the clips that were scored.
        embeddings: float16 or float32 (clip, width), in the order of ``rows``; stored as they are.
        metadata: as in ``probabilities_file``.
    """
    columns = _identity(rows, np.arange(len(rows)))
    numbers = pa.array(embeddings.reshape(-1))
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(numbers, embeddings.shape[1])
    return to_bytes(pa.table(columns), metadata, IDENTITY)


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
        "recording": pa.array([row.recording for row in chosen], WORD),
        "recorder": pa.array([row.recorder for row in chosen], WORD),
        "offset_us": pa.array([row.offset_us for row in chosen], pa.int64()),
        "start_time": pa.array([row.start_time_us for row in chosen], TIME),
    }


def _wide(
    rows: Sequence[ClipRow],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
) -> pa.Table:
    best = probabilities.argmax(axis=1)
    columns = _identity(rows, np.arange(len(rows)))
    columns["top_label"] = pa.array([labels[label] for label in best.tolist()], WORD)
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
    columns["label"] = pa.array([labels[each] for each in label.tolist()], WORD)
    columns["probability"] = pa.array(value)
    return pa.table(columns)
