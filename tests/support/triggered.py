"""AudioMoth recordings for tests, byte by byte as the firmware lays them out and without the product's own code."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 488
SENTENCE = (
    "Recorded at 07:00:00 03/05/2025 (UTC) by AudioMoth 242A2604603691DD at medium gain while battery was 3.8V and "
    "temperature was 13.1C. Amplitude threshold was 512 with 1s minimum trigger duration."
)


@dataclass(frozen=True)
class TriggeredFile:
    """A file, and what it stands for.

    Attributes:
        heard: int16 (frames,) in real time, zeros where the recorder wrote none of what it heard.
        encoded_blocks: how many blocks of silence the file has.
    """

    content: bytes
    heard: NDArray[np.int16]
    encoded_blocks: int


def header(rate: int, data_bytes: int, following_bytes: int = 0) -> bytes:
    """The 488 bytes that firmware from 1.4.0 on writes."""
    riff_bytes = HEADER_BYTES - 8 + data_bytes + following_bytes
    return b"".join(
        [
            struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE"),
            struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16),
            struct.pack("<4sI4s", b"LIST", 436, b"INFO"),
            struct.pack("<4sI384s", b"ICMT", 384, SENTENCE.encode()),
            struct.pack("<4sI32s", b"IART", 32, b"AudioMoth 242A2604603691DD"),
            struct.pack("<4sI", b"data", data_bytes),
        ]
    )


def encoded_block(number: int) -> bytes:
    """The 512 bytes that stand for ``number`` blocks of silence."""
    bits = [1 if number >> bit & 1 else -1 for bit in range(32)]
    return struct.pack("<256h", *bits, *[0] * 224)


def triggered_file(
    sound: NDArray[np.int16],
    triggered: Sequence[bool],
    rate: int,
    *,
    real_ends: bool,
    piece_bytes: int = 32_768,
    guano: bytes = b"",
) -> TriggeredFile:
    """Record a sound as a triggered recorder does.

    Args:
        triggered: for each piece of ``piece_bytes``, of which the first begins with the header, if it is loud enough.
        real_ends: firmware 1.4, which keeps what it heard in a first or a last, short piece that triggered nothing;
            later firmware writes zeros there.
    """
    first_frames = (piece_bytes - HEADER_BYTES) // 2
    starts = [0, *range(first_frames, len(sound), piece_bytes // 2)]
    heard = np.zeros_like(sound)
    written: list[bytes] = []
    silent_blocks = encoded_blocks = 0
    for start, loud in zip(starts, triggered, strict=True):
        end = min(start + piece_bytes // 2, len(sound)) if start else min(first_frames, len(sound))
        if not loud and start and end - start == piece_bytes // 2:
            silent_blocks += piece_bytes // 512
            continue
        if loud or real_ends:
            heard[start:end] = sound[start:end]
        if silent_blocks:
            written.append(encoded_block(silent_blocks))
            silent_blocks, encoded_blocks = 0, encoded_blocks + 1
        written.append(heard[start:end].astype("<i2").tobytes())
    if silent_blocks:
        written.append(encoded_block(silent_blocks))
        encoded_blocks += 1
    data = b"".join(written)
    following = struct.pack("<4sI", b"guan", len(guano)) + guano if guano else b""
    content = header(rate, len(data), len(following)) + data + following
    return TriggeredFile(content, heard, encoded_blocks)
