"""Compressed recordings through libsndfile: FLAC, MP3, OGG (the only ``soundfile`` import)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from birddask.errors import RecordingError
from birddask.storage import Folder

# libsndfile's SF_COUNT_MAX, or near it, where a stream does not say how long it is.
_MOST_FRAMES = 1 << 48


@dataclass(frozen=True)
class SoundHeader:
    """What the header of a compressed file says."""

    encoding: str
    sample_rate_hz: int
    channels: int
    frames: int
    comment: str


def read_header(archive: Folder, key: str, size_bytes: int) -> SoundHeader:
    """The header of a compressed recording.

    Raises:
        RecordingError: ``empty``, ``unreadable`` (libsndfile refuses it) or ``no_audio``.
        FileNotFoundError: there is no such file.
    """
    if size_bytes == 0:
        raise RecordingError("empty", "the file has no bytes")
    with archive.open(key) as stream, opened(stream) as sound:
        if not 0 < sound.frames < _MOST_FRAMES:
            raise RecordingError("no_audio", f"the header promises {sound.frames} frames")
        return SoundHeader(
            encoding=sound.format.lower(),
            sample_rate_hz=sound.samplerate,
            channels=sound.channels,
            frames=sound.frames,
            comment=sound.comment,
        )


@contextlib.contextmanager
def opened(stream: BinaryIO) -> Iterator[soundfile.SoundFile]:
    """A decoder over a stream; what libsndfile refuses becomes a reason."""
    try:
        with soundfile.SoundFile(stream) as sound:
            yield sound
    except soundfile.LibsndfileError as error:
        raise RecordingError("unreadable", str(error)) from error


def read_frames(sound: soundfile.SoundFile, first_frame: int, frames: int) -> NDArray[np.float32]:
    """Samples as float32 (frames, channels) in [-1, 1], fewer where the stream ends early."""
    if sound.tell() != first_frame:
        sound.seek(first_frame)
    samples: NDArray[np.float32] = sound.read(frames, dtype="float32", always_2d=True)
    return samples
