from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pytest
import soundfile
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from birddask.errors import RecordingError, TransientStorageError
from birddask.recordings import sndfile
from birddask.recordings.flac_comments import FlacComments, read_sensor
from birddask.recordings.mp3 import stated_end
from birddask.storage import Folder

RATE = 22_050
MEMORY = Folder("memory://sndfile")

# kbit/s of Layer III by the index in a frame's header: MPEG 1, and MPEG 2 and 2.5.
KBITS_1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
KBITS_2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
# What LAME's encoder and any decoder put before the sound, which counts in the first frame let a decoder cut off.
LAME_DELAY, DECODER_DELAY = 576, 529

ID3V1 = b"TAG" + bytes(94) + b"by a recorder".ljust(30, b"\0") + b"\xff"
APE_TAG = b"APETAGEX" + struct.pack("<4I", 2000, 60, 1, 1 << 31) + bytes(8) + struct.pack("<2I", 20, 0) + b"x" * 20


def id3v2(size: int) -> bytes:
    """A tag of that many bytes without anything in it."""
    return b"ID3\4\0\0" + bytes([size >> shift & 0x7F for shift in (21, 14, 7, 0)]) + bytes(size)


def sound(frames: int, channels: int, rate: int = RATE) -> NDArray[np.float64]:
    """A tone in noise that comes and goes, so that frames of many sizes are needed."""
    generator = np.random.default_rng(frames)
    loudness = np.repeat(generator.random(frames // 3000 + 1) ** 4, 3000)[:frames, None]
    tone = np.sin(2 * np.pi * 700 / rate * np.arange(frames))[:, None]
    return np.asarray(loudness * (0.5 * tone + generator.normal(0, 0.1, (frames, channels))))


def encoded(
    container: str, subtype: str, signal: NDArray[np.float64], rate: int, mode: str | None = None, level: float = 0.3
) -> bytes:
    file = io.BytesIO()
    options = {} if mode is None else {"bitrate_mode": mode, "compression_level": level}
    channels = signal.shape[1]
    with soundfile.SoundFile(file, "w", rate, channels, format=container, subtype=subtype, **options) as writer:
        for first in range(0, len(signal), rate):  # many samples at once are too much for its Vorbis encoder
            writer.write(signal[first : first + rate])
    return file.getvalue()


def mp3(frames: int, rate: int = RATE, channels: int = 1, mode: str = "VARIABLE") -> bytes:
    """A file whose first frame has counts."""
    return encoded("MP3", "MPEG_LAYER_III", sound(frames, channels, rate), rate, mode)


def frame_ends(content: bytes) -> list[int]:
    """Where the frames of an MP3 file that has nothing else end, the last one if it is whole."""
    ends = [0]
    while ends[-1] + 4 <= len(content):
        _, version, index, _ = content[ends[-1] : ends[-1] + 4]
        mpeg_1, mpeg_25 = version & 0x18 == 0x18, version & 0x18 == 0
        rate = [44_100, 48_000, 32_000][index >> 2 & 3] // (1 if mpeg_1 else 4 if mpeg_25 else 2)
        kbits = (KBITS_1 if mpeg_1 else KBITS_2)[index >> 4]
        ends.append(ends[-1] + (144_000 if mpeg_1 else 72_000) * kbits // rate + (index >> 1 & 1))
    return [end for end in ends[1:] if end <= len(content)]


def without_counts(content: bytes) -> bytes:
    return content[frame_ends(content)[0] :]


def header_of(content: bytes, name: str) -> sndfile.SoundHeader:
    MEMORY.publish(name, content)
    return sndfile.read_header(MEMORY, name, len(content))


def outcome(content: bytes, name: str) -> str:
    try:
        return "sound" if header_of(content, name).frames > 0 else "nothing"
    except RecordingError as error:
        return error.reason


def whole(content: bytes, name: str, frames: int) -> NDArray[np.float32]:
    with sndfile.opened(MEMORY, name, len(content)) as opened:
        return opened.read(0, frames)


FLAC = encoded("FLAC", "PCM_16", sound(RATE * 40, 1), RATE)


def by_frontier_labs(content: bytes, *, stated_frames: int, odd: bytes = b"") -> bytes:
    """A FLAC file with other comments and another number of frames in its header."""
    entries = [
        b"RecordingStart=2020-08-01T00:00:00+1000",
        b"RecordingEnd=2020-08-01T00:00:40+1000",
        b"SensorUid=00002716",
    ]
    vendor = struct.pack("<I13sI", 13, b"Frontier Labs", len(entries))
    comments = vendor + b"".join(struct.pack("<I", len(entry)) + entry for entry in entries) + odd
    info = content[4:21] + bytes([content[21] & 0xF0 | stated_frames >> 32])
    info += struct.pack(">I", stated_frames & 0xFFFFFFFF) + content[26:42]
    # In files of libsndfile the comments follow next, and they are the last block.
    stream = content[46 + int.from_bytes(content[43:46], "big") :]
    assert (content[42], stream[:1]) == (0x84, b"\xff")
    return b"fLaC" + info + b"\x84" + len(comments).to_bytes(3, "big") + comments + stream


@dataclass
class Store:
    """What was read from a store, and when its connection is cut."""

    folder: Folder
    ranges: list[tuple[int, int]]
    reads_left: list[int]


class Watched(MemoryFileSystem):
    """A store that remembers what was read and can lose its connection."""

    protocol = "watched"
    ranges: ClassVar[list[tuple[int, int]]] = []
    reads_left: ClassVar[list[int]] = [1000]

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: object) -> bytes:
        if not self.reads_left[0]:
            raise ConnectionResetError("connection lost")
        self.reads_left[0] -= 1
        content = bytes(super().cat_file(path, start, end, **options))
        self.ranges.append((start or 0, len(content)))
        return content


@pytest.fixture
def store() -> Iterator[Store]:
    fsspec.register_implementation("watched", Watched, clobber=True)
    Watched.ranges.clear()
    Watched.reads_left[0] = 1000
    yield Store(Folder("watched://archive"), Watched.ranges, Watched.reads_left)
    Watched.reads_left[0] = 1000


@pytest.mark.parametrize("odd", [b"", b"\x80"])
def test_the_comments_of_a_flac_file_come_with_its_header(store: Store, odd: bytes) -> None:
    content = by_frontier_labs(FLAC, stated_frames=RATE * 40, odd=odd)
    store.folder.publish("x.flac", content)
    header = sndfile.read_header(store.folder, "x.flac", len(content))
    assert header.flac == FlacComments(
        "Frontier Labs",
        (
            ("RECORDINGSTART", "2020-08-01T00:00:00+1000"),
            ("RECORDINGEND", "2020-08-01T00:00:40+1000"),
            ("SENSORUID", "00002716"),
        ),
    )
    assert (header.encoding, header.frames, header.flags) == ("flac", RATE * 40, ())
    assert store.ranges == [(0, 65_536)]


def test_a_real_recording_of_frontier_labs_is_read_to_its_end(shared: Path) -> None:
    (path,) = (shared / "other").glob("2022*_Minjerribah-Dry-B_*.flac")
    archive, size_bytes = Folder(str(path.parent)), path.stat().st_size
    header = sndfile.read_header(archive, path.name, size_bytes)
    assert (header.sample_rate_hz, header.channels, header.frames, header.flags) == (22_050, 1, 770_048, ())
    assert read_sensor(header.flac).serial == "00004024"
    with sndfile.opened(archive, path.name, size_bytes) as opened:
        assert len(opened.read(0, 770_048)) == 770_048


@pytest.mark.parametrize("name", ["x.ogg", "x.mp3"])
def test_other_files_have_no_such_comments(name: str) -> None:
    content = mp3(5000) if name == "x.mp3" else encoded("OGG", "VORBIS", sound(5000, 1), RATE)
    assert header_of(content, name).flac == FlacComments()


def test_a_header_that_states_twice_the_frames_is_put_right() -> None:
    content = by_frontier_labs(FLAC, stated_frames=2 * RATE * 40)
    header = header_of(content, "x.flac")
    assert (header.frames, header.flags) == (RATE * 40, ("size_repaired",))
    expected, _ = soundfile.read(io.BytesIO(FLAC), dtype="float32", always_2d=True)
    with sndfile.opened(MEMORY, "x.flac", len(content)) as opened:
        for first, frames in ((RATE * 39, RATE), (RATE * 40 - 1, 1), (RATE * 17, RATE * 20)):
            np.testing.assert_array_equal(opened.read(first, frames), expected[first : first + frames])


# Everything that is put around the sound of an MP3 file, and the worst that happens to its last frame.
HEADS = st.sampled_from([b"", id3v2(2000), id3v2(70_000)])
TAILS = st.sampled_from([b"", ID3V1, APE_TAG, APE_TAG + ID3V1, bytes(900), bytes(5000), b"\xff\xfb"])
RATES = st.sampled_from([8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
MODES = st.sampled_from(["CONSTANT", "VARIABLE", "AVERAGE"])


@settings(deadline=None, max_examples=40)
@given(
    frames=st.integers(1, 150_000),
    rate=RATES,
    channels=st.sampled_from([1, 2]),
    mode=MODES,
    counted=st.booleans(),
    head=HEADS,
    tail=TAILS,
)
def test_an_mp3_file_has_the_frames_that_were_written(
    *, frames: int, rate: int, channels: int, mode: str, counted: bool, head: bytes, tail: bytes
) -> None:
    written = mp3(frames, rate, channels, mode)
    samples_a_frame = 1152 if rate >= 32_000 else 576
    expected = frames if counted else samples_a_frame * (len(frame_ends(written)) - 1)
    content = head + (written if counted else without_counts(written)) + tail
    header = header_of(content, "x.mp3")
    assert (header.encoding, header.sample_rate_hz, header.channels) == ("mp3", rate, channels)
    assert (header.frames, header.flags) == (expected, ())
    assert whole(content, "x.mp3", header.frames).shape == (expected, channels)


@settings(deadline=None, max_examples=30)
@given(
    frames=st.integers(20_000, 150_000),
    rate=RATES,
    channels=st.sampled_from([1, 2]),
    mode=MODES,
    counted=st.booleans(),
    share=st.floats(0.2, 0.999),
)
def test_a_cut_mp3_file_has_the_frames_up_to_the_cut(
    *, frames: int, rate: int, channels: int, mode: str, counted: bool, share: float
) -> None:
    written = mp3(frames, rate, channels, mode)
    content = written if counted else without_counts(written)
    content = content[: int(share * len(content))]
    samples = (1152 if rate >= 32_000 else 576) * len(frame_ends(content))
    if counted:  # the first frame is none
        samples = min(frames, samples - (1152 if rate >= 32_000 else 576) - LAME_DELAY - DECODER_DELAY)
    header = header_of(content, "x.mp3")
    assert header.frames == samples
    assert header.flags == (("truncated",) if counted and samples < frames else ())
    assert len(whole(content, "x.mp3", samples)) == samples


@pytest.mark.parametrize(("rate", "ratio"), [(16_000, 20), (48_000, 10)])
def test_frames_may_be_as_large_and_as_small_as_there_are(rate: int, ratio: int) -> None:
    large, small = (
        without_counts(encoded("MP3", "MPEG_LAYER_III", sound(10 * rate, 1, rate), rate, "CONSTANT", level))
        for level in (0, 0.999)
    )
    assert frame_ends(large)[0] == ratio * frame_ends(small)[0]
    for first, rest in ((large, small), (small, large)):
        content = first[: frame_ends(first)[0]] + rest
        samples = (1152 if rate >= 32_000 else 576) * (1 + len(frame_ends(rest)))
        assert header_of(content, "x.mp3").frames == samples
        assert len(whole(content, "x.mp3", samples)) == samples


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_spans_of_an_mp3_file_without_counts_are_right_up_to_the_last_one(rate: int, mode: str) -> None:
    written = mp3(12 * rate, rate, 2, mode)
    content = without_counts(written)
    frames = header_of(content, "x.mp3").frames
    # Counts let a decoder leave out what LAME put before the sound: apart from that the samples are the same.
    trusted, _ = soundfile.read(io.BytesIO(written), dtype="float32", always_2d=True)
    delay = LAME_DELAY + DECODER_DELAY
    with sndfile.opened(MEMORY, "x.mp3", len(content)) as opened:
        for first in (0, 5 * rate, 11 * rate, 12 * rate - 1000):
            samples = opened.read(first + delay, 1000)
            np.testing.assert_allclose(samples, trusted[first : first + 1000], rtol=0, atol=3e-7)
        assert len(opened.read(frames - 10, 10)) == 10
        assert len(opened.read(frames - 10, 20)) == 10


def test_an_mp3_file_with_counts_is_not_read_whole_and_one_without_them_once(store: Store) -> None:
    written = mp3(44_100 * 30, 44_100, 2, "CONSTANT")
    for content, at_most in ((written, 66_000), (without_counts(written), len(written) + 140_000)):
        store.folder.publish("x.mp3", content)
        store.ranges.clear()
        sndfile.read_header(store.folder, "x.mp3", len(content))
        assert sum(length for _, length in store.ranges) <= at_most


def test_storage_that_fails_while_frames_are_counted_is_not_taken_for_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sndfile, "_READ_AHEAD_BYTES", 1 << 17)
    content = without_counts(mp3(44_100 * 30, 44_100, 2, "CONSTANT"))
    store.folder.publish("x.mp3", content)
    sndfile.read_header(store.folder, "x.mp3", len(content))
    reads = len(store.ranges)
    assert reads > 4
    for steady in range(reads):
        store.reads_left[0] = steady
        with pytest.raises(TransientStorageError, match="connection lost"):
            sndfile.read_header(store.folder, "x.mp3", len(content))
    store.reads_left[0] = reads
    assert sndfile.read_header(store.folder, "x.mp3", len(content)).frames > 44_100 * 30


@pytest.mark.parametrize("counted", [True, False])
def test_the_remark_in_an_mp3_file_is_found_at_its_end(*, counted: bool) -> None:
    written = mp3(20_000)
    assert header_of((written if counted else without_counts(written)) + ID3V1, "x.mp3").comment == "by a recorder"


@pytest.mark.parametrize(
    ("first_frame", "end"),
    [
        (b"\xff\xfb\x90\x64" + bytes(32) + b"Info" + struct.pack(">3I", 15, 100, 41_700), 41_700),
        (b"\xff\xfa\x90\xc4" + bytes(17) + b"Xing" + struct.pack(">3I", 3, 100, 41_700), 41_700),
        (b"\xff\xf3\x90\x64" + bytes(17) + b"Xing" + struct.pack(">3I", 7, 100, 41_700), 41_700),
        (b"\xff\xe3\x48\xc4" + bytes(9) + b"Info" + struct.pack(">3I", 11, 100, 2400), 2400),
        (b"\xff\xe3\x48\xc4" + bytes(9) + b"Info" + struct.pack(">3I", 11, 100, 2399), None),
        (b"\xff\xfb\x90\x64" + bytes(17) + b"Info" + struct.pack(">3I", 15, 100, 41_700), None),
        (b"\xff\xfb\x90\x64" + bytes(32) + b"VBRI" + struct.pack(">3I", 15, 100, 41_700), None),
        (b"\xff\xfb\x90\x64" + bytes(32) + b"Info" + struct.pack(">3I", 1, 100, 41_700), None),
        (b"\xff\xfb\x90\x64" + bytes(32) + b"Info" + struct.pack(">3I", 2, 100, 41_700), None),
        (b"\xff\xfb\x90\x64" + bytes(32) + b"Info" + struct.pack(">3I", 15, 0, 41_700), None),
        (b"\xff\xfb\x90\x64" + bytes(31) + b"\1Info" + struct.pack(">3I", 15, 100, 41_700), None),
        (b"\xff\xfb\x90\x64" + bytes(32) + b"Info" + struct.pack(">2I", 15, 100), None),
        (b"\xff\xfd\x90\x64" + bytes(32) + b"Info" + struct.pack(">3I", 15, 100, 41_700), None),
        (b"", None),
    ],
)
@pytest.mark.parametrize(
    "tag", [b"", id3v2(0), id3v2(300), b"ID3\4\0\x10" + id3v2(300)[6:] + b"3DI\4\0\x10" + id3v2(300)[6:10]]
)
def test_where_an_mp3_file_says_that_it_ends(first_frame: bytes, end: int | None, tag: bytes) -> None:
    assert stated_end(tag + first_frame) == (None if end is None else len(tag) + end)


def test_counts_are_looked_for_in_the_first_frame_only() -> None:
    counts = b"\xff\xfb\x90\x64" + bytes(32) + b"Info" + struct.pack(">3I", 15, 100, 41_700)
    assert stated_end(b"\0" + counts) is None
    assert stated_end(id3v2(300) + b"\0" + counts) is None
    assert stated_end(id3v2(300)[:-1] + counts) is None
    assert stated_end(b"ID3\4\0\0") is None


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("rate", [8000, 22_050, 48_000])
def test_lame_counts_up_to_the_end_of_its_last_frame(rate: int, mode: str) -> None:
    content = mp3(2 * rate, rate, 2, mode)
    assert stated_end(content) == len(content)
    assert stated_end(id3v2(500) + content + ID3V1) == 510 + len(content)


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(["VORBIS", "OPUS"]),
    st.integers(1, 100_000),
    st.sampled_from([1, 2]),
    st.sampled_from([b"", ID3V1]),
)
def test_an_ogg_file_has_the_frames_that_were_written(subtype: str, frames: int, channels: int, tail: bytes) -> None:
    content = encoded("OGG", subtype, sound(frames, channels, 16_000), 16_000) + tail
    header = header_of(content, "x.ogg")
    assert (header.encoding, header.frames, header.flags) == ("ogg", frames, ())
    assert len(whole(content, "x.ogg", frames)) == frames


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(["VORBIS", "OPUS"]), st.integers(60_000, 300_000), st.floats(0.3, 1))
def test_a_cut_ogg_file_has_the_frames_up_to_its_last_whole_page(subtype: str, frames: int, share: float) -> None:
    content = encoded("OGG", subtype, sound(frames, 1, 16_000), 16_000)
    content = content[: int(share * len(content))]
    with soundfile.SoundFile(io.BytesIO(content)) as decoder:
        expected = sum(iter(lambda: len(decoder.read(1024, dtype="float32")), 0))
    assert expected <= frames
    if expected == 0:
        assert outcome(content, "x.ogg") == "no_audio"
    else:
        assert header_of(content, "x.ogg").frames == expected
        assert len(whole(content, "x.ogg", expected)) == expected


SOUNDS = {
    "x.flac": FLAC[:30_000],
    "x.mp3": without_counts(mp3(20_000)),
    "y.mp3": mp3(20_000),
    "x.ogg": encoded("OGG", "VORBIS", sound(20_000, 1), RATE),
}


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(SOUNDS)), st.integers(0, 2000), st.binary(min_size=1, max_size=20), st.integers(0, 30_000)
)
def test_any_bytes_give_a_header_or_a_reason(name: str, place: int, damage: bytes, length: int) -> None:
    content = SOUNDS[name][:length]
    content = content[:place] + damage + content[place + len(damage) :]
    assert outcome(content, name) in {"sound", "unreadable", "no_audio", "unknown_length"}


def test_a_file_without_bytes_is_empty() -> None:
    with pytest.raises(RecordingError, match="empty"):
        header_of(b"", "x.flac")
