"""How any bytes become an input: a text, a file, a triggered recording.

The first bytes say what to do with the rest, so that an input of 4 KB stands for a text of 64 KiB, a file of terabytes
or a recording of days. Bytes that are missing are zeros.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.triggered import encoded_block

MOST_TEXT_BYTES = 1 << 16
"""As much of a text as is ever read of a file."""
# More than is read at a time.
MOST_SAMPLE_BYTES = (4 << 20) + (1 << 16)
_BLOCK_BYTES = 512
# A header with a higher rate, or 0, is refused.
_HIGHEST_RATE_HZ = 10_000_000


@dataclass(frozen=True, slots=True)
class TextInput:
    """A text in which some of it may stand again and again.

    Attributes:
        start: of what is repeated, modulo the length of the text.
        repeated_bytes: its length, modulo 8.
        doublings: how often, modulo 17, and not beyond the length that a text can have; from 128 on, nothing follows.
    """

    content: bytes
    start: int = 0
    repeated_bytes: int = 0
    doublings: int = 0

    _FORM = struct.Struct("<HBB")

    @classmethod
    def of(cls, packed: bytes) -> TextInput:
        """The input that these bytes are."""
        head, content = _split(packed, cls._FORM)
        return cls(content, *cls._FORM.unpack(head))

    def packed(self) -> bytes:
        """The bytes that are this input."""
        return self._FORM.pack(self.start, self.repeated_bytes, self.doublings) + self.content

    def text(self) -> bytes:
        """What is to be parsed."""
        start = self.start % (len(self.content) + 1)
        end = start + self.repeated_bytes % 8
        repeated = self.content[start:end]
        times = min(1 << self.doublings % 17, MOST_TEXT_BYTES // max(len(repeated), 1))
        return self.content[:start] + repeated * times + (b"" if self.doublings >= 128 else self.content[end:])


@dataclass(frozen=True, slots=True)
class WavInput:
    """A file whose listing states ``more_bytes`` than its content has.

    Attributes:
        behind: what is read there: nothing (0), zeros (1), or the content again and again (2); modulo 3.
    """

    content: bytes
    behind: int = 0
    more_bytes: int = 0

    _FORM = struct.Struct("<BQ")

    @classmethod
    def of(cls, packed: bytes) -> WavInput:
        """The input that these bytes are."""
        head, content = _split(packed, cls._FORM)
        return cls(content, *cls._FORM.unpack(head))

    def packed(self) -> bytes:
        """The bytes that are this input."""
        return self._FORM.pack(self.behind, self.more_bytes) + self.content

    @property
    def size_bytes(self) -> int:
        """The size as listed."""
        return len(self.content) + self.more_bytes

    def read(self, start: int, end: int) -> bytes:
        """Bytes from a start up to an end."""
        if self.behind % 3 == 1:
            return self.content[start:end].ljust(end - start, b"\0")
        if self.behind % 3 == 2 and self.content:
            first = start % len(self.content)
            return (self.content * ((first + end - start) // len(self.content) + 1))[first : first + end - start]
        return self.content[start:end]


@dataclass(frozen=True, slots=True)
class TriggeredInput:
    """The samples of a triggered recording, and a span that is to be read of it.

    Attributes:
        pieces: of samples, as ``piece`` packs them.
        doublings: how often all of them stand in the file, modulo 14, and not beyond what is worth reading.
        lost_bytes: of the end of the file since its header was read.
        first_frame: of the span, as a fraction of the recording in 2^-32.
    """

    pieces: bytes
    rate_hz: int = 48_000
    offset_bytes: int = 488
    lost_bytes: int = 0
    doublings: int = 0
    first_frame: int = 0
    frames: int = 0xFFFFFFFF

    _FORM = struct.Struct("<IHBBII")

    @classmethod
    def of(cls, packed: bytes) -> TriggeredInput:
        """The input that these bytes are."""
        head, pieces = _split(packed, cls._FORM)
        rate_hz, *others = cls._FORM.unpack(head)
        return cls(pieces, rate_hz % (_HIGHEST_RATE_HZ + 1) or 1, *others)

    def packed(self) -> bytes:
        """The bytes that are this input."""
        fields = (self.rate_hz, self.offset_bytes, self.lost_bytes, self.doublings, self.first_frame, self.frames)
        return self._FORM.pack(*fields) + self.pieces

    def samples(self) -> bytes:
        """What the file holds behind its header."""
        once = b"".join(_unpacked_pieces(self.pieces))[:MOST_SAMPLE_BYTES]
        times = min(1 << self.doublings % 14, MOST_SAMPLE_BYTES // max(len(once), 1))
        return once * times


def piece(kind: int, number: int, content: bytes = b"") -> bytes:
    """A piece of samples.

    Args:
        kind: modulo 4. 0: the block that stands for ``number`` blocks of silence. 1: such a block with one byte of it
            wrong. 2: one byte again and again. 3: ``content`` as it is.
        number: which of them, packed into 32 bits as ``_unpacked_pieces`` takes them apart.
    """
    return struct.pack("<BI", kind, number) + content


def _unpacked_pieces(packed: bytes) -> Iterator[bytes]:
    position = 0
    while position + 5 <= len(packed):
        kind, number = struct.unpack_from("<BI", packed, position)
        position += 5
        if kind % 4 == 0:
            yield encoded_block(number)
        elif kind % 4 == 1:
            place, block = number % _BLOCK_BYTES, encoded_block(number >> 17)
            yield block[:place] + bytes([number >> 9 & 0xFF]) + block[place + 1 :]
        elif kind % 4 == 2:
            yield bytes([number & 0xFF]) * (number >> 8 & 0xFFF)
        else:
            yield packed[position : position + number % 1024]
            position += number % 1024


def _split(packed: bytes, form: struct.Struct) -> tuple[bytes, bytes]:
    return packed[: form.size].ljust(form.size, b"\0"), packed[form.size :]
