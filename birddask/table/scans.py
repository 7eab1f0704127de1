"""The recordings tables: a row for each file that a scan found."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import pyarrow as pa

from birddask.recordings.recording import About, Recording, Scanned, Segment
from birddask.table.parquet import TIME, WORD, read_columns, read_metadata, to_bytes

_SEGMENTS = pa.list_(pa.struct([("first_frame", pa.int64()), ("file_frame", pa.int64()), ("frames", pa.int64())]))
# In the order of the fields of Recording, About and Seen, which are made and read by position.
_RECORDING_COLUMNS = {
    "recording": pa.string(),
    "size_bytes": pa.int64(),
    "status": WORD,
    "reason": WORD,
    "flags": WORD,
    "site": WORD,
    "recorder": WORD,
    "container": WORD,
    "encoding": WORD,
    "sample_rate_hz": pa.int32(),
    "channels": pa.int32(),
    "frames": pa.int64(),
    "data_offset_bytes": pa.int64(),
    "segments": _SEGMENTS,
    "start_time": TIME,
    "time_source": WORD,
    "superseded": pa.bool_(),
}
_ABOUT_COLUMNS = {
    "detail": pa.string(),
    "modified": TIME,
    "head_digest": pa.string(),
    "duplicate_of": pa.string(),
    "other_time": TIME,
    "other_time_source": WORD,
    "utc_offset_min": pa.int32(),
    "model": WORD,
    "firmware": WORD,
    "deployment": WORD,
    "gain": WORD,
    "battery_v": pa.float64(),
    "battery_limit": WORD,
    "temperature_c": pa.float64(),
    "latitude_deg": pa.float64(),
    "longitude_deg": pa.float64(),
    "location_source": WORD,
    "trigger": WORD,
    "filter": WORD,
    "stop_reason": WORD,
    "comment": pa.string(),
    "guano": pa.string(),
}
_SCHEMA = pa.schema([*_RECORDING_COLUMNS.items(), *_ABOUT_COLUMNS.items()])
_RULE = "scan_rule"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the next scan needs to know of a file, in few bytes.

    Attributes:
        path: below the archive.
        modified_us: microseconds since 1970 UTC, None where the listing did not say.
    """

    path: str
    size_bytes: int
    modified_us: int | None
    head_digest: str
    status: str
    recorder: str | None
    start_time_us: int | None
    superseded: bool


_SEEN_COLUMNS = (
    "recording",
    "size_bytes",
    "modified",
    "head_digest",
    "status",
    "recorder",
    "start_time",
    "superseded",
)


def scan_file(rows: Sequence[Scanned], rule_fingerprint: str) -> bytes:
    """The table of one scan, and the fingerprint of the rule by which its files were placed and dated."""
    recordings = _columns([_values(row.recording) for row in rows], _RECORDING_COLUMNS)
    about = _columns([astuple(row.about) for row in rows], _ABOUT_COLUMNS)
    return to_bytes(pa.table(recordings + about, schema=_SCHEMA), {_RULE: rule_fingerprint})


def read_recordings(content: bytes) -> list[Recording]:
    """The rows of one scan as far as planning needs them, in scan order."""
    return list(_read_recordings(content))


def read_scanned(content: bytes) -> list[Scanned]:
    """The whole rows of one scan, in scan order."""
    about: Iterable[Any] = zip(*read_columns(content, list(_ABOUT_COLUMNS)), strict=True)
    return [
        Scanned(recording, About(*values)) for recording, values in zip(_read_recordings(content), about, strict=True)
    ]


def read_seen(content: bytes) -> list[Seen]:
    """The rows of one scan as far as the next scan needs them."""
    rows: Iterable[Any] = zip(*read_columns(content, _SEEN_COLUMNS), strict=True)
    return [Seen(*values) for values in rows]


def read_rule_fingerprint(content: bytes) -> str:
    """The fingerprint of the rule of one scan."""
    return str(read_metadata(content)[_RULE])


def _values(recording: Recording) -> tuple[object, ...]:
    # Not `astuple`: it would copy every segment.
    return tuple(getattr(recording, field.name) for field in fields(Recording))


def _columns(rows: Sequence[Sequence[object]], columns: dict[str, pa.DataType]) -> list[pa.Array]:
    by_column = zip(*rows, strict=True) if rows else itertools.repeat((), len(columns))
    return [
        pa.array([_plain(value) for value in values] if kind == _SEGMENTS else list(values), kind)
        for values, kind in zip(by_column, columns.values(), strict=True)
    ]


def _plain(segments: object) -> list[dict[str, int]] | None:
    if not isinstance(segments, tuple):
        return None
    return [{"first_frame": s.first_frame, "file_frame": s.file_frame, "frames": s.frames} for s in segments]


def _read_recordings(content: bytes) -> Iterator[Recording]:
    columns = read_columns(content, list(_RECORDING_COLUMNS))
    position = list(_RECORDING_COLUMNS).index("segments")
    columns[position] = [_segments(value) for value in columns[position]]
    rows: Iterable[Any] = zip(*columns, strict=True)
    return (Recording(*values) for values in rows)


def _segments(stored: Any) -> tuple[Segment, ...] | None:  # noqa: ANN401 - what pyarrow makes of a list
    return None if stored is None else tuple(Segment(**each) for each in stored)
