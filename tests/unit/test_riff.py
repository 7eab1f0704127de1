from __future__ import annotations

import io
import struct
import wave

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


def parse(content: bytes) -> WavHeader:
    return parse_wav(lambda start, end: content[start:end], len(content))


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", SAMPLE_BYTES)
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_libsndfile_are_read_as_it_reads_them(container: str, subtype: str, channels: int) -> None:
    file = io.BytesIO()
    signal = np.random.default_rng(1).uniform(-1, 1, (1001, channels))
    soundfile.write(file, signal, 44_100, format=container, subtype=subtype)
    content = file.getvalue()

    header = parse(content)

    assert (header.sample_rate_hz, header.channels, header.frames, header.flags) == (44_100, channels, 1001, ())
    end = header.data_offset_bytes + 1001 * channels * SAMPLE_BYTES[subtype]
    samples = decode_pcm(content[header.data_offset_bytes : end], header.encoding)
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0", "null_file"),
        (bytes(131_072), "null_file"),
        (b"RI", "no_header"),
        (DATA, "no_header"),
        (b"fLaC" + bytes(100), "no_header"),
        (b"RIFF\x24\0\0\0AVI " + FMT, "no_header"),
        (b"RIFF", "truncated_header"),
        (HEAD, "truncated_header"),
        (HEAD + FMT, "truncated_header"),
        (HEAD + FMT[:20], "truncated_header"),
        (HEAD + chunk(b"fmt ", FMT[8:20]) + chunk(b"data", DATA), "truncated_header"),
        (HEAD + chunk(b"data", DATA), "truncated_header"),
        (HEAD + FMT + stated(b"LIST", 0xFFFFFFF0, DATA), "truncated_header"),
        (HEAD + FMT + b"data", "truncated_header"),
        (HEAD + FMT + stated(b"data", 0), "no_audio"),
        (HEAD + FMT + stated(b"data", 96_000), "no_audio"),
        (HEAD + FMT + stated(b"data", 96_000, b"\1"), "no_audio"),
        (HEAD + FMT + stated(b"data", 0, stated(b"guan", len(GUANO), GUANO)), "no_audio"),
        (HEAD + FMT + stated(b"data", 0, info(chunk(b"ICMT", SENTENCE))), "no_audio"),
        (HEAD + fmt_chunk(RATE, tag=6, bits=8) + chunk(b"data", DATA), "unsupported_format"),
        (HEAD + fmt_chunk(RATE, tag=17, bits=4) + chunk(b"data", DATA), "unsupported_format"),
        (HEAD + fmt_chunk(RATE, bits=12) + chunk(b"data", DATA), "unsupported_format"),
        (HEAD + fmt_chunk(RATE, bits=64) + chunk(b"data", DATA), "unsupported_format"),
        (HEAD + fmt_chunk(RATE, channels=0) + chunk(b"data", DATA), "unsupported_format"),
        (HEAD + fmt_chunk(0) + chunk(b"data", DATA), "unsupported_format"),
    ],
)
def test_what_can_not_be_read_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(RecordingError) as raised:
        parse(content)
    assert raised.value.reason == reason


def test_the_recorders_own_words_explain_a_recording_without_audio() -> None:
    said = b"Recording stopped due to SD card write error."
    with pytest.raises(RecordingError, match="SD card write error"):
        parse(HEAD + FMT + info(chunk(b"ICMT", said)) + stated(b"data", 0))


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
    ],
    ids=["as declared", "trailing bytes", "size 0", "size unknown", "truncated", "truncated in a frame", "odd size"],
)
def test_a_wrong_size_is_overruled_by_what_is_there(after_fmt: bytes, frames: int, flags: tuple[str, ...]) -> None:
    header = parse(HEAD + FMT + after_fmt)
    assert (header.frames, header.flags) == (frames, flags)


@pytest.mark.parametrize("declared", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("guano", [GUANO, GUANO + b"."])
@pytest.mark.parametrize("pad", [b"", b"\0"])
def test_guano_at_the_end_is_text_and_not_samples_where_the_size_was_never_written(
    declared: int, guano: bytes, pad: bytes
) -> None:
    header = parse(HEAD + FMT + stated(b"data", declared, DATA) + stated(b"guan", len(guano), guano) + pad)
    assert (header.frames, header.flags) == (FRAMES, ("size_repaired",))
    assert header.guano == guano.decode()


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


@pytest.mark.parametrize(("data_bytes", "flags"), [(5 << 30, ()), (6 << 30, ("truncated",)), (0, ("size_repaired",))])
def test_rf64_sizes_are_taken_from_ds64(data_bytes: int, flags: tuple[str, ...]) -> None:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 1, data_bytes, 1, 0))
    start = b"RF64\xff\xff\xff\xffWAVE" + ds64 + FMT + stated(b"data", 0xFFFFFFFF)
    header = parse_wav(lambda first, end: start[first:end].ljust(end - first, b"\0"), size_bytes=len(start) + (5 << 30))
    assert (header.frames, header.flags) == (5 << 29, flags)


def test_a_ds64_that_is_too_short_says_nothing() -> None:
    header = parse(HEAD + chunk(b"ds64", bytes(8)) + FMT + stated(b"data", 0xFFFFFFFF, DATA))
    assert (header.frames, header.flags) == (FRAMES, ("size_repaired",))


def test_chunks_without_end_are_given_up() -> None:
    reads: list[int] = []

    def read(start: int, end: int) -> bytes:
        reads.append(start)
        assert len(reads) < 1000
        junk = stated(b"junk", (1 << 17) - 8)
        return (junk if start else HEAD + junk).ljust(end - start, b"\0")

    with pytest.raises(RecordingError, match="truncated_header"):
        parse_wav(read, 1 << 50)


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
    ],
    ids=["before", "with residue and artist", "odd entry", "after", "far away", "of another list", "too long"],
)
def test_the_comment_and_the_artist_are_found_wherever_they_stand(
    chunks: list[bytes], texts: tuple[bytes, bytes]
) -> None:
    header = parse(HEAD + FMT + b"".join(chunks))
    assert (header.comment.encode(), header.artist.encode()) == texts
    assert header.frames == FRAMES


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


@pytest.mark.parametrize(("after", "reads"), [(b"", 1), (stated(b"guan", len(GUANO), GUANO), 2)])
def test_a_header_takes_as_few_reads_as_can_be(after: bytes, reads: int) -> None:
    content = HEAD + FMT + info(chunk(b"ICMT", SENTENCE)) + chunk(b"data", DATA) + after
    ranges: list[tuple[int, int]] = []

    def read(start: int, end: int) -> bytes:
        ranges.append((start, end))
        return content[start:end]

    assert parse_wav(read, len(content)).comment == SENTENCE.decode()
    assert len(ranges) == reads
