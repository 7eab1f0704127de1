"""What a file is, by its path alone; pure."""

from __future__ import annotations

import posixpath
import re

WAV = frozenset({".wav", ".wave", ".bwf", ".rf64"})
COMPRESSED = frozenset({".flac", ".mp3", ".ogg", ".oga"})
_OTHER_SOUND = frozenset(
    {".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".m4a", ".opus", ".w64", ".wac", ".wma", ".wv"}
)
_SYSTEM_FOLDERS = frozenset({"System Volume Information", "$RECYCLE.BIN", "@eaDir", "lost+found", "#recycle"})
# AudioMoth's files beside its recordings, those of its GPS firmware, Song Meter's summaries and dumps; copies too.
_SIDECAR = re.compile(
    r"(?:CONFIG|GPS|LOG|DEVICE|SETTINGS|SUMMARY|PPS)(?:[ _(-].*)?\.(?:TXT|CSV)"
    r"|.*\d{8}_\d{6}T?\.CSV|.*_SUMMARY\.TXT|.*\.SM4DUMP|.*\.CONFIG",
    re.IGNORECASE,
)
# Frontier Labs' recorders give a recording its name and extension when it is complete.
_UNFINISHED = "data"


def extension_of(path: str) -> str:
    """The extension with its dot, in lower case."""
    return posixpath.splitext(path)[1].lower()


def why_ignored(path: str) -> str:
    """The reason to leave a file alone, empty if it is or may be a recording."""
    *folders, name = path.split("/")
    if name.startswith("._"):
        return "appledouble"
    if any(part in _SYSTEM_FOLDERS or part.startswith(".") for part in folders):
        return "system_folder"
    if name.startswith("."):
        return "hidden"
    if _SIDECAR.fullmatch(name):
        return "sidecar"
    extension = extension_of(name)
    known = extension in WAV or extension in COMPRESSED or extension in _OTHER_SOUND or name == _UNFINISHED
    return "" if known else "not_audio"


def why_unreadable(path: str) -> str:
    """The reason why a recording of such a name can't be read, empty if it may be."""
    if posixpath.basename(path) == _UNFINISHED:
        return "unfinished"
    return "unsupported_format" if extension_of(path) in _OTHER_SOUND else ""
