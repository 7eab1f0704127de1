"""What is known of one file of an archive: a row of the recordings table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["usable", "quarantined", "ignored"]
Container = Literal["wav", "sndfile"]
"""How samples are read: plain PCM by byte ranges, or a compressed stream through libsndfile."""

UNKNOWN = "unknown"
"""The site or month of a recording that does not tell."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of samples that a triggered recording really holds; between segments silence was cut out.

    Attributes:
        first_frame: where it begins in the recording, in real time.
        file_frame: where it begins in the file, in frames behind the start of the samples.
    """

    first_frame: int
    file_frame: int
    frames: int


@dataclass(frozen=True, slots=True)
class Recording:
    """One file found in the archive, as far as planning and reading need it.

    Attributes:
        path: below the archive, with forward slashes.
        size_bytes: of the file.
        status: ``usable``, ``quarantined`` (could not be read) or ``ignored`` (not audio, or a second copy).
        reason: why it is not usable, a stable code; empty if usable.
        flags: repairs and doubts, comma-separated codes.
        site: the place, from the path or the recorder.
        recorder: serial number or prefix of the device, None where unknown.
        container: how to read it; empty if not usable.
        encoding: the sample format, for example ``pcm_16``.
        sample_rate_hz: of the file.
        channels: of the file.
        frames: samples per channel, of real time.
        data_offset_bytes: where the samples begin (``wav`` only).
        segments: what a triggered recording holds, in order; None where no silence was cut out.
        start_time_us: microseconds since 1970 UTC, None where unknown.
        time_source: where the start time comes from.
        superseded: the file was changed later and has another row; this one only keeps its place in the plan.
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
    segments: tuple[Segment, ...] | None = None
    start_time_us: int | None = None
    time_source: str = UNKNOWN
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What else is known of a file: for people, and for the next scan.

    Attributes:
        detail: the reason in words.
        modified_us: when the file was last written, as the listing says.
        head_digest: of the size and the first bytes, to recognise copies and changes; empty if they were not read.
        duplicate_of: path of the recording that this one is a copy of.
        other_time_us: the start time that another source states, where it differs.
        other_time_source: which source that is.
        utc_offset_min: of the clock that the recorder shows, in minutes.
        model: kind of recorder.
        firmware: what runs on it.
        deployment: identifier of the deployment, where one was set.
        gain: as the recorder calls it.
        battery_v: where ``battery_limit`` is ``below`` or ``above``, the end of what it can measure.
        battery_limit: ``below`` or ``above`` where the voltage is beyond what the recorder can measure.
        temperature_c: of the recorder, in degrees Celsius.
        latitude_deg: degrees north, where the recorder states its position.
        longitude_deg: degrees east.
        location_source: for example ``GPS``.
        trigger: what had to be heard for the recorder to write, in words.
        filter: what the recorder filtered, in words.
        stop_reason: why the recording ended before its time, a stable code; empty if it did not or does not say.
        comment: what the recorder wrote into the header about itself.
        guano: the GUANO metadata.
    """

    detail: str = ""
    modified_us: int | None = None
    head_digest: str = ""
    duplicate_of: str | None = None
    other_time_us: int | None = None
    other_time_source: str | None = None
    utc_offset_min: int | None = None
    model: str | None = None
    firmware: str | None = None
    deployment: str | None = None
    gain: str | None = None
    battery_v: float | None = None
    battery_limit: Literal["", "below", "above"] = ""
    temperature_c: float | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    location_source: str | None = None
    trigger: str | None = None
    filter: str | None = None
    stop_reason: str = ""
    comment: str = ""
    guano: str = ""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A row of the recordings table."""

    recording: Recording
    about: About
