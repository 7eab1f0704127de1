from __future__ import annotations

import io
import struct
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import numpy as np
import pytest
import soundfile
from fsspec.implementations.memory import MemoryFileSystem
from numpy.typing import NDArray

from birddask.errors import RecordingError, TransientStorageError
from birddask.recordings import sndfile
from birddask.recordings.reader import bytes_per_frame, decode_pcm, open_samples
from birddask.recordings.recording import Recording, Segment
from birddask.recordings.riff import parse_wav
from birddask.storage import Folder
from tests.support.sounds import chunk, fmt_chunk, wav_bytes
from tests.support.triggered import encoded_block

RATE = 16_000
SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]
# Extension, libsndfile's name of the encoding, rate, what a decoder's rounding may change.
COMPRESSED = [
    (".flac", "PCM_16", 22_050, 0),
    (".flac", "PCM_24", 44_100, 0),
    (".ogg", "VORBIS", 16_000, 0),
    (".ogg", "VORBIS", 44_100, 0),
    (".ogg", "OPUS", 16_000, 0),
    (".mp3", "MPEG_LAYER_III", 16_000, 3e-7),
    (".mp3", "MPEG_LAYER_III", 22_050, 3e-7),
    (".mp3", "MPEG_LAYER_III", 44_100, 3e-7),
]


def sweep(seconds: float, rate: int, channels: int = 1) -> NDArray[np.float64]:
    """A rising tone in noise, other in each channel."""
    phase = 2 * np.pi * np.cumsum(np.linspace(300, rate / 3, round(seconds * rate))) / rate
    noise = np.random.default_rng(3).normal(0, 0.1, (len(phase), channels))
    return np.asarray(0.3 * np.sin(phase)[:, None] * np.arange(1, channels + 1) / channels + noise)


def publish(folder: Folder, name: str, signal: NDArray[np.float64], rate: int, subtype: str) -> Recording:
    """Let libsndfile write a recording, and read its header."""
    file = io.BytesIO()
    container = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}[name[name.rindex(".") :]]
    channels = signal.shape[1]
    with soundfile.SoundFile(file, "w", rate, channels, format=container, subtype=subtype) as writer:
        for first in range(0, len(signal), rate):  # many samples at once are too much for its Vorbis encoder
            writer.write(signal[first : first + rate])
    return publish_bytes(folder, name, file.getvalue())


def publish_bytes(folder: Folder, name: str, content: bytes) -> Recording:
    folder.publish(name, content)
    header = parse_wav(lambda start, end: content[start:end], len(content)) if name.endswith(".wav") else None
    sound = header or sndfile.read_header(folder, name, len(content))
    return Recording(
        name,
        len(content),
        "usable",
        container="wav" if header else "sndfile",
        encoding=sound.encoding,
        sample_rate_hz=sound.sample_rate_hz,
        channels=sound.channels,
        frames=sound.frames,
        data_offset_bytes=header.data_offset_bytes if header else 0,
    )


def whole(folder: Folder, recording: Recording) -> NDArray[np.float32]:
    """All samples as libsndfile reads them at once, the mean of one or two channels."""
    content = io.BytesIO(folder.read(recording.path))
    samples, _ = soundfile.read(content, dtype="float32", always_2d=True)
    return np.asarray((samples[:, 0] + samples[:, -1]) / 2)


@pytest.fixture(params=["local", "memory"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path)) if request.param == "local" else Folder(f"memory://{uuid.uuid4().hex}")


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("channels", [1, 2])
def test_spans_of_a_wav_file_are_what_libsndfile_reads(archive: Folder, subtype: str, channels: int) -> None:
    recording = publish(archive, "x.wav", sweep(0.1, RATE, channels), RATE, subtype)
    expected = whole(archive, recording)
    with open_samples(archive, recording) as read:
        for first, frames in ((0, 1600), (0, 1), (1599, 1), (700, 33), (5, 900), (1600, 0)):
            samples = read(first, frames)
            assert samples.dtype == np.float32
            np.testing.assert_array_equal(samples, expected[first : first + frames])


@pytest.mark.parametrize(("extension", "subtype", "rate", "rounding"), COMPRESSED)
@pytest.mark.parametrize("channels", [1, 2])
def test_any_span_of_a_compressed_file_is_the_same_as_when_read_from_the_start(
    tmp_path: Path, extension: str, subtype: str, rate: int, rounding: float, channels: int
) -> None:
    archive = Folder(str(tmp_path))
    recording = publish(archive, f"x{extension}", sweep(10, rate, channels), rate, subtype)
    assert (recording.frames, recording.channels, recording.sample_rate_hz) == (10 * rate, channels, rate)
    expected = whole(archive, recording)
    generator = np.random.default_rng(0)
    frames = rate // 4
    starts = [0, frames, 10 * rate - frames, *generator.integers(0, 10 * rate - frames, 60).tolist()]
    with open_samples(archive, recording) as read:
        for first in starts:
            np.testing.assert_allclose(read(first, frames), expected[first : first + frames], rtol=0, atol=rounding)


@pytest.mark.parametrize("read_ahead_bytes", [1, 4096, 1 << 20])
def test_reading_ahead_does_not_change_the_samples(
    archive: Folder, monkeypatch: pytest.MonkeyPatch, read_ahead_bytes: int
) -> None:
    monkeypatch.setattr(sndfile, "_READ_AHEAD_BYTES", read_ahead_bytes)
    recording = publish(archive, "x.flac", sweep(3, RATE), RATE, "PCM_24")
    expected = whole(archive, recording)
    with open_samples(archive, recording) as read:
        for first in (40_000, 0, 20_000):
            np.testing.assert_array_equal(read(first, 8000), expected[first : first + 8000])


@pytest.mark.parametrize(
    ("encoding", "stored", "expected"),
    [
        ("pcm_u8", bytes([0, 127, 128, 255]), [-1, -1 / 128, 0, 127 / 128]),
        ("pcm_16", struct.pack("<4h", -32768, -1, 0, 32767), [-1, -(2.0**-15), 0, 1 - 2.0**-15]),
        ("pcm_24", b"\0\0\x80\xff\xff\xff\0\0\0\xff\xff\x7f", [-1, -(2.0**-23), 0, 1 - 2.0**-23]),
        ("pcm_32", struct.pack("<3i", -(2**31), -256, 2**30), [-1, -(2.0**-23), 0.5]),
        ("float_32", struct.pack("<3f", -1, 0.25, 1.5), [-1, 0.25, 1.5]),
        ("float_64", struct.pack("<3d", -1, 0.25, 1e300), [-1, 0.25, np.inf]),
    ],
)
def test_the_full_scale_of_every_encoding_is_one(encoding: str, stored: bytes, expected: list[float]) -> None:
    samples = decode_pcm(stored, encoding)
    assert samples.dtype == np.float32
    assert samples.tolist() == expected


@pytest.mark.parametrize(("subtype", "channels", "expected"), [("PCM_16", 1, 2), ("PCM_24", 2, 6), ("DOUBLE", 2, 16)])
def test_a_frame_takes_the_bytes_of_its_samples(tmp_path: Path, subtype: str, channels: int, expected: int) -> None:
    recording = publish(Folder(str(tmp_path)), "x.wav", sweep(0.1, RATE, channels), RATE, subtype)
    assert bytes_per_frame(recording) == expected


def test_a_repaired_size_is_read_to_the_end(tmp_path: Path) -> None:
    samples = np.arange(-500, 500, dtype="<i2")
    content = b"RIFF\0\0\0\0WAVE" + fmt_chunk(RATE) + b"data\0\0\0\0" + samples.tobytes()
    archive = Folder(str(tmp_path))
    recording = publish_bytes(archive, "x.wav", content + chunk(b"guan", b"GUANO|Version:1.0"))
    with open_samples(archive, recording) as read:
        np.testing.assert_array_equal(read(0, recording.frames) * 32768, samples)


@pytest.mark.parametrize(("name", "subtype"), [("x.wav", "PCM_16"), ("x.flac", "PCM_16"), ("x.ogg", "VORBIS")])
def test_a_file_that_shrank_after_the_scan_is_readable_up_to_where_it_ends(
    archive: Folder, name: str, subtype: str
) -> None:
    recording = publish(archive, name, sweep(20, RATE), RATE, subtype)
    expected = whole(archive, recording)
    content = archive.read(name)
    archive.publish(name, content[: len(content) // 2])
    reasons = set()
    with open_samples(archive, recording) as read:
        np.testing.assert_array_equal(read(2 * RATE, RATE), expected[2 * RATE : 3 * RATE])
        for first in (9 * RATE, 15 * RATE):
            with pytest.raises(RecordingError) as raised:
                read(first, 4 * RATE)
            reasons.add(raised.value.reason)
    assert reasons <= {"short_read", "unreadable"}


def test_missing_samples_of_a_wav_file_are_counted(tmp_path: Path) -> None:
    archive = Folder(str(tmp_path))
    recording = publish(archive, "x.wav", sweep(1, RATE, 2), RATE, "PCM_24")
    archive.publish("x.wav", archive.read("x.wav")[: recording.data_offset_bytes + 6 * 1000 + 5])
    with open_samples(archive, recording) as read:
        assert len(read(0, 1000)) == 1000
        with pytest.raises(RecordingError, match="short_read: 500 of 501 frames"):
            read(500, 501)
        with pytest.raises(RecordingError, match="short_read: 0 of 10 frames"):
            read(8000, 10)


@pytest.mark.parametrize(("name", "subtype"), [("x.wav", "PCM_16"), ("x.flac", "PCM_16"), ("x.mp3", "MPEG_LAYER_III")])
def test_a_file_that_went_away_is_told_apart_from_a_bad_one(archive: Folder, name: str, subtype: str) -> None:
    recording = publish(archive, name, sweep(1, RATE), RATE, subtype)
    archive.remove(name)
    with pytest.raises(FileNotFoundError), open_samples(archive, recording) as read:
        read(0, 10)


def test_damage_in_the_middle_is_a_reason_and_not_wrong_samples(tmp_path: Path) -> None:
    archive = Folder(str(tmp_path))
    recording = publish(archive, "x.flac", sweep(20, RATE), RATE, "PCM_16")
    expected = whole(archive, recording)
    content = bytearray(archive.read("x.flac"))
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    archive.publish("x.flac", bytes(content))
    with open_samples(archive, recording) as read:
        np.testing.assert_array_equal(read(0, RATE), expected[:RATE])
        with pytest.raises(RecordingError, match="unreadable"):
            read(9 * RATE, 2 * RATE)


@pytest.mark.parametrize(("name", "subtype"), [("x.flac", "PCM_24"), ("x.ogg", "VORBIS"), ("x.mp3", "MPEG_LAYER_III")])
def test_a_fault_of_storage_is_not_taken_for_a_bad_recording(
    unsteady: type[Unsteady], monkeypatch: pytest.MonkeyPatch, name: str, subtype: str
) -> None:
    monkeypatch.setattr(sndfile, "_READ_AHEAD_BYTES", 4096)
    archive = Folder("unsteady://archive")
    recording = publish(archive, name, sweep(10, 48_000), 48_000, subtype)
    with open_samples(archive, recording) as read:
        read(0, 1000)
        unsteady.steady = False
        with pytest.raises(TransientStorageError, match="connection lost"):
            read(8 * 48_000, 1000)
    with pytest.raises(TransientStorageError, match="connection lost"):
        sndfile.read_header(archive, name, recording.size_bytes)


class Unsteady(MemoryFileSystem):
    """A store whose connection can be cut."""

    protocol = "unsteady"
    steady = True

    def cat_file(self, *arguments: object, **options: object) -> bytes:
        if not self.steady:
            raise ConnectionResetError("connection lost")
        return bytes(super().cat_file(*arguments, **options))


@pytest.fixture
def unsteady() -> Iterator[type[Unsteady]]:
    fsspec.register_implementation("unsteady", Unsteady, clobber=True)
    yield Unsteady
    Unsteady.steady = True


# What a recorder heard in 40 frames, and what it wrote of it: two runs of samples, and blocks of silence between.
FIRST, SECOND = np.arange(1, 11, dtype="<i2"), np.arange(-10, 0, dtype="<i2")
STORED = FIRST.tobytes() + encoded_block(1) * 3 + SECOND.tobytes()
SEGMENTS = (Segment(0, 0, 10), Segment(25, 10 + 3 * 256, 10))
HEARD = np.concatenate([FIRST, np.zeros(15, "<i2"), SECOND, np.zeros(5, "<i2")])


def triggered(folder: Folder) -> Recording:
    recording = publish_bytes(folder, "x.wav", wav_bytes(np.frombuffer(STORED, "<i2"), RATE))
    return replace(recording, frames=40, segments=SEGMENTS)


def test_every_span_of_a_triggered_recording_is_in_real_time(archive: Folder) -> None:
    with open_samples(archive, triggered(archive)) as read:
        for first in range(41):
            for frames in range(41 - first):
                samples = read(first, frames)
                assert samples.dtype == np.float32
                np.testing.assert_array_equal(samples * 32_768, HEARD[first : first + frames])


@pytest.mark.parametrize(
    ("first", "frames", "expected"),
    [
        (0, 40, [(0, 10 + 3 * 256 + 10)]),
        (2, 3, [(2, 5)]),
        (5, 10, [(5, 10)]),
        (10, 15, []),
        (5, 20, [(5, 10)]),
        (10, 20, [(10 + 3 * 256, 15 + 3 * 256)]),
        (12, 4, []),
        (35, 5, []),
        (20, 10, [(10 + 3 * 256, 15 + 3 * 256)]),
        (9, 17, [(9, 11 + 3 * 256)]),
    ],
)
def test_only_what_lies_in_a_span_is_read(
    witness: type[Witness], first: int, frames: int, expected: list[tuple[int, int]]
) -> None:
    archive = Folder("witness://archive")
    recording = triggered(archive)
    with open_samples(archive, recording) as read:
        witness.ranges.clear()
        read(first, frames)
    start = recording.data_offset_bytes
    assert witness.ranges == [(start + 2 * begin, start + 2 * end) for begin, end in expected]


def test_a_recording_of_nothing_but_silence_is_zeros(archive: Folder) -> None:
    recording = publish_bytes(archive, "x.wav", wav_bytes(np.frombuffer(encoded_block(400), "<i2"), RATE))
    with open_samples(archive, replace(recording, frames=102_400, segments=())) as read:
        np.testing.assert_array_equal(read(0, 102_400), np.zeros(102_400))
        assert len(read(102_400, 0)) == 0


def test_missing_samples_of_a_triggered_file_are_counted(archive: Folder) -> None:
    recording = triggered(archive)
    content = archive.read("x.wav")
    archive.publish("x.wav", content[:-6])
    with open_samples(archive, recording) as read:
        np.testing.assert_array_equal(read(0, 32) * 32_768, HEARD[:32])
        with pytest.raises(RecordingError, match="short_read: 7 of 8 frames"):
            read(25, 8)


class Watched(tuple[Segment, ...]):  # noqa: SLOT001 - it counts
    """Segments that count how often one of them is looked at."""

    looks: ClassVar[int] = 0

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401 - a number or a slice
        Watched.looks += 1
        return super().__getitem__(place)

    def __iter__(self) -> Iterator[Segment]:
        Watched.looks += len(self)
        return super().__iter__()


def test_a_span_is_found_among_many_segments_without_a_look_at_each(archive: Folder) -> None:
    stored = np.arange(1, 100_001) % 30_000
    recording = publish_bytes(archive, "x.wav", wav_bytes(stored.astype(np.int16), RATE))
    segments = Watched(Segment(100 * number, number, 1) for number in range(100_000))
    with open_samples(archive, replace(recording, frames=10_000_000, segments=segments)) as read:
        for number in range(1000, 100_000, 9000):
            Watched.looks = 0
            assert (read(100 * number - 5, 10) * 32_768).tolist() == [0] * 5 + [stored[number]] + [0] * 4
            assert 0 < Watched.looks < 50


class Witness(MemoryFileSystem):
    """A store that remembers which ranges were read."""

    protocol = "witness"
    ranges: ClassVar[list[tuple[int, int]]] = []

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: object) -> bytes:
        self.ranges.append((start or 0, end or 0))
        return bytes(super().cat_file(path, start, end, **options))


@pytest.fixture
def witness() -> type[Witness]:
    fsspec.register_implementation("witness", Witness, clobber=True)
    return Witness
