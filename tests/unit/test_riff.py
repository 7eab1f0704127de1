from __future__ import annotations

import contextlib
import io
import random
import struct
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from birddask.errors import RecordingError
from birddask.recordings.reader import decode_pcm
from birddask.recordings.riff import FIRST_READ_BYTES, WavHeader, parse_wav
from tests.support.sounds import chunk, fmt_chunk, noise

RATE = 48_000
DATA = noise(0.05, RATE).tobytes()
FRAMES = len(DATA) // 2
SENTENCE = b"Recorded at 03:13:00 03/05/2025 (UTC) by AudioMoth 242A2604603691DD at medium gain."
GUANO = b"GUANO|Version:1.0\nMake:Open Acoustic Devices"
HEAD = b"RIFF\xff\xff\xff\x00WAVE"
FMT = fmt_chunk(RATE)
SAMPLE_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}


def stated(name: bytes, size: int, content: bytes = b"") -> bytes:
    """A chunk that states a size of its own choice and has no pad byte."""
    return name + struct.pack("<I", size) + content


def info(*entries: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(entries))


def audiomoth(icmt_bytes: int, *, artist: bool, sentence: bytes = SENTENCE, size: int = len(DATA)) -> bytes:
    """A header up to the samples, as firmware writes it that has ``icmt_bytes`` for its sentence."""
    texts = b"ICMT" + struct.pack("<I", icmt_bytes) + sentence.ljust(icmt_bytes, b"\0")
    if artist:
        texts += b"IART" + struct.pack("<I", 32) + b"AudioMoth 242A2604603691DD".ljust(32, b"\0")
    return HEAD + FMT + chunk(b"LIST", b"INFO" + texts) + stated(b"data", size)


def extensible(size: int, tag: int = 1) -> bytes:
    """A format chunk of WAVEFORMATEXTENSIBLE up to some byte of it: 16 bits, one channel."""
    whole = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, RATE, 2 * RATE, 2, 16, 22, 16, 4, tag)
    return chunk(b"fmt ", whole[:size])


def parse(content: bytes) -> WavHeader:
    return parse_wav(lambda start, end: content[start:end], len(content))


class Ranges:
    """The bytes of a file, and which of them were asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.read: list[tuple[int, int]] = []

    def __call__(self, start: int, end: int) -> bytes:
        self.read.append((start, end))
        return self.content[start:end]


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "BW64"])
@pytest.mark.parametrize("subtype", SAMPLE_BYTES)
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_libsndfile_are_read_as_it_reads_them(container: str, subtype: str, channels: int) -> None:
    file = io.BytesIO()
    signal = np.random.default_rng(1).uniform(-1, 1, (1001, channels))
    soundfile.write(file, signal, 44_100, format=container.replace("BW64", "RF64"), subtype=subtype)
    written = file.getvalue()
    content = container[:4].encode() + written[4:] if container == "BW64" else written

    header = parse(content)

    assert (header.sample_rate_hz, header.channels, header.frames, header.flags) == (44_100, channels, 1001, ())
    assert header.data_bytes == 1001 * channels * SAMPLE_BYTES[subtype]
    end = header.data_offset_bytes + header.data_bytes
    samples = decode_pcm(content[header.data_offset_bytes : end], header.encoding)
    expected, _ = soundfile.read(io.BytesIO(written), dtype="float32", always_2d=True)
    np.testing.assert_array_equal(samples.reshape(-1, channels), expected)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_files_of_the_standard_library_are_understood(width: int) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((2, width, 8000, 0, "NONE", ""))
        writer.writeframes(bytes(2 * width * 101))
    header = parse(file.getvalue())
    assert (header.frames, header.channels, header.sample_rate_hz) == (101, 2, 8000)
    assert header.data_offset_bytes == len(file.getvalue()) - 2 * width * 101


EMPTY = "empty: the file has no bytes"
NULL_FILE = "null_file: the file holds only zero bytes where a header should be"
NO_HEADER = "no_header: the file does not begin with a WAV header"
NO_SAMPLES = "truncated_header: the file ends before its samples begin"
NO_FORMAT = "truncated_header: the format chunk is not whole"


def unsupported(tag: int, bits: int, channels: int = 1, rate: int = RATE) -> str:
    return f"unsupported_format: WAV format {tag} with {bits} bits, {channels} channels at {rate} Hz"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", EMPTY),
        (b"\0", NULL_FILE),
        (bytes(131_072), NULL_FILE),
        (b"XX" + bytes(100), NO_HEADER),
        (bytes(488) + DATA, NO_HEADER),
        (b"RI", NO_HEADER),
        (DATA, NO_HEADER),
        (b"fLaC" + bytes(100), NO_HEADER),
        (b"RIFF\x24\0\0\0AVI ", NO_HEADER),
        (b"RIFF\x24\0\0\0AVI " + FMT, NO_HEADER),
        (b"RIFF", NO_SAMPLES),
        (HEAD, NO_SAMPLES),
        (HEAD + FMT, NO_SAMPLES),
        (HEAD + FMT[:20], NO_SAMPLES),
        (HEAD + chunk(b"fmt ", FMT[8:20]) + chunk(b"data", DATA), NO_FORMAT),
        (HEAD + chunk(b"data", DATA), NO_FORMAT),
        (HEAD + FMT + stated(b"LIST", 0xFFFFFFF0, DATA), NO_SAMPLES),
        (HEAD + FMT + b"data", NO_SAMPLES),
        (HEAD + FMT + stated(b"ab\x7fc", 2, b"xx") + chunk(b"data", DATA), NO_SAMPLES),
        (HEAD + FMT + stated(b"ab\x1fc", 2, b"xx") + chunk(b"data", DATA), NO_SAMPLES),
        (HEAD + fmt_chunk(RATE, tag=6, bits=8) + chunk(b"data", DATA), unsupported(6, 8)),
        (HEAD + fmt_chunk(RATE, tag=17, bits=4) + chunk(b"data", DATA), unsupported(17, 4)),
        (HEAD + fmt_chunk(RATE, bits=12) + chunk(b"data", DATA), unsupported(1, 12)),
        (HEAD + fmt_chunk(RATE, bits=64) + chunk(b"data", DATA), unsupported(1, 64)),
        (HEAD + fmt_chunk(RATE, channels=0) + chunk(b"data", DATA), unsupported(1, 16, channels=0)),
        (HEAD + fmt_chunk(0) + chunk(b"data", DATA), unsupported(1, 16, rate=0)),
        (HEAD + fmt_chunk(10_000_001) + chunk(b"data", DATA), unsupported(1, 16, rate=10_000_001)),
        (HEAD + extensible(25) + chunk(b"data", DATA), unsupported(0xFFFE, 16)),
        (HEAD + extensible(40, tag=0xFFFD) + chunk(b"data", DATA), unsupported(0xFFFD, 16)),
        (HEAD + FMT + chunk(b"junk", b"ab") + b"\0" + chunk(b"data", DATA), NO_SAMPLES),
    ],
)
def test_what_can_not_be_read_has_a_reason(content: bytes, message: str) -> None:
    with pytest.raises(RecordingError) as raised:
        parse(content)
    assert str(raised.value) == message
    assert raised.value.reason == message.split(":", maxsplit=1)[0]


@pytest.mark.parametrize("rate", [1, 10_000_000])
def test_any_rate_that_sound_may_have_is_taken(rate: int) -> None:
    assert parse(HEAD + fmt_chunk(rate) + chunk(b"data", DATA)).sample_rate_hz == rate


def test_an_extensible_format_needs_no_more_than_its_tag() -> None:
    header = parse(HEAD + extensible(26) + chunk(b"data", DATA))
    assert (header.encoding, header.frames) == ("pcm_16", FRAMES)


@pytest.mark.parametrize(
    ("after_fmt", "data_bytes", "flags"),
    [
        (stated(b"data", 0), 0, ()),
        (stated(b"data", 0xFFFFFFFF), 0, ("size_repaired",)),
        (stated(b"data", 96_000), 0, ("truncated",)),
        (stated(b"data", 96_000, b"\1"), 1, ("truncated",)),
        (stated(b"data", 0, b"\1\2\3\4\5\6\7"), 0, ()),
        (stated(b"data", 0, stated(b"guan", len(GUANO), GUANO)), 0, ()),
        (stated(b"data", 0, stated(b"guan", len(GUANO), GUANO)[:-9]), 0, ()),
        (stated(b"data", 0, info(chunk(b"ICMT", SENTENCE))), 0, ()),
        (stated(b"data", 0, chunk(b"what", DATA)), 0, ()),
        (stated(b"data", 0xFFFFFFFF, stated(b"guan", len(GUANO), GUANO)), 0, ("size_repaired",)),
    ],
)
def test_a_file_without_samples_still_has_a_header(after_fmt: bytes, data_bytes: int, flags: tuple[str, ...]) -> None:
    said = b"Recording stopped due to SD card write error."
    header = parse(HEAD + FMT + info(chunk(b"ICMT", said)) + after_fmt)
    assert (header.frames, header.data_bytes, header.flags) == (0, data_bytes, flags)
    assert (header.comment.encode(), header.sample_rate_hz) == (said, RATE)


@pytest.mark.parametrize(
    ("after_fmt", "frames", "flags"),
    [
        (stated(b"data", len(DATA), DATA), FRAMES, ()),
        (stated(b"data", len(DATA), DATA + b"\0" * 777), FRAMES, ()),
        (stated(b"data", 0, DATA), FRAMES, ("size_repaired",)),
        (stated(b"data", 0xFFFFFFFF, DATA), FRAMES, ("size_repaired",)),
        (stated(b"data", 96_000, DATA), FRAMES, ("truncated",)),
        (stated(b"data", 96_000, DATA[:-1]), FRAMES - 1, ("truncated",)),
        (stated(b"data", len(DATA) - 1, DATA), FRAMES - 1, ()),
        (stated(b"data", 0, b"\1" * 8), 0, ()),
        (stated(b"data", 0, b"\1" * 9), 4, ("size_repaired",)),
    ],
    ids=[
        *("as declared", "trailing bytes", "size 0", "size unknown", "truncated", "truncated in a frame", "odd size"),
        *("no more than the head of a chunk", "more than that"),
    ],
)
def test_a_wrong_size_is_overruled_by_what_is_there(after_fmt: bytes, frames: int, flags: tuple[str, ...]) -> None:
    header = parse(HEAD + FMT + after_fmt)
    assert (header.frames, header.flags) == (frames, flags)


TRAILERS = {
    "guano": chunk(b"guan", GUANO),
    "guano without pad": stated(b"guan", len(GUANO) + 1, GUANO + b"."),
    "guano with pad": chunk(b"guan", GUANO + b"."),
    "a pad too many": chunk(b"guan", GUANO) + b"\0",
    "an empty chunk at the very end": chunk(b"guan", GUANO) + stated(b"fact", 0),
    "Wildlife Acoustics": chunk(b"guan", GUANO + b".") + chunk(b"wamd", b"\x01\0\x03\0\0\0SM4"),
    "an editor": info(chunk(b"ICMT", SENTENCE)) + chunk(b"id3 ", b"ID3" + bytes(99)),
}


@pytest.mark.parametrize("declared", [0, 44, 0xFFFFFFFF, None], ids=["0", "44", "unknown", "the file's"])
@pytest.mark.parametrize("trailer", TRAILERS)
def test_chunks_at_the_end_are_not_samples_where_the_size_is_wrong(declared: int | None, trailer: str) -> None:
    samples = DATA * 30  # more than one read
    size_bytes = 44 + len(samples) + len(TRAILERS[trailer])
    size = size_bytes if declared is None else declared
    header = parse(HEAD + FMT + stated(b"data", size, samples) + TRAILERS[trailer])
    assert (header.frames, header.flags) == (30 * FRAMES, ("size_repaired",))
    assert header.guano.startswith("GUANO|Version:1.0") == (trailer != "an editor")
    assert header.wamd == (b"\x01\0\x03\0\0\0SM4" if trailer == "Wildlife Acoustics" else b"")


ERASED = b"\xff"


@pytest.mark.parametrize(
    ("declared", "stored", "frames", "flags"),
    [
        (44, DATA, FRAMES, ("size_repaired",)),
        (44, DATA + bytes(100_000), FRAMES + 50_000, ("size_repaired",)),
        (44, bytes(100_000) + DATA, FRAMES + 50_000, ("size_repaired",)),
        (44, DATA[:44] + bytes(500_000), 22, ()),
        (44, DATA[:44] + ERASED * 500_000, 22, ()),
        (44, DATA[:44], 22, ()),
        (44, DATA[:44] + b"\0\1" * 50_000, 50_022, ("size_repaired",)),
        (len(DATA), DATA + ERASED * 777, FRAMES, ()),
        (len(DATA), DATA + random.Random(1).randbytes(777), FRAMES, ()),
        (len(DATA), DATA + random.Random(1).randbytes(len(DATA)), FRAMES, ()),
        (len(DATA), DATA + bytes(500_000), FRAMES, ()),
        (len(DATA), DATA + DATA + b"\1", 2 * FRAMES, ("size_repaired",)),
    ],
)
def test_samples_go_on_behind_a_size_that_firmware_failed_to_write(
    declared: int, stored: bytes, frames: int, flags: tuple[str, ...]
) -> None:
    header = parse(HEAD + FMT + stated(b"data", declared, stored))
    assert (header.frames, header.flags) == (frames, flags)
    header = parse(audiomoth(384, artist=True, size=declared) + stored)
    assert (header.frames, header.flags) == (frames, flags)


@pytest.mark.parametrize("before", [b"", b"\1", b"\1\2", b"\1\2\3"])
@pytest.mark.parametrize(
    "after",
    [
        info(chunk(b"ICMT", SENTENCE)) + chunk(b"id3 ", DATA),
        info(chunk(b"ICMT", SENTENCE), chunk(b"ISFT", DATA))[:-100],
        chunk(b"guan", GUANO)[:-10],
        chunk(b"guan", GUANO)[:6],
        chunk(b"wamd", DATA)[:-1],
        chunk(b"abcd", DATA),
        chunk(b"Ab_2", DATA)[:-1],
        chunk(b"abcd", DATA)[:7],
        chunk(b"abcd", DATA)[:3],
        chunk(b"junk", DATA * 100) + chunk(b"guan", GUANO),
    ],
)
@pytest.mark.parametrize("pad", [b"", b"\0"])
def test_a_chunk_is_never_taken_for_samples_however_few_there_are(before: bytes, after: bytes, pad: bytes) -> None:
    eight_bits = fmt_chunk(RATE, bits=8)
    content = HEAD + eight_bits + stated(b"data", len(before), before) + pad * (len(before) % 2) + after
    header = parse(content)
    assert (header.frames, header.flags) == (len(before), ())


@pytest.mark.parametrize("name", [b"guan", b"LIST"])
@pytest.mark.parametrize("place", [100, FRAMES, len(DATA) - 6, len(DATA) - 4])
def test_samples_that_look_like_the_name_of_a_chunk_are_samples(name: bytes, place: int) -> None:
    header = parse(HEAD + FMT + stated(b"data", 0, DATA[:place] + name + DATA[place + 4 :]))
    assert header.frames == FRAMES


def test_a_size_that_wrapped_around_at_4_gib_is_unwrapped() -> None:
    start = HEAD + FMT + stated(b"data", 1000)
    size_bytes = len(start) + (1 << 32) + 1000
    header = parse_wav(lambda first, end: (start + bytes(FIRST_READ_BYTES))[first:end], size_bytes)
    assert (header.frames, header.flags) == ((1 << 31) + 500, ("size_repaired",))


@pytest.mark.parametrize("declared", [0, 1000, 0xFFFFFF00])
@pytest.mark.parametrize("times", [1, 2])
def test_guano_is_found_behind_a_size_that_wrapped_around(declared: int, times: int) -> None:
    start = HEAD + FMT + stated(b"data", declared)
    end = len(start) + times * (1 << 32) + declared
    guano = chunk(b"guan", GUANO)
    parts = {0: start + DATA, end: guano}

    def read(first: int, last: int) -> bytes:
        content = bytearray(random.Random(first).randbytes(last - first))
        for place, part in parts.items():
            for offset in range(max(first, place), min(last, place + len(part))):
                content[offset - first] = part[offset - place]
        return bytes(content)

    header = parse_wav(read, end + len(guano))
    assert (header.data_bytes, header.flags) == (times * (1 << 32) + declared, ("size_repaired",))
    assert header.guano == GUANO.decode()


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
@pytest.mark.parametrize(
    ("data_bytes", "flags"),
    [
        (5 << 30, ()),
        (6 << 30, ("truncated",)),
        (0, ("size_repaired",)),
        (0xFFFFFFFF, ("size_repaired",)),
        ((1 << 64) - 1, ("size_repaired",)),
    ],
)
def test_sizes_of_64_bits_are_taken_from_ds64(form: bytes, data_bytes: int, flags: tuple[str, ...]) -> None:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 1, data_bytes, 1, 0))
    start = form + b"\xff\xff\xff\xffWAVE" + ds64 + FMT + stated(b"data", 0xFFFFFFFF)
    header = parse_wav(lambda first, end: start[first:end].ljust(end - first, b"\0"), size_bytes=len(start) + (5 << 30))
    assert (header.frames, header.flags) == (5 << 29, flags)


@pytest.mark.parametrize("elsewhere", [0, 2, 1 << 40])
def test_ds64_says_nothing_of_a_size_that_stands_in_its_place(elsewhere: int) -> None:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 1, elsewhere, 1, 0))
    header = parse(b"RF64" + HEAD[4:] + ds64 + FMT + stated(b"data", len(DATA), DATA))
    assert (header.frames, header.flags) == (FRAMES, ())


@pytest.mark.parametrize(("size", "flags"), [(8, ("size_repaired",)), (15, ("size_repaired",)), (16, ())])
def test_a_ds64_that_is_too_short_says_nothing(size: int, flags: tuple[str, ...]) -> None:
    ds64 = struct.pack("<QQQI", 1, len(DATA), 1, 0)[:size]
    header = parse(b"RF64" + HEAD[4:] + chunk(b"ds64", ds64) + FMT + stated(b"data", 0xFFFFFFFF, DATA))
    assert (header.frames, header.flags) == (FRAMES, flags)


@pytest.mark.parametrize(("chunks", "readable"), [(254, True), (255, False)])
def test_samples_are_looked_for_in_256_chunks(chunks: int, readable: bool) -> None:  # noqa: FBT001
    content = HEAD + FMT + stated(b"junk", 0) * chunks + chunk(b"data", DATA)
    if readable:
        assert parse(content).frames == FRAMES
    else:
        with pytest.raises(RecordingError, match=NO_SAMPLES):
            parse(content)


def test_what_16_reads_do_not_reach_is_left_out() -> None:
    far = chunk(b"guan", b"g" * 70_000) + chunk(b"junk", bytes(70_000)) * 14
    ranges = Ranges(HEAD + FMT + far + chunk(b"data", DATA))
    header = parse_wav(ranges, len(ranges.content))
    assert (header.frames, header.flags, header.guano) == (FRAMES, (), "")
    assert len(ranges.read) == 16


def test_nothing_is_read_where_nothing_can_be() -> None:
    ranges = Ranges(HEAD + FMT + chunk(b"data", DATA) + stated(b"junk", 70_001, bytes(70_001)))
    assert parse_wav(ranges, len(ranges.content)).frames == FRAMES
    assert all(start < end <= len(ranges.content) for start, end in ranges.read)


@pytest.mark.parametrize("step_bytes", [8, 4096, 1 << 17])
@pytest.mark.parametrize("name", [b"junk", b"LIST", b"fmt "])
def test_chunks_without_end_are_given_up(name: bytes, step_bytes: int) -> None:
    reads: list[int] = []
    junk = stated(name, step_bytes - 8, b"INFO" * (step_bytes > 8)).ljust(step_bytes, b"\0")

    def read(start: int, end: int) -> bytes:
        reads.append(end - start)
        offset = (start - 12) % step_bytes
        content = (junk * ((end - start) // step_bytes + 2))[offset:][: end - start]
        return content if start else HEAD + content[12:]

    with pytest.raises(RecordingError, match="truncated_header"):
        parse_wav(read, 1 << 50)
    assert len(reads) <= 16
    assert sum(reads) < 1_000_000


@pytest.mark.parametrize(
    "chunks",
    [
        chunk(b"LIST", b"INFO" + b"".join(stated(b"I%03d" % number, 0) for number in range(1000))),
        stated(b"junk", 0),
        chunk(b"guan", b"\xff" * 70_000),
    ],
    ids=["texts", "nothing", "no text"],
)
@pytest.mark.parametrize("before", [True, False])
def test_chunks_without_end_cost_no_memory(chunks: bytes, before: bool) -> None:  # noqa: FBT001
    row = chunks * (3_000_000 // len(chunks))
    data = stated(b"data", 2, b"\1\2")
    ranges = Ranges(HEAD + FMT + (row + data if before else data + row))
    tracemalloc.start()
    with pytest.raises(RecordingError, match="truncated_header") if before else contextlib.nullcontext():
        assert parse_wav(ranges, len(ranges.content)).frames == 1
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2 << 20
    assert sum(end - start for start, end in ranges.read) < 1_000_000


@pytest.mark.parametrize(
    ("chunks", "texts"),
    [
        ([info(chunk(b"ICMT", SENTENCE)), chunk(b"data", DATA)], (SENTENCE, b"")),
        (
            [info(chunk(b"ICMT", SENTENCE + b"\0\0residue"), chunk(b"IART", b"me\0\0")), chunk(b"data", DATA)],
            (SENTENCE, b"me"),
        ),
        ([info(chunk(b"IART", b"odd"), chunk(b"ICMT", SENTENCE)), chunk(b"data", DATA)], (SENTENCE, b"odd")),
        ([chunk(b"data", DATA), chunk(b"id3 ", b"x" * 99), info(chunk(b"ICMT", SENTENCE))], (SENTENCE, b"")),
        ([chunk(b"junk", bytes(5000)), info(chunk(b"ICMT", SENTENCE)), chunk(b"data", DATA)], (SENTENCE, b"")),
        ([chunk(b"LIST", b"adtl" + chunk(b"ICMT", SENTENCE)), chunk(b"data", DATA)], (b"", b"")),
        ([info(stated(b"ICMT", 5000, SENTENCE)), chunk(b"data", DATA)], (SENTENCE, b"")),
        ([info(chunk(b"ICMT", b"ends"), chunk(b"IART", b"here")), chunk(b"data", DATA)], (b"ends", b"here")),
        ([info(stated(b"ISFT", 1 << 31), chunk(b"ICMT", SENTENCE)), chunk(b"data", DATA)], (b"", b"")),
    ],
    ids=[
        *("before", "with residue and artist", "odd entry", "after", "far away", "of another list", "too long"),
        *("without a NUL", "behind one that is longer than all"),
    ],
)
def test_the_comment_and_the_artist_are_found_wherever_they_stand(
    chunks: list[bytes], texts: tuple[bytes, bytes]
) -> None:
    header = parse(HEAD + FMT + b"".join(chunks))
    assert (header.comment.encode(), header.artist.encode()) == texts
    assert header.frames == FRAMES


@pytest.mark.parametrize("text", [b"ends in X", b"ends in a space "])
@pytest.mark.parametrize("padding", [b"", b"\0", b"\0\0\0"])
def test_zeros_behind_guano_are_no_part_of_it(text: bytes, padding: bytes) -> None:
    header = parse(HEAD + FMT + chunk(b"data", DATA) + chunk(b"guan", text + padding))
    assert header.guano.encode() == text


@pytest.mark.parametrize("text", [b"  caf\xc3\xa9 \0", b"caf\xc3\xa9"])
def test_a_comment_is_utf_8_without_the_blanks_around_it(text: bytes) -> None:
    assert parse(HEAD + FMT + info(chunk(b"ICMT", text)) + chunk(b"data", DATA)).comment == "caf\xe9"


def test_bytes_that_are_no_text_do_not_harm() -> None:
    header = parse(HEAD + FMT + info(chunk(b"ICMT", b"caf\xe9")) + chunk(b"data", DATA) + chunk(b"guan", b"\xff"))
    assert header.comment == "caf\N{REPLACEMENT CHARACTER}"
    assert header.guano == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("size", range(1, 90, 2))
def test_odd_chunks_may_be_padded_or_not(size: int) -> None:
    eight_bits = fmt_chunk(RATE, bits=8)
    comment = info(chunk(b"ICMT", b"c" * size))
    for pad in (b"", b"\0"):
        header = parse(
            HEAD + stated(b"junk", size, b"\x80" * size) + pad + eight_bits + comment + stated(b"data", 2, b"ab")
        )
        assert (header.frames, header.comment) == (2, "c" * size)
        header = parse(HEAD + eight_bits + stated(b"data", size, b"\x80" * size) + pad + comment)
        assert (header.frames, header.comment) == (size, "c" * size)


@pytest.mark.parametrize(
    ("icmt_bytes", "artist", "header_bytes"), [(128, False, 192), (256, True, 360), (384, True, 488)]
)
def test_the_headers_of_every_firmware_are_read(icmt_bytes: int, artist: bool, header_bytes: int) -> None:  # noqa: FBT001
    header = parse(audiomoth(icmt_bytes, artist=artist) + DATA)
    assert header == WavHeader(
        encoding="pcm_16",
        sample_rate_hz=RATE,
        channels=1,
        frames=FRAMES,
        data_offset_bytes=header_bytes,
        data_bytes=len(DATA),
        flags=(),
        comment=SENTENCE.decode(),
        artist="AudioMoth 242A2604603691DD" if artist else "",
        guano="",
        wamd=b"",
        original_layout=True,
    )


@pytest.mark.parametrize("letters", [382, 383, 384, 385, 391, 392, 393, 422, 423, 424, 425])
@pytest.mark.parametrize("following", [b"", stated(b"guan", len(GUANO), GUANO)])
def test_a_sentence_that_runs_over_its_room_costs_at_most_its_last_letter(letters: int, following: bytes) -> None:
    sentence = (SENTENCE + b" Amplitude threshold was 1." * 20)[: letters - 1] + b"."
    content = bytearray(audiomoth(384, artist=True) + DATA + following)
    content[56 : 56 + letters + 1] = sentence + b"\0"
    header = parse(bytes(content))
    assert (header.frames, header.data_offset_bytes, header.flags) == (FRAMES, 488, ())
    assert header.comment.encode() == sentence[:424]
    assert header.guano == (GUANO.decode() if following else "")
    assert header.original_layout


@pytest.mark.parametrize("damaged", [b"xxxx", b"dat\0", b"\0\0\0\0"])
def test_another_thing_in_the_place_of_data_is_not_taken_for_it(damaged: bytes) -> None:
    content = audiomoth(384, artist=True)[:-8] + damaged + DATA
    with pytest.raises(RecordingError, match="truncated_header"):
        parse(content)
    with pytest.raises(RecordingError, match="truncated_header"):
        parse(audiomoth(384, artist=True)[:487])


@pytest.mark.parametrize(
    ("before", "after", "original"),
    [
        ([info(chunk(b"ICMT", SENTENCE))], [], True),
        ([], [info(chunk(b"ICMT", SENTENCE))], False),
        ([info(chunk(b"ICMT", SENTENCE))], [info(chunk(b"ICMT", b"edited"))], True),
        ([info(chunk(b"ISFT", b"tool"))], [info(chunk(b"ICMT", SENTENCE))], True),
    ],
)
def test_what_stands_before_the_samples_counts_more(before: list[bytes], after: list[bytes], original: bool) -> None:  # noqa: FBT001
    header = parse(b"".join([HEAD, FMT, *before, chunk(b"data", DATA), *after]))
    assert (header.comment.encode(), header.original_layout) == (SENTENCE, original)


@pytest.mark.parametrize("junk_bytes", [100, 4000, 5001, 70_000, 1_000_000])
def test_guano_and_wamd_are_found_beyond_padding_of_any_size(junk_bytes: int) -> None:
    content = b"".join(
        [
            HEAD,
            FMT,
            chunk(b"junk", bytes(junk_bytes)),
            chunk(b"data", DATA),
            chunk(b"guan", GUANO),
            chunk(b"wamd", b"w"),
        ]
    )
    ranges = Ranges(content)
    header = parse_wav(ranges, len(content))
    assert (header.frames, header.guano, header.wamd) == (FRAMES, GUANO.decode(), b"w")
    assert len(ranges.read) <= 3


@pytest.mark.parametrize("frames", [0, 1, 100, 5000, 1_000_000])
@pytest.mark.parametrize(
    ("following", "reads"),
    [
        *((b"", 1), (b"\0", 1), (ERASED * 777, 2), (b"\0" * 50_000, 2)),
        *((stated(b"guan", len(GUANO), GUANO), 2), (stated(b"guan", len(GUANO) + 1, GUANO + b"."), 2)),
    ],
)
def test_a_recording_as_a_recorder_wrote_it_takes_two_reads_at_most(frames: int, following: bytes, reads: int) -> None:
    content = audiomoth(384, artist=True, size=2 * frames) + (DATA * 1000)[: 2 * frames] + following
    ranges = Ranges(content)
    header = parse_wav(ranges, len(content))
    if frames:
        assert header.frames == frames
    near = len(content) <= FIRST_READ_BYTES
    assert len(ranges.read) <= (1 if near else reads)
    assert ranges.read[0] == (0, min(FIRST_READ_BYTES, len(content)))
    assert sum(end - start for start, end in ranges.read) <= 4096 + 65_536


# Frames, where they begin, flags, reads, letters of GUANO; LIST stands first in those that have one.
REAL = {
    "audiomoth/242A2604603691DD_20250503_031300.WAV": (1_440_000, 488, (), 2, 364),
    "audiomoth/242A2604603691DD_20250503_031400.WAV": (1_440_000, 488, (), 2, 364),
    "audiomoth/fw1.0.1-1.1.0_hdr192_192kHz_2s.WAV": (384_000, 192, (), 1, 0),
    "audiomoth/fw1.2.1-1.3.0_hdr360_384kHz_2s.WAV": (768_000, 360, (), 1, 0),
    "audiomoth/fw1.6-1.9_hdr488_384kHz_2s_20211112_193000.WAV": (768_000, 488, (), 1, 0),
    "birds/maad_spinetail.wav": (861_799, 44, (), 1, 0),
    "birds/oss_birds_10s.wav": (324_263, 44, (), 1, 0),
    "sm4-day/S4A03895_20190522_120000.wav": (220_000, 44, (), 1, 0),
    "other/oss_audiomoth_gps.wav": (95_999, 44, (), 2, 0),
    "other/oss_empty_2c.wav": (0, 44, ("truncated",), 1, 0),
    "other/oss_metadata.wav": (479_022, 44, (), 2, 0),
    "faults/02_powerloss_fw1.11/20250503_041000.WAV": (0, 488, (), 1, 0),
    "faults/04_data_size_zero/20250503_043000.WAV": (48_000, 488, ("size_repaired",), 2, 347),
    "faults/05_truncated_copy/20250503_044000.WAV": (29_756, 488, ("truncated",), 1, 0),
    "faults/08_all_zero_samples/20250503_051000.WAV": (48_000, 488, (), 2, 347),
    "faults/15_fw1.2.2_UTC_colon30/20190704_063000.WAV": (48_000, 360, (), 1, 0),
    "faults/16_fw1.0_hexname/595B2DF0.WAV": (48_000, 192, (), 1, 0),
    "faults/17_trailing_garbage/20250503_060000.WAV": (48_000, 488, (), 2, 0),
    "faults/21_twav_two_events/20250503_070000T.WAV": (120_320, 488, (), 2, 348),
}


@pytest.mark.parametrize("path", REAL)
def test_real_recordings_are_read_with_one_or_two_reads(shared: Path, path: str) -> None:
    ranges = Ranges((shared / path).read_bytes())
    header = parse_wav(ranges, len(ranges.content))
    expected = (header.frames, header.data_offset_bytes, header.flags, len(ranges.read), len(header.guano))
    assert expected == REAL[path]
    assert header.original_layout == (header.data_offset_bytes > 44)
    assert (header.wamd, header.guano[:6]) == (b"", "GUANO|" if header.guano else "")
    if path.startswith(("audiomoth", "faults")):
        assert header.comment.startswith("Recorded at ")


@pytest.mark.parametrize(("damaged", "reason"), [("03", "no_header"), ("07", "truncated_header"), ("09", "null_file")])
def test_real_damage_has_its_reason(shared: Path, damaged: str, reason: str) -> None:
    (path,) = (shared / "faults").glob(f"{damaged}_*/*")
    with pytest.raises(RecordingError) as raised:
        parse(path.read_bytes())
    assert raised.value.reason == reason
