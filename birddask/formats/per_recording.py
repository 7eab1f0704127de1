"""A text file for each recording with detections, in the folders of the archive."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from birddask.detections.query import Columns
from birddask.fingerprint import sha256_hex
from birddask.formats.format import Context, Rows
from birddask.storage import Folder, in_order

# What Windows refuses in names, and the sign that marks what was replaced; a space or a dot at the end, too.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"\\|?*%]|[ .]$')
# File systems take 255 bytes; some is left for the extension and for what is written beside.
_NAME_BYTES = 180


@dataclass(frozen=True)
class PerRecording:
    """A text file for each recording.

    Attributes:
        extension: is added to the recording's own name.
        header: the first line, with its end; empty for none.
        make_line: SQL for the line of a detection, without its end.
        numbered: whether lines begin with a number, from 1 on, and a tab.
    """

    extension: str
    header: str
    make_line: Callable[[Context], str]
    numbered: bool = False
    per_recording: bool = True

    def columns(self, context: Context) -> Columns:
        """The recording and the line."""
        return {"recording": "recording", "line": self.make_line(context)}

    def save(self, rows: Rows, folder: Folder, name: str) -> None:
        """Write the files, each at once."""
        below = folder.child(name)

        def publish(file: tuple[str, bytes]) -> None:
            below.publish(*file)

        for _ in in_order(publish, self._files(rows)):
            pass

    def _files(self, rows: Rows) -> Iterator[tuple[str, bytes]]:
        pairs = (
            pair
            for batch in rows
            for pair in zip(batch["recording"].to_pylist(), batch["line"].to_pylist(), strict=True)
        )
        for recording, lines in itertools.groupby(pairs, key=lambda pair: pair[0]):
            numbers = (f"{number}\t" if self.numbered else "" for number in itertools.count(1))
            content = "".join(f"{number}{line}\n" for number, (_, line) in zip(numbers, lines, strict=False))
            yield file_key(recording) + self.extension, f"{self.header}{content}".encode()


def file_key(recording: str) -> str:
    """A recording's path as one that every system takes: percent-encoded where need be, long names cut and hashed."""
    return "/".join(_name(name) for name in recording.split("/"))


def _name(name: str) -> str:
    encoded = _FORBIDDEN.sub(lambda match: quote(match[0], safe="") if match[0] != "." else "%2E", name)
    if len(encoded.encode()) <= _NAME_BYTES:
        return encoded
    cut = encoded.encode()[:_NAME_BYTES].decode(errors="ignore")
    return f"{cut}~{sha256_hex(name.encode())[:16]}"
