"""Compressed recordings through libsndfile: FLAC, MP3, OGG (the only ``soundfile`` import)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from birddask.errors import RecordingError
from birddask.storage import Folder

# libsndfile's SF_COUNT_MAX, or near it, where a stream does not say how long it is.
_MOST_FRAMES = 1 << 48
_READ_AHEAD_BYTES = 1 << 20
# A decoder that begins in the middle needs some of the stream before its samples are right: measured are up to 2,500
# frames, and the worst that MP3 allows (frames of 24 bytes that borrow from 255 bytes before them) are 15,000.
_RUN_IN_FRAMES = 1 << 14

_FLAC_PADDING, _FLAC_COMMENTS, _LAST_FLAC_BLOCK = 1, 4, 0x80


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
        RecordingError: ``empty``, ``unreadable`` (libsndfile refuses it), ``no_audio`` or ``unknown_length``.
        FileNotFoundError: there is no such file.
    """
    if size_bytes == 0:
        raise RecordingError("empty", "the file has no bytes")
    with opened(archive, key, size_bytes) as sound:
        header = sound.header
    if header.frames <= 0:
        raise RecordingError("no_audio", f"the header promises {header.frames} frames")
    if header.frames >= _MOST_FRAMES:
        raise RecordingError("unknown_length", "the header does not say how many frames follow")
    return header


@contextlib.contextmanager
def opened(archive: Folder, key: str, size_bytes: int) -> Iterator[Sound]:
    """A decoder over a file of ``size_bytes``.

    Raises:
        RecordingError: ``unreadable``; from reading too.
        FileNotFoundError: there is no such file.
    """
    stream = _Stream(archive, key, size_bytes)
    try:
        file = stream.decoder()
    except RecordingError:
        # libFLAC refuses a whole file for one byte too many behind its comments, as Frontier Labs' recorders write it.
        stream.hide_flac_comments()
        file = stream.decoder()
    with file:
        yield Sound(file, stream)


class Sound:
    """A compressed file that is open for decoding."""

    def __init__(self, file: soundfile.SoundFile, stream: _Stream) -> None:
        self._file = file
        self._stream = stream

    @property
    def header(self) -> SoundHeader:
        """What its header says, believed or not."""
        file = self._file
        return SoundHeader(file.format.lower(), file.samplerate, file.channels, file.frames, file.comment)

    def read(self, first_frame: int, frames: int) -> NDArray[np.float32]:
        """Samples as float32 (frames, channels) in [-1, 1], fewer where the stream ends early."""
        run_in = min(first_frame, _RUN_IN_FRAMES)
        with self._stream.refusals():
            self._file.seek(first_frame - run_in)
            samples: NDArray[np.float32] = self._file.read(run_in + frames, dtype="float32", always_2d=True)
        return samples[run_in:]


class _Stream:
    """A file as libsndfile reads it, by ranges and ahead.

    Nothing can be raised through libsndfile, which takes a failed read for the end of the file: the error is kept.
    """

    def __init__(self, archive: Folder, key: str, size_bytes: int) -> None:
        self._archive = archive
        self._key = key
        self._size_bytes = size_bytes
        self._position = 0
        self._start = 0
        self._content = b""
        self._comments_at: int | None = None
        self._error: Exception | None = None

    def decoder(self) -> soundfile.SoundFile:
        self._position = 0
        with self.refusals():
            return soundfile.SoundFile(self)

    def hide_flac_comments(self) -> None:
        """From now on the block of comments reads as padding."""
        self._position = 0
        self._comments_at = _flac_comments_at(self.read(_READ_AHEAD_BYTES))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, count: int) -> bytes:
        start, end = self._position, min(self._position + count, self._size_bytes)
        if start >= end or self._error:
            return b""
        if start < self._start or end > self._start + len(self._content):
            try:
                self._content = self._archive.read_range(self._key, start, max(end, start + _READ_AHEAD_BYTES))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again
                self._error = error
                return b""
            self._start = start
        wanted = self._content[start - self._start : end - self._start]
        self._position += len(wanted)
        if self._comments_at is not None and start <= self._comments_at < start + len(wanted):
            before, after = wanted[: self._comments_at - start], wanted[self._comments_at - start :]
            wanted = before + bytes([after[0] & _LAST_FLAC_BLOCK | _FLAC_PADDING]) + after[1:]
        return wanted

    @contextlib.contextmanager
    def refusals(self) -> Iterator[None]:
        """What libsndfile refuses becomes a reason, unless storage is to blame."""
        try:
            yield
        except soundfile.LibsndfileError as error:
            if self._error is None:
                raise RecordingError("unreadable", str(error)) from error
        if self._error:
            raise self._error


def _flac_comments_at(content: bytes) -> int | None:
    """The place of the byte that says that a block of a FLAC header holds comments."""
    position = 4 if content.startswith(b"fLaC") else len(content)
    while position + 4 <= len(content):
        kind = content[position]
        if kind & ~_LAST_FLAC_BLOCK == _FLAC_COMMENTS:
            return position
        if kind & _LAST_FLAC_BLOCK:
            break
        position += 4 + int.from_bytes(content[position + 1 : position + 4], "big")
    return None
