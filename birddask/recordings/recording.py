"""What is known of one file of an archive: a row of the recordings table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["usable", "quarantined", "ignored"]
Container = Literal["wav", "sndfile"]
"""How samples are read: plain PCM by byte ranges, or a compressed stream through libsndfile."""

UNKNOWN = "unknown"
"""The site or month of a recording that does not tell."""


@dataclass(frozen=True)
class Recording:
    """One file found in the archive; exactly one row whatever its condition.

    Attributes:
        path: below the archive, with forward slashes.
        status: ``usable``, ``quarantined`` (could not be read) or ``ignored`` (not audio).
        reason: why it is not usable, a stable code; empty if usable.
        flags: repairs and doubts about a usable recording, comma-separated codes.
        site: the place, from the path or the recorder.
        recorder: serial number or prefix of the device, None where unknown.
        container: how to read it; empty if not usable.
        encoding: the sample format, for example ``pcm_16``.
        frames: samples per channel, of real time.
        data_offset_bytes: where the samples begin (``wav`` only).
        start_time_us: microseconds since 1970 UTC, None where unknown.
        time_source: where the start time comes from.
        comment: what the recorder wrote about itself.
    """

    path: str
    size_bytes: int
    status: Status
    reason: str = ""
    flags: str = ""
    site: str = UNKNOWN
    recorder: str | None = None
    container: Container | Literal[""] = ""
    encoding: str = ""
    sample_rate_hz: int = 0
    channels: int = 0
    frames: int = 0
    data_offset_bytes: int = 0
    start_time_us: int | None = None
    time_source: str = UNKNOWN
    comment: str = ""
