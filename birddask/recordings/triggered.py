"""Triggered AudioMoth recordings: what they hold, and how long they are in real time.

Firmware from 1.4.0 on can leave out what triggers nothing. In its place stands one block of 512 bytes that says how
many blocks of silence it is: 32 samples of +1 or -1, the bits of the number from the lowest on, then 224 zeros.
Pure: bytes come from a function that reads a range, a piece at a time, so that memory does not grow with the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.errors import RecordingError
from birddask.recordings.recording import Segment
from birddask.recordings.riff import ReadRange, WavHeader

_BLOCK_FRAMES = 256
_NUMBER_FRAMES = 32
_FRAME_BYTES = 2
_PIECE_BLOCKS = (4 << 20) // (_BLOCK_FRAMES * _FRAME_BYTES)
# Blocks stand at multiples of 512 bytes of the recorder's file, so that one of them begins 24 bytes behind its header
# of 488; that distance stays where an editor wrote another header.
_RECORDERS_PHASE_FRAMES = 12
# A WAV file's size has 32 bits, and the recorder decides about 32 KiB at a time.
_MOST_FRAMES = (1 << 32) // _FRAME_BYTES
_MOST_BLOCKS = (1 << 32) // (1 << 15)
# Recordings end at midnight at the latest.
_LONGEST_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Triggered:
    """A recording from which silence was cut out.

    Attributes:
        frames: its length in real time.
        segments: what the file holds, in order; not more than 131,073, none if there was nothing but silence.
    """

    frames: int
    segments: tuple[Segment, ...]


def decode(read: ReadRange, header: WavHeader) -> Triggered | None:
    """What a recording holds, None where no silence was cut out: not triggered, triggered throughout, or expanded.

    All samples are read once; twice where an editor's header left no block in its place.

    Raises:
        RecordingError: ``impossible_length`` (more silence than a recording can have: 4 GiB, or 24 hours) or
            ``short_read`` (the file has become shorter).
    """
    if (header.encoding, header.channels) != ("pcm_16", 1):
        return None
    own_phase_frames = -header.data_offset_bytes // _FRAME_BYTES % _BLOCK_FRAMES
    for phase_frames in dict.fromkeys((own_phase_frames, _RECORDERS_PHASE_FRAMES)):
        places, numbers = _encoded_blocks(read, header, phase_frames)
        if len(places):
            return _expanded(header.frames, places, numbers)
    return None


def _encoded_blocks(
    read: ReadRange, header: WavHeader, phase_frames: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where encoded blocks begin, in frames behind the start of the samples, and how many blocks each stands for."""
    places, numbers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    frames, blocks = header.frames, 0
    most_frames = min(_MOST_FRAMES, _LONGEST_S * header.sample_rate_hz)
    for first in range(phase_frames, header.frames - _BLOCK_FRAMES + 1, _PIECE_BLOCKS * _BLOCK_FRAMES):
        found, number = _encoded_in(_read_blocks(read, header, first))
        places.append(first + found * _BLOCK_FRAMES)
        numbers.append(number)
        frames += int((number - 1).sum()) * _BLOCK_FRAMES
        blocks += len(found)
        if blocks and (frames > most_frames or blocks > _MOST_BLOCKS):
            raise RecordingError(
                "impossible_length",
                f"the first {blocks} blocks of silence make a recording of {frames / header.sample_rate_hz:.0f} s "
                f"and {frames * _FRAME_BYTES} bytes",
            )
    return np.concatenate(places), np.concatenate(numbers)


def _read_blocks(read: ReadRange, header: WavHeader, first: int) -> NDArray[np.int16]:
    """The blocks of one piece, int16 (blocks, 256)."""
    frames = min(_PIECE_BLOCKS, (header.frames - first) // _BLOCK_FRAMES) * _BLOCK_FRAMES
    start = header.data_offset_bytes + first * _FRAME_BYTES
    content = read(start, start + frames * _FRAME_BYTES)
    if len(content) < frames * _FRAME_BYTES:
        raise RecordingError("short_read", f"{len(content) // _FRAME_BYTES} of {frames} frames could be read")
    return np.frombuffer(content, "<i2").reshape(-1, _BLOCK_FRAMES)


def _encoded_in(blocks: NDArray[np.int16]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which blocks are encoded, and the numbers in them."""
    # Two samples rule out almost every block of sound; only the rest is looked at as a whole.
    found = np.flatnonzero((np.abs(blocks[:, 0]) == 1) & (blocks[:, _NUMBER_FRAMES] == 0))
    bits, silence = blocks[found, :_NUMBER_FRAMES], blocks[found, _NUMBER_FRAMES:]
    numbers = (bits > 0) @ (np.int64(1) << np.arange(_NUMBER_FRAMES))
    encoded = (np.abs(bits) == 1).all(axis=1) & ~silence.any(axis=1) & (numbers > 0)
    return found[encoded], numbers[encoded]


def _expanded(frames: int, places: NDArray[np.int64], numbers: NDArray[np.int64]) -> Triggered:
    """The runs of samples between the encoded blocks, moved to where they were in real time."""
    starts = np.append(0, places + _BLOCK_FRAMES)
    lengths = np.append(places, frames) - starts
    cut_out = np.append(0, np.cumsum((numbers - 1) * _BLOCK_FRAMES))
    held = lengths > 0
    runs = map(Segment, (starts + cut_out)[held].tolist(), starts[held].tolist(), lengths[held].tolist())
    return Triggered(frames + int(cut_out[-1]), tuple(runs))
