"""Compressed recordings through libsndfile: FLAC, MP3, OGG (the only ``soundfile`` import)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import soundfile
from numpy.typing import NDArray

from birddask.errors import RecordingError
from birddask.recordings.flac_comments import (
    HEAD_BYTES,
    FlacComments,
    parse_flac_comments,
    read_sensor,
    recorded_frames,
    without_comments,
)
from birddask.recordings.mp3 import stated_end
from birddask.storage import Folder

# libsndfile's SF_COUNT_MAX, or near it, where a stream does not say how long it is.
_MOST_FRAMES = 1 << 48
_READ_AHEAD_BYTES = 1 << 20
# A decoder that begins in the middle needs some of the stream before its samples are right: measured are up to 2,500
# frames, and the worst that MP3 allows (frames of 24 bytes that borrow from 255 bytes before them) are 15,000.
_RUN_IN_FRAMES = 1 << 14
# A decoder that fails in a piece gives none of it: the end of what is right is found with pieces that become smaller.
_PIECES_OF_FRAMES = (1 << 16, 1 << 8, 1)
# The largest frame of an MP3 file has up to 20 times the bytes of the smallest one (160 and 8 kbit/s), and so much may
# a length be wrong that is guessed from the first frame.
_LONGER = 32
# The place of MP3's ID3v1 tag.
_END_BYTES = 128


@dataclass(frozen=True)
class SoundHeader:
    """What a compressed file is.

    Attributes:
        encoding: ``flac``, ``mp3`` or ``ogg``.
        frames: samples per channel.
        comment: a remark, as libsndfile finds it.
        flac: all the comments of a FLAC file, empty for others.
        flags: ``truncated`` or ``size_repaired`` if the file states more frames than it has.
    """

    encoding: str
    sample_rate_hz: int
    channels: int
    frames: int
    comment: str
    flac: FlacComments
    flags: tuple[str, ...] = ()


def read_header(archive: Folder, key: str, size_bytes: int) -> SoundHeader:
    """The header of a compressed recording, with the number of frames that can be read.

    An MP3 file whose first frame does not say how many follow, or that ends before them, is decoded once.

    Raises:
        RecordingError: ``empty``, ``unreadable`` (libsndfile refuses it), ``no_audio`` or ``unknown_length``.
        FileNotFoundError: there is no such file.
    """
    if size_bytes == 0:
        raise RecordingError("empty", "the file has no bytes")
    with opened(archive, key, size_bytes) as sound:
        header, end = sound.header, sound.stated_end
    if header.frames <= 0:
        raise RecordingError("no_audio", f"the header promises {header.frames} frames")
    if header.frames >= _MOST_FRAMES:
        raise RecordingError("unknown_length", "the header does not say how many frames follow")
    if header.encoding != "mp3":
        frames = recorded_frames(read_sensor(header.flac), header.frames, header.sample_rate_hz)
        return replace(header, frames=frames, flags=("size_repaired",) if frames < header.frames else ())
    if end is not None and end <= size_bytes:
        return header
    frames = _decodable_frames(archive, key, size_bytes)
    if frames == 0:
        raise RecordingError("no_audio", "none of the frames can be decoded")
    return replace(header, frames=frames, flags=("truncated",) if end is not None and frames < header.frames else ())


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
    if file.format == "MP3" and stated_end(stream.head) is None:
        file.close()
        stream.pretend_longer()
        file = stream.decoder()
    with file:
        yield Sound(file, stream)


class Sound:
    """A compressed file that is open for decoding."""

    def __init__(self, file: _Decoder, stream: _Stream) -> None:
        self._file = file
        self._stream = stream

    @property
    def header(self) -> SoundHeader:
        """What its header says, believed or not."""
        file = self._file
        comments = parse_flac_comments(self._stream.head)
        return SoundHeader(file.format.lower(), file.samplerate, file.channels, file.frames, file.comment, comments)

    @property
    def stated_end(self) -> int | None:
        """Where the last frame of an MP3 file ends, None if the file does not say how many it has."""
        return stated_end(self._stream.head)

    def read(self, first_frame: int, frames: int) -> NDArray[np.float32]:
        """Samples as float32 (frames, channels) in [-1, 1], fewer where the stream ends early."""
        run_in = min(first_frame, _RUN_IN_FRAMES)
        with self._stream.refusals():
            self._file.seek(first_frame - run_in)
            samples: NDArray[np.float32] = self._file.read(run_in + frames, dtype="float32", always_2d=True)
        return samples[run_in:]

    def pieces(self, first_frame: int, frames: int) -> Iterator[int]:
        """The lengths of pieces of so many frames, the last one shorter, from the first frame to the end."""
        with self._stream.refusals():
            self._file.seek(first_frame)
            while length := len(self._file.read(frames, dtype="float32")):
                yield length


def _decodable_frames(archive: Folder, key: str, size_bytes: int) -> int:
    """How many frames there are up to where the file ends or the decoder refuses to go on."""
    frames = 0
    for piece in _PIECES_OF_FRAMES:
        # After a refusal a decoder is of no more use.
        with opened(archive, key, size_bytes) as sound, contextlib.suppress(RecordingError):
            for length in sound.pieces(frames, piece):
                frames += length
            break
    return frames


class _Decoder(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A file of libsndfile's that stays where it is after reading.

    ``soundfile`` goes there once more: a search through a FLAC file, which fails at the end of one that states more.
    """

    def seekable(self) -> bool:
        """Say no, so that it does not."""
        return False


class _Stream:
    """A file as libsndfile reads it, by ranges and ahead.

    Nothing can be raised through libsndfile, which takes a failed read for the end of the file: the error is kept.

    Attributes:
        head: the first bytes of the file, as they are.
    """

    def __init__(self, archive: Folder, key: str, size_bytes: int) -> None:
        self._archive = archive
        self._key = key
        self._size_bytes = size_bytes
        self.head = archive.read_range(key, 0, min(HEAD_BYTES, size_bytes))
        self._shown_head = self.head
        self._pretended_bytes = 0
        self._position = 0
        self._start = 0
        self._content = b""
        self._error: Exception | None = None

    def decoder(self) -> _Decoder:
        self._position = 0
        with self.refusals():
            return _Decoder(self)

    def hide_flac_comments(self) -> None:
        """From now on the block of comments reads as padding."""
        self._shown_head = without_comments(self.head)

    def pretend_longer(self) -> None:
        """From now on the file seems to be longer, with a hole before its last bytes where nothing can be read.

        Where an MP3 file does not say how many frames it has, libsndfile guesses them from its size and that of the
        first frame, and reads no further even if others follow.
        """
        self._pretended_bytes = (_LONGER - 1) * self._size_bytes

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        end = self._size_bytes + self._pretended_bytes
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: end}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, count: int) -> bytes:
        start = self._position
        if start >= self._size_bytes + self._pretended_bytes - _END_BYTES:
            start -= self._pretended_bytes
        end = min(start + count, self._size_bytes)
        if not 0 <= start < end or self._error:
            return b""
        content = self._shown_head[start:end] + self._behind_head(max(start, len(self.head)), end)
        self._position += len(content)
        return content

    def _behind_head(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        if start < self._start or end > self._start + len(self._content):
            try:
                self._content = self._archive.read_range(self._key, start, max(end, start + _READ_AHEAD_BYTES))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again
                self._error = error
                return b""
            self._start = start
        return self._content[start - self._start : end - self._start]

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
