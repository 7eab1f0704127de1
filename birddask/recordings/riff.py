"""WAV headers, chunk by chunk, within bounds and without trust in any size they state.

Pure: bytes come from a function that reads a range. Layouts: Microsoft's RIFF and WAVEFORMATEXTENSIBLE, EBU Tech 3306
for RF64; the recorders' habits are in the comments.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from birddask.errors import RecordingError

ReadRange = Callable[[int, int], bytes]
"""Bytes from a start up to an end, fewer where the file ends."""

FIRST_READ_BYTES = 4096
_TAIL_READ_BYTES = 65536
_CHUNKS_AT_MOST = 256
_WRAP_BYTES = 1 << 32
_UNKNOWN_SIZE = 0xFFFFFFFF
_EXTENSIBLE = 0xFFFE
# No recorder of sound comes near it; what does is a damaged header.
_HIGHEST_RATE_HZ = 10_000_000
_ENCODINGS = {
    (1, 8): "pcm_u8",
    (1, 16): "pcm_16",
    (1, 24): "pcm_24",
    (1, 32): "pcm_32",
    (3, 32): "float_32",
    (3, 64): "float_64",
}


@dataclass(frozen=True)
class WavHeader:
    """What the chunks of a WAV file say.

    Attributes:
        encoding: ``pcm_u8``, ``pcm_16``, ``pcm_24``, ``pcm_32``, ``float_32`` or ``float_64``.
        frames: whole frames that are really in the file.
        data_offset_bytes: where the samples begin.
        flags: ``truncated`` (fewer samples than declared), ``size_repaired`` (a wrong size was overruled).
        comment: the text of LIST/INFO/ICMT up to its first NUL.
        artist: the text of LIST/INFO/IART up to its first NUL.
        guano: the text of the ``guan`` chunk.
    """

    encoding: str
    sample_rate_hz: int
    channels: int
    frames: int
    data_offset_bytes: int
    flags: tuple[str, ...]
    comment: str
    artist: str
    guano: str


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start: int
    size: int


def parse_wav(read: ReadRange, size_bytes: int) -> WavHeader:
    """The header of a WAV or RF64 file of ``size_bytes``.

    Raises:
        RecordingError: ``empty``, ``null_file``, ``no_header``, ``truncated_header``, ``no_audio`` or
            ``unsupported_format``.
    """
    window = _Window(read, size_bytes)
    _require_riff(window.bytes_at(0, 12), size_bytes)
    chunks = _walk(window, 12)
    fmt = next((chunk for chunk in chunks if chunk.name == b"fmt "), None)
    data = next((chunk for chunk in chunks if chunk.name == b"data"), None)
    if fmt is None or data is None:
        raise RecordingError("truncated_header", "the file ends before its samples begin")
    encoding, channels, sample_rate_hz = _parse_fmt(window.bytes_at(fmt.start, min(fmt.size, 40)))
    ds64 = next((chunk for chunk in chunks if chunk.name == b"ds64"), None)
    declared = data.size
    if ds64 is not None and declared == _UNKNOWN_SIZE and ds64.size >= 16:
        (declared,) = struct.unpack("<Q", window.bytes_at(ds64.start + 8, 8))
    data_bytes, flags = _data_bytes(window, data.start, declared)
    frames = data_bytes // (channels * _sample_bytes(encoding))
    texts = _texts(window, chunks)
    # Not every recorder pads odd chunks; a pad byte is no letter, so the unpadded place is looked at first.
    end = data.start + data_bytes
    texts |= _texts(window, _walk(window, end) or _walk(window, end + data_bytes % 2))
    if frames == 0:
        said = f"; the recorder says: {texts['ICMT']}" if texts.get("ICMT") else ""
        raise RecordingError("no_audio", f"the header is whole but no samples follow{said}")
    return WavHeader(
        encoding,
        sample_rate_hz,
        channels,
        frames,
        data.start,
        flags,
        comment=texts.get("ICMT", ""),
        artist=texts.get("IART", ""),
        guano=texts.get("guan", ""),
    )


def _require_riff(head: bytes, size_bytes: int) -> None:
    if size_bytes == 0:
        raise RecordingError("empty", "the file has no bytes")
    if not head.strip(b"\0"):
        raise RecordingError("null_file", "the file holds only zero bytes where a header should be")
    if head[:4] not in (b"RIFF", b"RF64") or (len(head) == 12 and head[8:] != b"WAVE"):
        raise RecordingError("no_header", "the file does not begin with a WAV header")


class _Window:
    """The parts of the file read so far: its beginning, and what was asked for beyond."""

    def __init__(self, read: ReadRange, size_bytes: int) -> None:
        self._read = read
        self.size_bytes = size_bytes
        self._start = 0
        self._content = read(0, min(FIRST_READ_BYTES, size_bytes))

    def bytes_at(self, start: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``start``, fewer at the end of the file."""
        end = min(start + count, self.size_bytes)
        if start >= end:
            return b""
        if start < self._start or end > self._start + len(self._content):
            self._start = start
            self._content = self._read(start, min(start + _TAIL_READ_BYTES, self.size_bytes))
        return self._content[start - self._start : end - self._start]


def _walk(window: _Window, position: int) -> list[_Chunk]:
    """Chunks from ``position`` on, up to and with ``data`` or the end of what looks like chunks."""
    chunks: list[_Chunk] = []
    while len(chunks) < _CHUNKS_AT_MOST:
        head = window.bytes_at(position, 8)
        if len(head) < 8 or not _is_name(head[:4]):
            break
        name, size = struct.unpack("<4sI", head)
        chunks.append(_Chunk(name, position + 8, size))
        if name == b"data":
            break
        position += 8 + size
        # RIFF pads odd chunks to even sizes; AudioMoth's GUANO chunk and some others are not padded.
        if size % 2 and not _is_name(window.bytes_at(position, 4)):
            position += 1
    return chunks


def _is_name(four: bytes) -> bool:
    return len(four) == 4 and all(0x20 <= byte < 0x7F for byte in four)


def _parse_fmt(content: bytes) -> tuple[str, int, int]:
    if len(content) < 16:
        raise RecordingError("truncated_header", "the format chunk is not whole")
    tag, channels, sample_rate_hz, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if tag == _EXTENSIBLE and len(content) >= 26:
        (tag,) = struct.unpack("<H", content[24:26])
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None or channels == 0 or not 0 < sample_rate_hz <= _HIGHEST_RATE_HZ:
        raise RecordingError(
            "unsupported_format",
            f"WAV format {tag} with {bits} bits, {channels} channels at {sample_rate_hz} Hz",
        )
    return encoding, channels, sample_rate_hz


def _sample_bytes(encoding: str) -> int:
    return {
        "pcm_u8": 1,
        "pcm_16": 2,
        "pcm_24": 3,
        "pcm_32": 4,
        "float_32": 4,
        "float_64": 8,
    }[encoding]


def _data_bytes(window: _Window, start: int, declared: int) -> tuple[int, tuple[str, ...]]:
    """The bytes of samples that are there, and what had to be overruled to say so."""
    available = max(window.size_bytes - start, 0)
    if declared in (0, _UNKNOWN_SIZE) and available:
        following = _walk(window, start) if declared == 0 else []
        if following and following[0].name in (b"guan", b"LIST", b"id3 ", b"wamd"):
            return 0, ()
        # The recorder was stopped before it could write the size: the samples run to the end.
        return available - _guano_bytes_at_end(window, start), ("size_repaired",)
    if declared > available:
        return available, ("truncated",)
    wraps = (available - declared) // _WRAP_BYTES
    return declared + wraps * _WRAP_BYTES, ("size_repaired",) if wraps else ()


def _guano_bytes_at_end(window: _Window, start: int) -> int:
    """The length of a ``guan`` chunk, padded or not, that ends where the file ends."""
    count = min(window.size_bytes - start, _TAIL_READ_BYTES)
    tail = window.bytes_at(window.size_bytes - count, count)
    position = tail.rfind(b"guan")
    if not 0 <= position <= len(tail) - 8:
        return 0
    (size,) = struct.unpack("<I", tail[position + 4 : position + 8])
    chunk_bytes = len(tail) - position
    return chunk_bytes if chunk_bytes - 8 - size in (0, 1) else 0


def _texts(window: _Window, chunks: list[_Chunk]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for chunk in chunks:
        if chunk.name not in (b"guan", b"LIST"):
            continue
        content = window.bytes_at(chunk.start, min(chunk.size, _TAIL_READ_BYTES))
        if chunk.name == b"guan":
            texts["guan"] = content.decode("utf-8", "replace").rstrip("\0")
        elif content[:4] == b"INFO":
            texts |= _info_texts(content[4:])
    return texts


def _info_texts(content: bytes) -> dict[str, str]:
    """LIST/INFO entries; text ends at the first NUL, for old firmware left residue behind it."""
    texts: dict[str, str] = {}
    position = 0
    while position + 8 <= len(content):
        name, size = struct.unpack("<4sI", content[position : position + 8])
        value = content[position + 8 : position + 8 + size].split(b"\0", 1)[0]
        texts[name.decode("latin-1")] = value.decode("utf-8", "replace").strip()
        position += 8 + size + size % 2
    return texts
