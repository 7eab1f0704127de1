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

MOST_READS = 16
MOST_READ_BYTES = 1_000_000
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
    guano: bytes
    wamd: bytes
    original_layout: bool
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
    other = st.tuples(st.sampled_from([b"junk", b"bext", b"id3 ", b"abcd"]), st.binary(max_size=70))
    before = [draw(other) for _ in range(draw(st.integers(0, 2)))]
    after = [draw(other) for _ in range(draw(st.integers(0, 2)))]
    original_layout = draw(st.booleans())
    (before if original_layout else after).append((b"LIST", info))
    guano = b"GUANO|Version:1.0" + draw(st.sampled_from([b"", b"\nMake:me"]))
    wamd = draw(st.binary(max_size=70))
    draw(st.sampled_from([before, after])).append((b"guan", guano))
    draw(st.sampled_from([before, after])).append((b"wamd", wamd))
    data = encode(encoding, values)
    form = draw(st.sampled_from([b"RIFF", b"RF64", b"BW64"]))
    ds64 = [] if form == b"RIFF" else [piece(b"ds64", struct.pack("<QQQI", 0, len(data), count // channels, 0))]
    fmt_chunk = piece(b"fmt ", fmt(encoding, channels, rate, extensible=draw(st.booleans())))
    data_chunk = piece(b"data", data, None if form == b"RIFF" else 0xFFFFFFFF)
    pieces = [*(piece(*chunk) for chunk in before), fmt_chunk, data_chunk, *(piece(*chunk) for chunk in after)]
    body = b"".join([b"WAVE", *ds64, *pieces])
    riff_bytes = len(body) if form == b"RIFF" else 0xFFFFFFFF
    samples = tuple(float(np.float32(value)) / scale for value in values)
    return Wav(
        form + struct.pack("<I", riff_bytes) + body,
        encoding,
        channels,
        rate,
        samples,
        comment,
        guano,
        wamd,
        original_layout,
        plain=padded and form == b"RIFF",
    )


class Watched:
    """Bytes that are only given out within their bounds, and not without end; ``pattern`` again and again if tiled."""

    def __init__(self, pattern: bytes, size_bytes: int, *, tiled: bool = False) -> None:
        self._pattern = pattern
        self._size_bytes = size_bytes
        self._tiled = tiled and len(pattern) > 0
        self.reads = self.read_bytes = 0

    def __call__(self, start: int, end: int) -> bytes:
        assert 0 <= start < end <= self._size_bytes
        self.reads += 1
        self.read_bytes += end - start
        assert self.reads <= MOST_READS
        assert self.read_bytes < MOST_READ_BYTES
        if not self._tiled:
            return self._pattern[start:end]
        repeated = self._pattern * ((end - start) // len(self._pattern) + 2)
        return repeated[start % len(self._pattern) :][: end - start]


def outcome(content: bytes, size_bytes: int | None = None, *, tiled: bool = False) -> WavHeader | str:
    size_bytes = len(content) if size_bytes is None else size_bytes
    try:
        header = parse_wav(Watched(content, size_bytes, tiled=tiled), size_bytes)
    except RecordingError as error:
        return error.reason
    frame = header.channels * ENCODINGS[header.encoding][1] // 8
    assert header.frames == header.data_bytes // frame
    assert header.data_bytes >= 0
    if header.data_bytes:
        assert header.data_offset_bytes + header.data_bytes <= size_bytes
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
    assert (header.comment, header.guano.encode(), header.wamd) == (wav.comment, wav.guano, wav.wamd)
    assert header.original_layout == wav.original_layout
    assert header.data_bytes == len(wav.samples) * ENCODINGS[wav.encoding][1] // 8
    end = header.data_offset_bytes + header.data_bytes
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
    if length < header.data_offset_bytes:
        assert cut in {"empty", "no_header", "truncated_header"}
    else:
        left = min(header.data_bytes, length - header.data_offset_bytes)
        assert isinstance(cut, WavHeader)
        assert (cut.frames, cut.data_bytes, cut.data_offset_bytes) == (left // frame, left, header.data_offset_bytes)
        # A size that is by chance that of the cut file looks like the fault of recorders that write the file's size.
        missing = "size_repaired" if length == header.data_bytes else "truncated"
        assert cut.flags == ((missing,) if left < header.data_bytes else ())
        if wav.original_layout:
            assert cut.comment == wav.comment


@given(wavs(), st.sampled_from([0, 1, 44, 0xFFFFFFFF]), st.data())
@settings(max_examples=300, deadline=None)
def test_no_samples_are_lost_and_no_chunk_is_heard_where_the_size_is_wrong(
    wav: Wav, declared: int, data: st.DataObject
) -> None:
    header = outcome(wav.content)
    assert isinstance(header, WavHeader)
    # Sound without a letter in it, and more of it than any of these sizes.
    generator = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    frame = wav.channels * ENCODINGS[wav.encoding][1] // 8
    frames = data.draw(st.integers(100, 30_000))
    sound = (generator.integers(0, 256, frames * frame) | 0x80).astype(np.uint8).tobytes()
    before = wav.content[: header.data_offset_bytes - 4].replace(b"ds64", b"junk")
    repaired = outcome(before + struct.pack("<I", declared) + sound + b"guan\3\0\0\0abc")
    assert isinstance(repaired, WavHeader)
    assert (repaired.frames, repaired.data_bytes, repaired.flags) == (frames, len(sound), ("size_repaired",))
    own = struct.pack("<4sI", b"guan", len(wav.guano)) + wav.guano
    assert repaired.guano == (wav.guano.decode() if own in before else "abc")


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


LARGE = st.sampled_from([8, 4088, 65_528, 65_536, 1 << 20]).map(lambda size: struct.pack("<I", size))
HEADS = st.tuples(NAMES, SIZES.map(lambda size: struct.pack("<I", size)) | LARGE).map(b"".join)
FORMAT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)


@given(st.lists(HEADS, min_size=1, max_size=6), st.integers(8, 300), st.integers(12, 1 << 34))
@settings(max_examples=300, deadline=None)
def test_a_file_that_never_ends_costs_no_more_than_any_other(chunks: list[bytes], step: int, size_bytes: int) -> None:
    outcome((b"RIFF\0\0\0\0WAVE" + FORMAT + b"".join(chunks)).ljust(step, b"\0"), size_bytes, tiled=True)


@given(st.binary(max_size=200))
def test_any_bytes_make_a_header_or_a_reason_and_nothing_else(content: bytes) -> None:
    outcome(content)
    outcome(content, size_bytes=len(content) + (6 << 30))
