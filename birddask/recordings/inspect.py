"""One file of the archive becomes one row: usable, quarantined or ignored, always with a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from birddask.errors import RecordingError, StorageError
from birddask.recordings import sndfile
from birddask.recordings.about import Texts, describe, recorder_of, said_starts
from birddask.recordings.cards import Cards
from birddask.recordings.flac_comments import read_sensor
from birddask.recordings.kinds import COMPRESSED, extension_of, why_ignored, why_unreadable
from birddask.recordings.recording import UNKNOWN, About, Recording, Scanned
from birddask.recordings.riff import WavHeader, parse_wav
from birddask.recordings.sites import site_of
from birddask.recordings.start import ClockShift, Offsets, Start, corrected, start_of
from birddask.recordings.triggered import decode
from birddask.storage import Folder, FoundFile

_DIGESTED_BYTES = 4096
_DIGEST_BYTES = 16
# The header of AudioMoth's firmware 1.2.1 to 1.3.0, one of which got minutes of zones wrong.
_UNSURE_HEADER_BYTES = 360


@dataclass(frozen=True)
class ScanRule:
    """What a scan needs to know beyond the files.

    Attributes:
        site_pattern: where the site stands in a path, see ``site_of``.
        assumed_offset_min: offset from UTC of times that state none and have no settings beside them, in minutes.
        shifts: corrections of clocks, the first one that fits counts.
    """

    site_pattern: str
    assumed_offset_min: int
    shifts: tuple[ClockShift, ...]


@dataclass(frozen=True)
class _Content:
    """What the bytes of a file say."""

    recording: Recording
    texts: Texts
    header: WavHeader | None
    detail: str = ""


class _FirstBytes:
    """Range reads of one file, whose first bytes are kept."""

    def __init__(self, archive: Folder, key: str) -> None:
        self._archive = archive
        self._key = key
        self.first = b""

    def read(self, start: int, end: int) -> bytes:
        content = self._archive.read_range(self._key, start, end)
        if start == 0:
            self.first = content[:_DIGESTED_BYTES]
        return content


def inspect(archive: Folder, cards: Cards, file: FoundFile, rule: ScanRule) -> Scanned:
    """The row of a file, from its path and a few kilobytes of its content; a triggered recording is read whole.

    Raises:
        TransientStorageError: storage failed in a way that may pass.
    """
    found = Recording(row_path(file.key), file.size_bytes, "ignored")
    about = About(modified_us=file.modified_us)
    ignored = why_ignored(file.key)
    if ignored:
        return Scanned(replace(found, reason=ignored), about)
    if found.path != file.key:
        return Scanned(replace(found, status="quarantined", reason="name_not_utf8"), about)
    source = _FirstBytes(archive, file.key)
    content = _content(archive, source, found)
    if source.first:
        about = replace(about, head_digest=_head_digest(file.size_bytes, source.first))
    return _row(content, replace(about, detail=content.detail), cards, rule)


def crashed(archive: Folder, file: FoundFile, rule: ScanRule) -> Scanned:
    """The row of a file that can't be inspected because that ends the process; only its first bytes are read."""
    first = archive.read_range(file.key, 0, min(_DIGESTED_BYTES, file.size_bytes))
    found = Recording(row_path(file.key), file.size_bytes, "quarantined", "crashes")
    site = site_of(found.path, rule.site_pattern) or UNKNOWN
    about = About(modified_us=file.modified_us, head_digest=_head_digest(file.size_bytes, first))
    return Scanned(replace(found, site=site), about)


def row_path(key: str) -> str:
    """The key of a file as its row names it: bytes of the name that are not UTF-8 are spelled out."""
    return key.encode("utf-8", "backslashreplace").decode()


def _head_digest(size_bytes: int, first: bytes) -> str:
    return hashlib.blake2b(b"%d:" % size_bytes + first, digest_size=_DIGEST_BYTES).hexdigest()


def _content(archive: Folder, source: _FirstBytes, found: Recording) -> _Content:
    texts = Texts(found.path)
    unreadable = why_unreadable(found.path)
    if unreadable:
        return _lost(found, unreadable, "", texts)
    compressed = extension_of(found.path) in COMPRESSED
    try:
        return _compressed(archive, source, found) if compressed else _wav(source, found)
    except RecordingError as error:
        reason, detail = error.reason, error.message
    except FileNotFoundError:
        reason, detail = "vanished", ""
    except StorageError as error:
        reason, detail = "forbidden", str(error)
    return _lost(found, reason, detail, texts)


def _lost(found: Recording, reason: str, detail: str, texts: Texts, header: WavHeader | None = None) -> _Content:
    return _Content(replace(found, status="quarantined", reason=reason), texts, header, detail)


def _compressed(archive: Folder, source: _FirstBytes, found: Recording) -> _Content:
    source.read(0, _DIGESTED_BYTES)
    sound = sndfile.read_header(archive, found.path, found.size_bytes)
    recording = replace(
        found,
        status="usable",
        flags=",".join(sound.flags),
        container="sndfile",
        encoding=sound.encoding,
        sample_rate_hz=sound.sample_rate_hz,
        channels=sound.channels,
        frames=sound.frames,
    )
    sensor = read_sensor(sound.flac)
    return _Content(recording, Texts(found.path, sound.comment or sensor.comment, sensor=sensor), None)


def _wav(source: _FirstBytes, found: Recording) -> _Content:
    header = parse_wav(source.read, found.size_bytes)
    texts = Texts(found.path, header.comment, header.artist, header.guano, header.wamd)
    recording = replace(
        found,
        status="usable",
        flags=",".join(header.flags),
        container="wav",
        encoding=header.encoding,
        sample_rate_hz=header.sample_rate_hz,
        channels=header.channels,
        frames=header.frames,
        data_offset_bytes=header.data_offset_bytes,
    )
    if header.frames == 0:
        said = f"the recorder says: {header.comment}" if header.comment else ""
        return _lost(found, "no_audio", said, texts, header)
    if not texts.triggered:
        return _Content(recording, texts, header)
    try:
        triggered = decode(source.read, header)
    except RecordingError as error:
        return _lost(found, error.reason, error.message, texts, header)
    if triggered is not None:
        flags = ",".join((*header.flags, "triggered"))
        recording = replace(recording, flags=flags, frames=triggered.frames, segments=triggered.segments)
    return _Content(recording, texts, header)


def _row(content: _Content, about: About, cards: Cards, rule: ScanRule) -> Scanned:
    """The row of a file with its place and its time."""
    recording, texts = content.recording, content.texts
    recorder = recorder_of(texts)
    config = cards.config_for(recording.path)
    if config is not None and recorder not in (None, config.device):
        config = None
    site = site_of(recording.path, rule.site_pattern) or recorder or UNKNOWN
    offsets = Offsets(config.utc_offset_min if config else None, rule.assumed_offset_min)
    unsure = content.header is not None and content.header.data_offset_bytes == _UNSURE_HEADER_BYTES
    shifts = [shift for shift in rule.shifts if shift.concerns(recording.path, site)]
    start = corrected(start_of(said_starts(texts), offsets, header_unsure=unsure), shifts)
    flags = (*filter(None, recording.flags.split(",")), *_interruption(content), *start.flags)
    placed = replace(
        recording,
        flags=",".join(flags),
        site=site,
        recorder=recorder,
        start_time_us=start.time_us,
        time_source=start.source,
    )
    return Scanned(placed, _dated(describe(texts, config, about), start))


def _dated(about: About, start: Start) -> About:
    return replace(
        about,
        other_time_us=start.other_time_us,
        other_time_source=start.other_source,
        utc_offset_min=start.utc_offset_min,
    )


def _interruption(content: _Content) -> Iterator[str]:
    """The flag of a recording that ended before its time; AudioMoth's whole ones last whole seconds."""
    recording, header, texts = content.recording, content.header, content.texts
    if recording.status != "usable":
        return
    odd = recording.frames % recording.sample_rate_hz != 0
    as_recorded = header is not None and header.original_layout and texts.audiomoth and not header.flags
    if texts.stopped_early or (odd and as_recorded):
        yield "interrupted"
