from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from birddask.errors import RecordingError
from birddask.recordings.reader import decode_pcm
from birddask.recordings.riff import WavHeader, parse_wav

# Three walks of 256 chunks, two reads for each chunk, and a text for each.
MOST_READS = 3 * 256 * 3
# Name: tag, bits, what the largest stored number is worth.
ENCODINGS = {
    "pcm_u8": (1, 8, 2**7),
    "pcm_16": (1, 16, 2**15),
    "pcm_24": (1, 24, 2**23),
    "pcm_32": (1, 32, 2**31),
    "float_32": (3, 32, 1),
    "float_64": (3, 64, 1),
}
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


@dataclass(frozen=True)
class Wav:
    """A WAV file and what was put into it; ``plain`` if libsndfile understands it as well."""

    content: bytes
    encoding: str
    channels: int
    rate: int
    samples: tuple[float, ...]
    comment: str
    plain: bool


def encode(encoding: str, values: list[int] | list[float]) -> bytes:
    """One number after the other, the slow and plain way."""
    if encoding == "pcm_u8":
        return bytes(value + 128 for value in values)
    if encoding in ("pcm_16", "pcm_24", "pcm_32"):
        return b"".join(value.to_bytes(ENCODINGS[encoding][1] // 8, "little", signed=True) for value in values)
    return struct.pack(f"<{len(values)}{'f' if encoding == 'float_32' else 'd'}", *values)


def fmt(encoding: str, channels: int, rate: int, *, extensible: bool) -> bytes:
    tag, bits, _ = ENCODINGS[encoding]
    frame = channels * bits // 8
    content = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * frame, frame, bits)
    if extensible:
        content += struct.pack("<HHIH", 22, bits, (1 << channels) - 1, tag) + GUID_TAIL
    return content


@st.composite
def wavs(draw: st.DrawFn) -> Wav:
    encoding = draw(st.sampled_from(sorted(ENCODINGS)))
    channels, rate = draw(st.integers(1, 2)), draw(st.sampled_from([8000, 48_000, 250_000, 384_000]))
    scale = ENCODINGS[encoding][2]
    count = channels * draw(st.integers(1, 40))
    number = st.floats(-2, 2, width=32) if scale == 1 else st.integers(-scale, scale - 1)
    values = draw(st.lists(number, min_size=count, max_size=count))
    padded = draw(st.booleans())

    def piece(name: bytes, content: bytes, size: int | None = None) -> bytes:
        pad = b"\0" * (len(content) % 2) if padded else b""
        return name + struct.pack("<I", len(content) if size is None else size) + content + pad

    comment = draw(st.text("Recorded at 0123456789", max_size=60)).strip()
    info = b"INFO" + piece(b"ICMT", comment.encode() + b"\0")
    other = st.tuples(st.sampled_from([b"junk", b"bext", b"id3 ", b"wamd"]), st.binary(max_size=70))
    before = [piece(*draw(other)) for _ in range(draw(st.integers(0, 2)))]
    after = [piece(*draw(other)) for _ in range(draw(st.integers(0, 2)))]
    draw(st.sampled_from([before, after])).append(piece(b"LIST", info))
    data = encode(encoding, values)
    rf64 = draw(st.booleans())
    ds64 = [piece(b"ds64", struct.pack("<QQQI", 0, len(data), count // channels, 0))] if rf64 else []
    form = piece(b"fmt ", fmt(encoding, channels, rate, extensible=draw(st.booleans())))
    body = b"".join([b"WAVE", *ds64, *before, form, piece(b"data", data, 0xFFFFFFFF if rf64 else None), *after])
    head = b"RF64\xff\xff\xff\xff" if rf64 else b"RIFF" + struct.pack("<I", len(body))
    samples = tuple(float(np.float32(value)) / scale for value in values)
    return Wav(head + body, encoding, channels, rate, samples, comment, plain=padded and not rf64)


class Watched:
    """Bytes that are only given out within their bounds, and not without end."""

    def __init__(self, content: bytes, size_bytes: int) -> None:
        self._content = content
        self._size_bytes = size_bytes
        self.reads = 0

    def __call__(self, start: int, end: int) -> bytes:
        assert 0 <= start <= end <= self._size_bytes
        self.reads += 1
        assert self.reads <= MOST_READS
        return self._content[start:end]


def outcome(content: bytes, size_bytes: int | None = None) -> WavHeader | str:
    size_bytes = len(content) if size_bytes is None else size_bytes
    try:
        header = parse_wav(Watched(content, size_bytes), size_bytes)
    except RecordingError as error:
        return error.reason
    frame = header.channels * ENCODINGS[header.encoding][1] // 8
    assert header.frames > 0
    assert header.data_offset_bytes + header.frames * frame <= size_bytes
    return header


def read_by_libsndfile(wav: Wav) -> NDArray[np.float32]:
    samples, rate = soundfile.read(io.BytesIO(wav.content), dtype="float32")
    assert rate == wav.rate
    return np.asarray(samples).ravel()


@given(wavs())
@settings(max_examples=300, deadline=None)
def test_what_was_put_into_a_wav_file_comes_out(wav: Wav) -> None:
    header = outcome(wav.content)
    assert isinstance(header, WavHeader)
    assert (header.encoding, header.channels, header.sample_rate_hz) == (wav.encoding, wav.channels, wav.rate)
    assert (header.frames * wav.channels, header.flags) == (len(wav.samples), ())
    assert header.comment == wav.comment
    end = header.data_offset_bytes + len(wav.samples) * ENCODINGS[wav.encoding][1] // 8
    samples = decode_pcm(wav.content[header.data_offset_bytes : end], header.encoding)
    assert samples.tolist() == list(wav.samples)
    if wav.plain:
        np.testing.assert_array_equal(samples, read_by_libsndfile(wav))


@given(wavs(), st.data())
@settings(max_examples=300, deadline=None)
def test_a_cut_file_keeps_whole_frames_or_has_a_reason(wav: Wav, data: st.DataObject) -> None:
    header = outcome(wav.content)
    assert isinstance(header, WavHeader)
    length = data.draw(st.integers(0, len(wav.content) - 1))
    cut = outcome(wav.content[:length])
    frame = wav.channels * ENCODINGS[wav.encoding][1] // 8
    left = min(header.frames, (length - header.data_offset_bytes) // frame)
    if left > 0:
        assert isinstance(cut, WavHeader)
        assert (cut.frames, cut.data_offset_bytes) == (left, header.data_offset_bytes)
        assert ("truncated" in cut.flags) == (length < header.data_offset_bytes + header.frames * frame)
    else:
        assert cut in {"empty", "no_header", "truncated_header", "no_audio"}


@given(wavs(), st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)), max_size=6), st.data())
@settings(max_examples=500, deadline=None)
def test_damaged_bytes_make_a_header_or_a_reason_and_nothing_else(
    wav: Wav, damage: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    content = bytearray(wav.content)
    for place, replacement in damage:
        start = place % len(content)
        content[start : start + len(replacement)] = replacement
    outcome(bytes(content))
    # The file may also have shrunk since it was listed.
    outcome(bytes(content[: data.draw(st.integers(0, len(content)))]), len(content))


NAMES = st.sampled_from([b"fmt ", b"data", b"LIST", b"guan", b"ds64", b"junk", b"\0\0\0\0"]) | st.binary(max_size=4)
SIZES = st.sampled_from([0, 1, 16, 40, 255, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]) | st.integers(0, 100)
CHUNKS = st.tuples(NAMES, SIZES.map(lambda size: struct.pack("<I", size)), st.binary(max_size=50)).map(b"".join)


@given(st.sampled_from([b"RIFF", b"RF64"]), st.lists(CHUNKS, max_size=12))
@example(b"RIFF", [b"junk\0\0\0\0"] * 2000)
@example(
    b"RIFF",
    [
        struct.pack("<4sI16s", b"fmt ", 16, struct.pack("<HHIIHH", 1, 1, 8000, 1, 1, 16)),
        b"data\2\0\0\0ab",
        b"junk\0\0\0\0" * 2000,
    ],
)
@settings(max_examples=500, deadline=None)
def test_any_row_of_chunks_makes_a_header_or_a_reason_and_nothing_else(form: bytes, chunks: list[bytes]) -> None:
    outcome(form + b"\xff\xff\xff\xffWAVE" + b"".join(chunks))


@given(st.binary(max_size=200))
def test_any_bytes_make_a_header_or_a_reason_and_nothing_else(content: bytes) -> None:
    outcome(content)
    outcome(content, size_bytes=len(content) + (6 << 30))
