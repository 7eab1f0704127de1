"""The clip table of a block: a row for each of its clips. It commits the mels of the block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import pyarrow as pa

from birddask.table.block_files import block_file_name
from birddask.table.parquet import TIME, WORD, read_columns, to_bytes

ClipStatus = Literal["ok", "silent", "quarantined"]

_CLIPS = pa.schema(
    [
        ("clip", pa.int64()),
        ("recording", WORD),
        ("site", WORD),
        ("recorder", WORD),
        ("offset_us", pa.int64()),
        ("start_time", TIME),
        ("status", WORD),
        ("reason", WORD),
        ("level_dbfs", pa.float32()),
        ("clipped_share", pa.float32()),
        ("zero_share", pa.float32()),
    ]
)


@dataclass(frozen=True)
class ClipRow:
    """One clip of the store.

    Attributes:
        clip: its row in the mel array.
        recording: path below the archive.
        site: of the recording.
        recorder: of the recording; None where unknown.
        offset_us: its start in the recording, in microseconds.
        start_time_us: microseconds since 1970 UTC, None where unknown.
        status: ``ok``; ``silent``: every sample is zero, nothing to score; ``quarantined``: not computed.
        reason: why it was quarantined.
        level_dbfs: root mean square of the samples against full scale; None unless ``ok``.
        clipped_share: samples at full scale, of all, 0 to 1; None unless ``ok``.
        zero_share: samples that are zero, of all, 0 to 1; None unless ``ok``.
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
    clipped_share: float | None = None
    zero_share: float | None = None


def unmeasured(row: ClipRow, status: ClipStatus, reason: str) -> ClipRow:
    """A row with another status, and without what was measured on its sound."""
    return replace(row, status=status, reason=reason, level_dbfs=None, clipped_share=None, zero_share=None)


def clip_table_key(block: int) -> str:
    """Where the clip table of a block lies below the folder of its store."""
    return f"clips/{block_file_name(block)}"


def clips_file(rows: Sequence[ClipRow]) -> bytes:
    """The clip table of one block."""
    columns = {
        name: [getattr(row, "start_time_us" if name == "start_time" else name) for row in rows] for name in _CLIPS.names
    }
    return to_bytes(pa.table(columns, schema=_CLIPS), {})


def read_clips(content: bytes) -> list[ClipRow]:
    """The rows of one block's clip table."""
    rows: Iterable[Any] = zip(*read_columns(content, _CLIPS.names), strict=True)
    return [ClipRow(*values) for values in rows]


def clip_statuses(content: bytes) -> list[ClipStatus]:
    """The status of each clip of a clip table."""
    (statuses,) = read_columns(content, ["status"])
    return cast("list[ClipStatus]", statuses)
