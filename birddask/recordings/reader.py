"""Samples of a span of a recording: WAV by byte ranges, the rest through libsndfile."""

from __future__ import annotations

import contextlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birddask.errors import RecordingError
from birddask.recordings import sndfile
from birddask.recordings.recording import Recording, Segment
from birddask.storage import Folder

Samples = NDArray[np.float32]
"""One channel, float32 (frame,); in [-1, 1], but for what floating point formats hold beyond."""

ReadSpan = Callable[[int, int], Samples]
"""Samples from a first frame on, a number of frames; channels are averaged."""


@contextlib.contextmanager
def open_samples(archive: Folder, recording: Recording) -> Iterator[ReadSpan]:
    """A function that reads spans of a usable recording, in real time; no span may reach beyond its last frame.

    Where silence was cut out of a triggered recording there are zeros, and nothing is read.

    Raises:
        RecordingError: ``short_read`` (fewer samples than the scan found) or ``unreadable``; from the function too.
        FileNotFoundError: the file has gone since the scan.
    """
    if recording.container == "sndfile":
        with sndfile.opened(archive, recording.path, recording.size_bytes) as sound:
            yield lambda first, frames: _one_channel(_whole(sound.read(first, frames), frames))
    elif recording.segments is None:
        yield lambda first, frames: _read_wav(archive, recording, first, frames)
    else:
        segments = recording.segments
        yield lambda first, frames: _read_triggered(archive, recording, segments, first, frames)


def require_unchanged(archive: Folder, recording: Recording) -> None:
    """Raise RecordingError if the file is not the one that was scanned: its header may say something else now."""
    if recording.superseded:
        raise RecordingError("superseded", "the file was changed and scanned again under another row")
    size_bytes = archive.size_bytes(recording.path)
    if size_bytes != recording.size_bytes:
        raise RecordingError("changed", f"{size_bytes} bytes, {recording.size_bytes} when it was scanned")


def bytes_per_frame(recording: Recording) -> int:
    """Bytes that one frame takes in memory when it is read, before it becomes float32."""
    if recording.container == "sndfile":
        return 4 * recording.channels
    return _DTYPES[recording.encoding].itemsize * recording.channels


def _read_wav(archive: Folder, recording: Recording, first: int, frames: int) -> Samples:
    stride = bytes_per_frame(recording)
    start = recording.data_offset_bytes + first * stride
    content = archive.read_range(recording.path, start, start + frames * stride)
    whole = content[: len(content) // stride * stride]
    return _one_channel(_whole(decode_pcm(whole, recording.encoding).reshape(-1, recording.channels), frames))


def _read_triggered(
    archive: Folder, recording: Recording, segments: tuple[Segment, ...], first: int, frames: int
) -> Samples:
    span = np.zeros(frames, np.float32)
    nearest = bisect_right(segments, first, key=lambda segment: segment.first_frame + segment.frames)
    behind = bisect_left(segments, first + frames, key=lambda segment: segment.first_frame)
    held = segments[nearest:behind]
    if not held:
        return span
    # In the file the segments follow each other with a block of 512 bytes between them: one read is enough.
    start = held[0].file_frame + max(first - held[0].first_frame, 0)
    end = held[-1].file_frame + min(first + frames - held[-1].first_frame, held[-1].frames)
    stored = _read_wav(archive, recording, start, end - start)
    for segment in held:
        begin = max(segment.first_frame, first)
        end = min(segment.first_frame + segment.frames, first + frames)
        place = segment.file_frame + begin - segment.first_frame - start
        span[begin - first : end - first] = stored[place : place + end - begin]
    return span


def _whole(samples: Samples, frames: int) -> Samples:
    if len(samples) != frames:
        raise RecordingError("short_read", f"{len(samples)} of {frames} frames could be read")
    return samples


def _one_channel(samples: Samples) -> Samples:
    if samples.shape[1] == 1:
        return samples[:, 0]
    mixed: Samples = samples.mean(axis=1, dtype=np.float32)
    return mixed


_DTYPES: dict[str, np.dtype[Any]] = {
    "pcm_u8": np.dtype("u1"),
    "pcm_16": np.dtype("<i2"),
    "pcm_24": np.dtype("V3"),
    "pcm_32": np.dtype("<i4"),
    "float_32": np.dtype("<f4"),
    "float_64": np.dtype("<f8"),
}


def decode_pcm(content: bytes, encoding: str) -> Samples:
    """Interleaved little-endian samples as float32 (sample,), scaled as libsndfile does: by 2 to the bits less one."""
    if encoding == "pcm_24":
        widened = np.zeros((len(content) // 3, 4), np.uint8)
        widened[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        return _scaled(widened.view("<i4")[:, 0], 31)
    stored = np.frombuffer(content, _DTYPES[encoding])
    if encoding == "pcm_u8":
        return _scaled(stored.astype(np.int16) - 128, 7)
    if encoding in ("pcm_16", "pcm_32"):
        return _scaled(stored, 15 if encoding == "pcm_16" else 31)
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 can't hold is found in the mels
        return stored.astype(np.float32)


def _scaled(integers: NDArray[np.signedinteger], bits: int) -> Samples:
    return integers.astype(np.float32) * np.float32(2.0**-bits)
