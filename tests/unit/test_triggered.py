from __future__ import annotations

import hashlib
import itertools
import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from birddask.errors import RecordingError
from birddask.recordings.reader import open_samples
from birddask.recordings.recording import Recording, Segment
from birddask.recordings.riff import WavHeader, parse_wav
from birddask.recordings.triggered import Triggered, decode
from birddask.storage import Folder
from tests.support.sounds import chunk, fmt_chunk, noise
from tests.support.triggered import encoded_block, header, triggered_file

RATE = 48_000
BLOCK = noise(256 / RATE, RATE).tobytes()
PLAIN = BLOCK[:24]  # up to the first multiple of 512 behind a header of 488 bytes


def decoded(content: bytes) -> Triggered | None:
    return decode(lambda start, end: content[start:end], parsed(content))


def parsed(content: bytes) -> WavHeader:
    return parse_wav(lambda start, end: content[start:end], len(content))


def recorded(*pieces: bytes, rate: int = RATE) -> bytes:
    data = b"".join(pieces)
    return header(rate, len(data)) + data


def from_512(*pieces: bytes, rate: int = RATE) -> bytes:
    """A file whose samples begin at byte 512."""
    data = b"".join(pieces)
    start = b"RIFF\0\0\0\0WAVE" + fmt_chunk(rate)
    return start + chunk(b"junk", bytes(512 - len(start) - 16)) + struct.pack("<4sI", b"data", len(data)) + data


def virtual_header(frames: int, rate: int = RATE) -> WavHeader:
    return WavHeader("pcm_16", rate, 1, frames, 488, 2 * frames, (), "", "", "", b"", original_layout=True)


@pytest.mark.parametrize("name", ["21_twav_two_events", "23_twav_no_trigger_at_all", "24_twav_everything_triggered"])
def test_a_triggered_recording_is_expanded_as_the_makers_of_the_recorder_do(shared: Path, name: str) -> None:
    truths = json.loads((shared / "faults/triggered_truth.json").read_text())
    ((path, truth),) = [item for item in truths.items() if item[0].startswith(name)]
    content = (shared / "faults" / path).read_bytes()
    head, triggered = parsed(content), decoded(content)
    assert (triggered is None) == (name == "24_twav_everything_triggered")
    recording = Recording(
        path,
        len(content),
        "usable",
        container="wav",
        encoding=head.encoding,
        sample_rate_hz=head.sample_rate_hz,
        channels=head.channels,
        frames=triggered.frames if triggered else head.frames,
        data_offset_bytes=head.data_offset_bytes,
        segments=triggered.segments if triggered else None,
    )
    assert recording.frames == truth["expanded_samples"]
    with open_samples(Folder(str(shared / "faults")), recording) as read:
        whole = read(0, recording.frames)
        parts = [read(first, 30_000) for first in range(0, recording.frames, 30_000)]
    expanded = (whole * 32_768).astype("<i2")
    assert hashlib.sha256(expanded.tobytes()).hexdigest() == truth["sha256_expanded_pcm"]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_segments_of_a_real_layout_are_where_its_pieces_triggered(shared: Path) -> None:
    content = next((shared / "faults/21_twav_two_events").iterdir()).read_bytes()
    # Pieces of 16,384 frames, the first with a header of 244 less; 3 to 6 and 20 to 21 triggered, the last is short.
    assert decoded(content) == Triggered(
        480_000,
        (
            Segment(0, 0, 16_384 - 244),
            Segment(3 * 16_384 - 244, 16_140 + 256, 4 * 16_384),
            Segment(20 * 16_384 - 244, 16_140 + 256 + 65_536 + 256, 2 * 16_384),
            Segment(29 * 16_384 - 244, 16_140 + 256 + 65_536 + 256 + 32_768 + 256, 480_000 - 29 * 16_384 + 244),
        ),
    )


def test_a_block_that_claims_more_than_a_recording_can_have_costs_neither_memory_nor_time(shared: Path) -> None:
    content = next((shared / "faults/26_twav_absurd_block_count").iterdir()).read_bytes()
    head = parsed(content)
    tracemalloc.start()
    with pytest.raises(RecordingError) as raised:
        decode(lambda start, end: content[start:end], head)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert raised.value.reason == "impossible_length"
    assert peak_bytes < 1 << 20


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (recorded(PLAIN, BLOCK, BLOCK), None),
        (recorded(), None),
        (recorded(PLAIN[:10]), None),
        (recorded(PLAIN, encoded_block(3)), Triggered(12 + 768, (Segment(0, 0, 12),))),
        (
            recorded(PLAIN, encoded_block(3), BLOCK),
            Triggered(12 + 768 + 256, (Segment(0, 0, 12), Segment(780, 268, 256))),
        ),
        (
            recorded(PLAIN, BLOCK, encoded_block(2), encoded_block(5), BLOCK[:100]),
            Triggered(268 + 512 + 1280 + 50, (Segment(0, 0, 268), Segment(268 + 1792, 268 + 512, 50))),
        ),
        (
            recorded(PLAIN, BLOCK, encoded_block(64), BLOCK[:2]),
            Triggered(268 + 64 * 256 + 1, (Segment(0, 0, 268), Segment(268 + 16_384, 524, 1))),
        ),
        (recorded(PLAIN, encoded_block(0), BLOCK), None),
        (recorded(PLAIN, encoded_block(7)[:-2]), None),
        (from_512(encoded_block(1)), Triggered(256, ())),
        (from_512(encoded_block(7)), Triggered(7 * 256, ())),
        (from_512(encoded_block(7), encoded_block(1)), Triggered(8 * 256, ())),
        (from_512(encoded_block(7), BLOCK[:2]), Triggered(7 * 256 + 1, (Segment(7 * 256, 256, 1),))),
    ],
    ids=[
        "plain",
        "empty",
        "shorter than a block",
        "block at the end",
        "block in the middle",
        "neighbours",
        "a frame behind a block",
        "block of no length",
        "block that was cut",
        "a block that stands for itself",
        "one block only",
        "two blocks only",
        "block at the start",
    ],
)
def test_what_the_file_holds_moves_to_where_it_was_in_real_time(content: bytes, expected: Triggered | None) -> None:
    assert decoded(content) == expected


@pytest.mark.parametrize("place", [0, 31, 32, 33, 255])
@pytest.mark.parametrize("value", [-32_768, -2, 2, 257])
def test_a_block_with_any_other_value_is_sound(place: int, value: int) -> None:
    block = bytearray(encoded_block(0x80000003))
    block[2 * place : 2 * place + 2] = struct.pack("<h", value)
    assert decoded(recorded(PLAIN, BLOCK, bytes(block), BLOCK)) is None


@pytest.mark.parametrize("shift", [2, 24, 510])
def test_a_block_that_is_not_in_its_place_is_sound(shift: int) -> None:
    assert decoded(recorded(PLAIN, BLOCK, BLOCK[:shift], encoded_block(64), BLOCK)) is None


@pytest.mark.parametrize("before", [b"", chunk(b"junk", bytes(4321)), chunk(b"bext", bytes(602)), b"odd \1\0\0\0x"])
@pytest.mark.parametrize("after", [b"", chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"Recorded at"))])
def test_a_copy_with_another_header_is_read_as_the_original(before: bytes, after: bytes) -> None:
    data = PLAIN + BLOCK * 3 + encoded_block(640) + BLOCK + encoded_block(64)
    copy = b"RIFF\0\0\0\0WAVE" + before + fmt_chunk(RATE) + chunk(b"data", data) + after
    expected = Triggered(
        12 + 3 * 256 + 640 * 256 + 256 + 64 * 256, (Segment(0, 0, 780), Segment(780 + 640 * 256, 780 + 256, 256))
    )
    assert decoded(copy) == decoded(recorded(data)) == expected


@pytest.mark.parametrize(
    ("channels", "bits", "tag"), [(2, 16, 1), (1, 8, 1), (1, 24, 1), (1, 32, 1), (1, 32, 3)], ids=str
)
def test_only_what_a_recorder_writes_is_triggered(channels: int, bits: int, tag: int) -> None:
    data = PLAIN + encoded_block(64) + BLOCK
    content = b"RIFF\0\0\0\0WAVE" + fmt_chunk(RATE, channels, bits, tag) + chunk(b"data", data)
    assert decoded(content) is None


@pytest.mark.parametrize(
    ("rate", "number", "possible"),
    [
        (384_000, 1 << 23, True),  # 4 GiB in blocks of 512 bytes
        (384_000, (1 << 23) + 1, False),
        (48_000, 1 << 23, True),
        (8_000, 24 * 3600 * 8_000 // 256, True),
        (8_000, 24 * 3600 * 8_000 // 256 + 1, False),
        (384_000, (1 << 32) - 1, False),
        (384_000, 1 << 31, False),
    ],
)
def test_a_recording_is_as_long_as_a_day_and_a_file_at_most(rate: int, number: int, possible: bool) -> None:  # noqa: FBT001
    for blocks in ([encoded_block(number)], [encoded_block(number - number // 3), encoded_block(number // 3)]):
        content = from_512(*blocks, rate=rate)
        if possible:
            assert decoded(content) == Triggered(number * 256, ())
        else:
            with pytest.raises(RecordingError) as raised:
                decoded(content)
            assert raised.value.reason == "impossible_length"


def test_one_frame_more_than_a_file_can_have_is_too_much() -> None:
    with pytest.raises(RecordingError, match="impossible_length"):
        decoded(from_512(encoded_block(1 << 23), BLOCK[:2]))


def test_more_silence_than_a_recording_can_have_is_told_in_seconds_and_bytes() -> None:
    number = 24 * 3600 * 8_000 // 256 + 1
    with pytest.raises(RecordingError) as raised:
        decoded(from_512(encoded_block(number), rate=8_000))
    assert str(raised.value) == (
        "impossible_length: the first 1 blocks of silence make a recording of 86400 s and 1382400512 bytes"
    )


@pytest.mark.parametrize("data", [b"", PLAIN, PLAIN + BLOCK[:-2], BLOCK[:-2]])
def test_nothing_is_read_where_no_block_has_room(data: bytes) -> None:
    def read(start: int, end: int) -> bytes:
        raise AssertionError(f"read from {start} to {end}")

    assert decode(read, parsed(recorded(data))) is None


@pytest.mark.parametrize(("blocks", "possible"), [(1 << 17, True), ((1 << 17) + 1, False)])
def test_there_are_not_more_blocks_than_a_recorder_can_write(blocks: int, possible: bool) -> None:  # noqa: FBT001
    block = encoded_block(1)
    head = virtual_header(12 + 256 * blocks)

    def read(start: int, end: int) -> bytes:
        return block * ((end - start) // 512)

    if possible:
        assert decode(read, head) == Triggered(head.frames, (Segment(0, 0, 12),))
    else:
        with pytest.raises(RecordingError, match="impossible_length"):
            decode(read, head)


def test_a_file_of_4_gib_is_read_once_in_small_pieces() -> None:
    head = virtual_header((1 << 31) - 244 - 64 * 256)
    last = encoded_block(64)
    almost = encoded_block(64)[:-2] + b"\1\0"
    sound = (BLOCK + almost) * 4096
    ranges: list[tuple[int, int]] = []

    def read(start: int, end: int) -> bytes:
        ranges.append((start, end))
        return last if end - start == 512 else sound[: end - start]

    head_of_whole_pieces = virtual_header(12 + 256 * (8192 * 1023 + 1))
    tracemalloc.start()
    assert decode(read, head) is None
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak_bytes < 16 << 20
    assert max(end - start for start, end in ranges) == 4 << 20
    assert ranges[0][0] == 512
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ranges))
    assert 488 + head.data_bytes - ranges[-1][1] < 512
    assert decode(read, head_of_whole_pieces) == Triggered(
        head_of_whole_pieces.frames + 63 * 256, (Segment(0, 0, head_of_whole_pieces.frames - 256),)
    )


def test_a_file_that_became_shorter_is_told() -> None:
    content = recorded(PLAIN, BLOCK, encoded_block(64), BLOCK)
    with pytest.raises(RecordingError) as raised:
        decode(lambda start, end: content[start:end][:700], parsed(content))
    assert raised.value.reason == "short_read"
    assert str(raised.value) == "short_read: 350 of 768 frames could be read"


@pytest.mark.parametrize("real_ends", [True, False], ids=["firmware 1.4", "firmware 1.5"])
def test_the_ends_of_a_recording_that_triggered_nothing_are_as_the_firmware_wrote_them(real_ends: bool) -> None:  # noqa: FBT001
    sound = np.arange(1, 60_001, dtype=np.int16)
    file = triggered_file(sound, [False, False, False, False], 8000, real_ends=real_ends)
    triggered = decoded(file.content)
    assert triggered == Triggered(60_000, (Segment(0, 0, 16_140), Segment(48_908, 16_396, 60_000 - 48_908)))
    stored = np.frombuffer(file.content[488:], "<i2")
    for segment in triggered.segments:
        ours = stored[segment.file_frame : segment.file_frame + segment.frames]
        heard = sound[segment.first_frame : segment.first_frame + segment.frames]
        assert (ours == heard).all() == real_ends
        assert ours.any() == real_ends
