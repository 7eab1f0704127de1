from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from birddask.errors import RecordingError
from birddask.recordings.reader import open_samples
from birddask.recordings.recording import Recording
from birddask.recordings.riff import WavHeader, parse_wav
from birddask.recordings.triggered import Triggered, decode
from birddask.storage import Folder
from tests.support.sounds import chunk, fmt_chunk
from tests.support.triggered import HEADER_BYTES, TriggeredFile, encoded_block, header, triggered_file


def parsed(content: bytes) -> WavHeader:
    return parse_wav(lambda start, end: content[start:end], len(content))


def decoded(content: bytes) -> Triggered | None:
    """What the decoder says of a file of which it may read the samples, each of them once or twice."""
    head = parsed(content)
    left = 2 * head.data_bytes

    def read(start: int, end: int) -> bytes:
        nonlocal left
        left -= end - start
        assert head.data_offset_bytes <= start < end <= head.data_offset_bytes + head.data_bytes
        assert end - start <= 4 << 20
        assert left >= 0
        return content[start:end]

    return decode(read, head)


@dataclass(frozen=True)
class Recorded:
    """A triggered recording and how it came about."""

    file: TriggeredFile
    rate: int


@st.composite
def recordings(draw: st.DrawFn) -> Recorded:
    rate = draw(st.integers(1, 500_000) | st.sampled_from([8000, 48_000, 250_000, 384_000]))
    piece_bytes = draw(st.sampled_from([512, 1024, 4096, 32_768]))
    loud = draw(st.lists(st.booleans(), min_size=1, max_size=40 if piece_bytes < 4096 else 8))
    first_frames = (piece_bytes - HEADER_BYTES) // 2
    last_frames = draw(st.integers(1, piece_bytes // 2) | st.just(piece_bytes // 2))
    if len(loud) == 1:
        frames = min(last_frames, first_frames)
    else:
        frames = first_frames + (len(loud) - 2) * (piece_bytes // 2) + last_frames
    generator = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    sound = generator.integers(-32_768, 32_768, frames).astype(np.int16)
    sound[:: draw(st.integers(1, 7))] = 0
    guano = draw(st.sampled_from([b"", b"GUANO|Version:1.0", b"GUANO|Version:1.0\nMake:Open Acoustic Devices"]))
    # At a low rate the recording would be longer than a day.
    rate = max(rate, frames // 86_400 + 1)
    real_ends = draw(st.booleans())
    file = triggered_file(sound, loud, rate, real_ends=real_ends, piece_bytes=piece_bytes, guano=guano)
    return Recorded(file, rate)


@given(recordings(), st.data())
@settings(max_examples=200, deadline=None)
def test_what_was_recorded_is_read_in_real_time(recorded: Recorded, data: st.DataObject) -> None:
    content, heard = recorded.file.content, recorded.file.heard
    head, triggered = parsed(content), decoded(content)
    assert (triggered is None) == (recorded.file.encoded_blocks == 0)
    assert (triggered or head).frames == len(heard)
    recording = Recording(
        "x.WAV",
        len(content),
        "usable",
        container="wav",
        encoding="pcm_16",
        sample_rate_hz=recorded.rate,
        channels=1,
        frames=len(heard),
        data_offset_bytes=head.data_offset_bytes,
        segments=triggered.segments if triggered else None,
    )
    archive = Folder(f"memory://{uuid.uuid4().hex}")
    archive.publish("x.WAV", content)
    with open_samples(archive, recording) as read:
        np.testing.assert_array_equal(read(0, len(heard)) * 32_768, heard)
        for _ in range(5):
            first = data.draw(st.integers(0, len(heard)))
            frames = data.draw(st.integers(0, len(heard) - first))
            np.testing.assert_array_equal(read(first, frames) * 32_768, heard[first : first + frames])
    archive.remove("x.WAV")


@given(recordings(), st.integers(0, 2000), st.booleans())
@settings(max_examples=100, deadline=None)
def test_another_header_changes_nothing(recorded: Recorded, junk_bytes: int, list_after: bool) -> None:  # noqa: FBT001
    content = recorded.file.content
    head = parsed(content)
    stored = content[head.data_offset_bytes : head.data_offset_bytes + head.data_bytes]
    texts = chunk(b"LIST", b"INFO" + chunk(b"ICMT", head.comment.encode()))
    parts = [fmt_chunk(recorded.rate), chunk(b"junk", bytes(junk_bytes)), texts]
    parts.insert(3 if list_after else 2, chunk(b"data", stored))
    copy = b"RIFF\0\0\0\0WAVE" + b"".join(parts)
    if stored:
        assert decoded(copy) == decoded(content)


def expanded_slowly(data: bytes) -> NDArray[np.int16]:
    """The way that the recorder's makers describe it: piece by piece of 512 bytes, behind the first 24."""
    pieces = [data[:24]]
    for start in range(24, len(data), 512):
        piece = data[start : start + 512]
        values = struct.unpack(f"<{len(piece) // 2}h", piece[: len(piece) // 2 * 2])
        number = sum(1 << bit for bit, value in enumerate(values[:32]) if value == 1)
        if len(piece) == 512 and set(values[:32]) <= {-1, 1} and set(values[32:]) == {0} and number > 0:
            piece = bytes(512 * number)
        pieces.append(piece)
    expanded = b"".join(pieces)
    return np.frombuffer(expanded[: len(expanded) // 2 * 2], "<i2")


NUMBERS = st.integers(0, 40) | st.sampled_from([64, 1000])
BLOCKS = NUMBERS.map(encoded_block)
DAMAGED = st.tuples(BLOCKS, st.integers(0, 511), st.sampled_from([0, 1, 2, 255])).map(
    lambda drawn: drawn[0][: drawn[1]] + bytes([drawn[2]]) + drawn[0][drawn[1] + 1 :]
)
PIECES = BLOCKS | DAMAGED | st.just(bytes(512)) | st.binary(min_size=512, max_size=512) | st.binary(max_size=40)


@given(st.binary(min_size=24, max_size=24), st.lists(PIECES, max_size=12))
@settings(max_examples=500, deadline=None)
def test_any_samples_expand_as_described(start: bytes, pieces: list[bytes]) -> None:
    data = start + b"".join(pieces)
    content = header(48_000, len(data)) + data
    triggered = decoded(content)
    expected = expanded_slowly(data)
    stored = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
    if triggered is None:
        np.testing.assert_array_equal(stored, expected)
        return
    ours = np.zeros(triggered.frames, np.int16)
    end = 0
    for segment in triggered.segments:
        assert segment.frames > 0
        assert segment.first_frame >= end
        end = segment.first_frame + segment.frames
        ours[segment.first_frame : end] = stored[segment.file_frame : segment.file_frame + segment.frames]
    assert end <= triggered.frames
    np.testing.assert_array_equal(ours, expected)


HUGE = st.integers(0, (1 << 32) - 1) | st.sampled_from([(1 << 32) - 1, 1 << 31, 1 << 23])


@given(st.lists(HUGE, min_size=1, max_size=20), st.integers(1, 1_000_000))
@settings(max_examples=300, deadline=None)
def test_no_recording_is_longer_than_a_recorder_can_make_it(numbers: list[int], rate: int) -> None:
    data = bytes(24) + b"".join(encoded_block(number) for number in numbers)
    frames = 12 + 256 * sum(max(number, 1) for number in numbers)
    content = header(rate, len(data)) + data
    if not any(numbers):
        assert decoded(content) is None
    elif frames <= 1 << 31 and frames <= 86_400 * rate:
        triggered = decoded(content)
        assert triggered is not None
        assert triggered.frames == frames
    else:
        with pytest.raises(RecordingError, match="impossible_length"):
            decoded(content)
