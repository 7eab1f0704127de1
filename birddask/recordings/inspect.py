"""One file of the archive becomes one row: usable, quarantined or ignored, always with a reason."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace

from birddask.errors import RecordingError, StorageError
from birddask.recordings import sndfile
from birddask.recordings.audiomoth import AudioMothComment, parse_comment
from birddask.recordings.names import NameFacts, parse_name
from birddask.recordings.recording import UNKNOWN, Recording
from birddask.recordings.riff import parse_wav
from birddask.recordings.sites import site_of
from birddask.storage import Folder, FoundFile

_COMPRESSED = frozenset({".flac", ".mp3", ".ogg", ".oga"})
_OTHER_SOUND = frozenset(
    {".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".m4a", ".opus", ".w64", ".wac", ".wma", ".wv"}
)
_SYSTEM_FOLDERS = frozenset({"System Volume Information", "$RECYCLE.BIN", "@eaDir", "lost+found", "#recycle"})
# A clock that was never set counts from 1970; no digital field recorder is older than 2000.
_EARLIEST_START_US = 946_684_800_000_000


@dataclass(frozen=True)
class ScanRule:
    """What a scan needs to know beyond the files.

    Attributes:
        site_pattern: where the site stands in a path, see ``site_of``.
        name_offset_us: offset from UTC of times in file names that state no zone, in microseconds.
    """

    site_pattern: str
    name_offset_us: int


def inspect(archive: Folder, file: FoundFile, rule: ScanRule) -> Recording:
    """The row of a file, from its name and a few kilobytes of its content.

    Raises:
        TransientStorageError: storage failed in a way that may pass.
    """
    found = Recording(row_path(file.key), file.size_bytes, "ignored")
    ignored = _not_a_recording(file.key)
    if ignored:
        return replace(found, reason=ignored)
    if found.path != file.key:
        return replace(found, status="quarantined", reason="name_not_utf8")
    try:
        return _inspect_recording(archive, found, rule)
    except RecordingError as error:
        reason = error.reason
    except FileNotFoundError:
        reason = "vanished"
    except StorageError:
        reason = "forbidden"
    return _with_place_and_time(replace(found, status="quarantined", reason=reason), rule)


def row_path(key: str) -> str:
    """The key of a file as its row names it: bytes of the name that are not UTF-8 are spelled out."""
    return key.encode("utf-8", "backslashreplace").decode()


def _not_a_recording(key: str) -> str:
    *folders, name = key.split("/")
    if name.startswith("._"):
        return "appledouble"
    if any(part in _SYSTEM_FOLDERS or part.startswith(".") for part in folders):
        return "system_folder"
    if name.startswith("."):
        return "hidden"
    extension = posixpath.splitext(name)[1].lower()
    known = extension == ".wav" or extension in _COMPRESSED or extension in _OTHER_SOUND
    return "" if known else "not_audio"


def _inspect_recording(archive: Folder, found: Recording, rule: ScanRule) -> Recording:
    extension = posixpath.splitext(found.path)[1].lower()
    if extension in _OTHER_SOUND:
        raise RecordingError("unsupported_format", f"{extension} files can't be read")
    if extension in _COMPRESSED:
        sound = sndfile.read_header(archive, found.path, found.size_bytes)
        recording = replace(
            found,
            status="usable",
            container="sndfile",
            encoding=sound.encoding,
            sample_rate_hz=sound.sample_rate_hz,
            channels=sound.channels,
            frames=sound.frames,
            comment=sound.comment,
        )
        return _with_place_and_time(recording, rule)
    header = parse_wav(lambda start, end: archive.read_range(found.path, start, end), found.size_bytes)
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
        comment=header.comment,
    )
    return _with_place_and_time(recording, rule)


def _with_place_and_time(recording: Recording, rule: ScanRule) -> Recording:
    comment = parse_comment(recording.comment)
    name = parse_name(posixpath.splitext(posixpath.basename(recording.path))[0])
    recorder = comment.device or name.prefix
    start_time_us, time_source = _start_time(comment, name, rule)
    placed = replace(
        recording,
        site=site_of(recording.path, rule.site_pattern) or recorder or UNKNOWN,
        recorder=recorder,
        start_time_us=start_time_us,
        time_source=time_source,
    )
    if placed.status == "usable" and (comment.triggered or name.triggered):
        # Silence was cut out of such a recording; read as it stands, every later time would be wrong.
        return replace(placed, status="quarantined", reason="triggered")
    return placed


def _start_time(comment: AudioMothComment, name: NameFacts, rule: ScanRule) -> tuple[int | None, str]:
    if comment.start_time_us is not None:
        start_time_us, source = comment.start_time_us, "comment"
    elif name.start_time_us is None:
        return None, UNKNOWN
    elif name.zone_known:
        start_time_us, source = name.start_time_us, "name"
    else:
        start_time_us, source = name.start_time_us - rule.name_offset_us, "name_assumed_offset"
    return (start_time_us, source) if start_time_us >= _EARLIEST_START_US else (None, "unset_clock")
