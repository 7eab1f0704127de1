"""WAV headers, chunk by chunk, within bounds and without trust in any size they state.

Pure: bytes come from a function that reads a range. Whatever the bytes are, a header costs at most 16 reads of less
than 1 MB together, and no more is held; a file as an AudioMoth wrote it costs one read, or two where something
follows its samples. Layouts: Microsoft's RIFF and WAVEFORMATEXTENSIBLE, EBU Tech 3306 for RF64, ITU-R BS.2088 for
BW64; the recorders' habits are in the comments.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from birddask.errors import RecordingError

ReadRange = Callable[[int, int], bytes]
"""Bytes from a start up to an end, fewer where the file ends."""

FIRST_READ_BYTES = 4096
_NEXT_READ_BYTES = 1 << 16
_READS_AT_MOST = 16
_CHUNKS_AT_MOST = 256
_WRAP_BYTES = 1 << 32
_IN_DS64 = 0xFFFFFFFF
# What a writer puts down that does not know the size yet.
_UNKNOWN_SIZES = (_IN_DS64, 0xFFFFFFFFFFFFFFFF)
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
_CHUNK_NAME = re.compile(rb"[\w ]{4}")
_BEHIND_SAMPLES = re.compile(rb"guan|wamd|LIST|id3 |ID3 |bext|iXML|cue |fact|smpl|inst|junk|JUNK|PAD ")
"""What recorders and editors write behind the samples."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What the chunks of a WAV file say.

    Attributes:
        encoding: ``pcm_u8``, ``pcm_16``, ``pcm_24``, ``pcm_32``, ``float_32`` or ``float_64``.
        frames: whole frames that are really in the file, 0 if it has none.
        data_offset_bytes: where the samples begin.
        data_bytes: bytes of samples that are really in the file, with those of a frame that was cut.
        flags: ``truncated`` (fewer samples than declared), ``size_repaired`` (a wrong size was overruled).
        comment: the text of LIST/INFO/ICMT up to its first NUL.
        artist: the text of LIST/INFO/IART up to its first NUL.
        guano: the text of the ``guan`` chunk, at most 64 KiB of it.
        wamd: the content of the ``wamd`` chunk, at most 64 KiB of it.
        original_layout: LIST stands before the samples, as AudioMoths write it and most editors do not.
    """

    encoding: str
    sample_rate_hz: int
    channels: int
    frames: int
    data_offset_bytes: int
    data_bytes: int
    flags: tuple[str, ...]
    comment: str
    artist: str
    guano: str
    wamd: bytes
    original_layout: bool


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: bytes
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _Format:
    encoding: str
    channels: int
    sample_rate_hz: int
    frame_bytes: int


def parse_wav(read: ReadRange, size_bytes: int) -> WavHeader:
    """The header of a WAV, RF64 or BW64 file of ``size_bytes``, whether or not samples follow it.

    Raises:
        RecordingError: ``empty``, ``null_file``, ``no_header``, ``truncated_header`` or ``unsupported_format``.
    """
    if size_bytes == 0:
        raise RecordingError("empty", "the file has no bytes")
    window = _Window(read, size_bytes)
    _require_riff(window.bytes_at(0, FIRST_READ_BYTES))
    before = _walk(window, 12)
    data = _first(before, b"data") or _overrun_data(window, before)
    if data is None:
        raise RecordingError("truncated_header", "the file ends before its samples begin")
    form = _parse_fmt(_content(window, before, b"fmt "))
    declared, ds64 = data.size, _content(window, before, b"ds64")
    if declared == _IN_DS64 and len(ds64) >= 16:
        (declared,) = struct.unpack("<Q", ds64[8:16])
    data_bytes, flags = _data_bytes(window, data.start, declared)
    end = data.start + data_bytes
    # Not every recorder pads odd chunks; a pad byte is no letter, so the unpadded place is looked at first.
    after = _walk(window, end) or _walk(window, end + data_bytes % 2)
    # What the recorder wrote before the samples counts more than what an editor put behind them.
    chunks = before + after
    return WavHeader(
        form.encoding,
        form.sample_rate_hz,
        form.channels,
        data_bytes // form.frame_bytes,
        data.start,
        data_bytes,
        flags,
        comment=_info_text(window, chunks, b"ICMT"),
        artist=_info_text(window, chunks, b"IART"),
        guano=_content(window, chunks, b"guan").decode("utf-8", "replace").rstrip("\0"),
        wamd=_content(window, chunks, b"wamd"),
        original_layout=_first(before, b"LIST") is not None,
    )


def _require_riff(head: bytes) -> None:
    if not head.strip(b"\0"):
        raise RecordingError("null_file", "the file holds only zero bytes where a header should be")
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or (len(head) >= 12 and head[8:12] != b"WAVE"):
        raise RecordingError("no_header", "the file does not begin with a WAV header")


class _Window:
    """What was read of the file so far: its beginning, and a piece at each place that was asked for beyond."""

    def __init__(self, read: ReadRange, size_bytes: int) -> None:
        self._read = read
        self.size_bytes = size_bytes
        self._pieces = [(0, read(0, min(FIRST_READ_BYTES, size_bytes)))]

    def bytes_at(self, start: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``start``, fewer at the end of the file, none once the reads are used up."""
        end = min(start + count, self.size_bytes)
        if start >= end:
            return b""
        for first, content in self._pieces:
            if first <= start and end <= first + len(content):
                return content[start - first : end - first]
        if len(self._pieces) == _READS_AT_MOST:
            return b""
        content = self._read(start, min(start + _NEXT_READ_BYTES, self.size_bytes))
        self._pieces.append((start, content))
        return content[: end - start]


def _walk(window: _Window, position: int) -> list[_Chunk]:
    """Chunks from ``position`` on, up to and with ``data`` or the end of what looks like chunks."""
    chunks: list[_Chunk] = []
    while len(chunks) < _CHUNKS_AT_MOST and position + 8 <= window.size_bytes:
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


def _first(chunks: list[_Chunk], name: bytes) -> _Chunk | None:
    return next((chunk for chunk in chunks if chunk.name == name), None)


def _content(window: _Window, chunks: list[_Chunk], name: bytes) -> bytes:
    """What the first chunk of a name holds, as far as one read goes; nothing where there is none."""
    chunk = _first(chunks, name)
    return window.bytes_at(chunk.start, min(chunk.size, _NEXT_READ_BYTES)) if chunk else b""


def _overrun_data(window: _Window, chunks: list[_Chunk]) -> _Chunk | None:
    """The data chunk of an AudioMoth header (firmware 1.4.0 and later) whose comment ran over the chunk's name.

    The longest sentence, 425 letters and a NUL from byte 56 on, ends in the second letter of ``data`` at 480: the other
    two and the size are still there.
    """
    head = window.bytes_at(480, 8)
    if _Chunk(b"LIST", 44, 436) not in chunks or len(head) < 8 or head[2:4] != b"ta":
        return None
    return _Chunk(b"data", 488, int.from_bytes(head[4:], "little"))


def _parse_fmt(content: bytes) -> _Format:
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
    return _Format(encoding, channels, sample_rate_hz, channels * bits // 8)


def _data_bytes(window: _Window, start: int, declared: int) -> tuple[int, tuple[str, ...]]:
    """The bytes of samples that are there, and what had to be overruled to say so.

    The file's size decides over a size that can't be one: unknown, 0, that of the whole file (Frontier Labs' BAR before
    firmware 3.00), 4 GiB or more too small (it wrapped), or so small that the samples clearly go on.
    """
    available = max(window.size_bytes - start, 0)
    if declared > available and declared not in (*_UNKNOWN_SIZES, window.size_bytes):
        return available, ("truncated",)
    if declared <= available and declared not in _UNKNOWN_SIZES:
        wrapped = (available - declared) // _WRAP_BYTES * _WRAP_BYTES if declared else 0
        if wrapped or not _samples_go_on(window, start, declared):
            return declared + wrapped, ("size_repaired",) if wrapped else ()
    return available - _chunk_bytes_at_end(window, start), ("size_repaired",)


def _samples_go_on(window: _Window, start: int, count: int) -> bool:
    """Whether samples go on where ``count`` bytes of them should have ended.

    Firmware that failed to write the size leaves a few bytes of it (44 in Frontier Labs' BAR before 3.00, 0 in others)
    before a whole recording; a good recording is longer than the garbage that a card or a copy left behind it. So they
    go on if more of the file lies behind that end than before it, unless it is

    * a chunk: four letters, digits or spaces, so that none is missed, however damaged. The high bytes of quiet sound
      are 0 and 255, which are no letters; in noise at full scale one place in 256 looks like a name.
    * no more bytes than the head of a chunk: no recording, and perhaps a chunk that was cut.
    * padding: one byte again and again, as blank or erased memory is. Both ends are looked at, for a recording may
      begin with silence, and a BAR that lost power leaves zeros at the end. With a size of 0 nothing is padding.
    """
    end = start + count
    if window.size_bytes - end <= max(count, 8):
        return False
    if any(_CHUNK_NAME.match(window.bytes_at(end + pad, 4)) for pad in {0, count % 2}):
        return False
    last = max(end, window.size_bytes - _NEXT_READ_BYTES)
    return count == 0 or any(len(set(window.bytes_at(place, _NEXT_READ_BYTES))) > 1 for place in (end, last))


def _chunk_bytes_at_end(window: _Window, start: int) -> int:
    """The length of a row of chunks, padded or not, that ends where the file ends."""
    first = max(start, window.size_bytes - _NEXT_READ_BYTES)
    tail = window.bytes_at(first, _NEXT_READ_BYTES)
    places = {len(tail)}
    # From the last one on, so that what follows a chunk is known when it is looked at.
    for found in reversed([match.start() for match in _BEHIND_SAMPLES.finditer(tail[:-4])]):
        end = found + 8 + int.from_bytes(tail[found + 4 : found + 8], "little")
        if end in places or end + 1 in places:
            places.add(found)
    return len(tail) - min(places)


def _info_text(window: _Window, chunks: list[_Chunk], wanted: bytes) -> str:
    """The first text of a name in LIST/INFO."""
    for chunk in chunks:
        if chunk.name != b"LIST":
            continue
        content = window.bytes_at(chunk.start, min(chunk.size, _NEXT_READ_BYTES))
        position = 4 if content.startswith(b"INFO") else len(content)
        while position + 8 <= len(content):
            name, size = struct.unpack("<4sI", content[position : position + 8])
            if name == wanted:
                # AudioMoth's firmware does not watch the 384 bytes that it has for its sentence: only a NUL ends it.
                room = len(content) if (name, size) == (b"ICMT", 384) else size
                return _text(content[position + 8 : position + 8 + room])
            position += 8 + size + size % 2
    return ""


def _text(content: bytes) -> str:
    """Text up to the first NUL, for old firmware left residue behind it."""
    return content.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
