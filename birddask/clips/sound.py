"""The sound of a clip as a small file that browsers play: what the model heard, made louder."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from birddask.mels.spec import MelSpec
from birddask.mels.waveform import read_pieces
from birddask.plan import Stretch
from birddask.recordings.reader import require_unchanged
from birddask.recordings.recording import Recording
from birddask.storage import Folder

MEDIA_TYPE = "audio/ogg"

# Of full scale: a codec may overshoot.
_LOUDEST = 0.9
_QUALITY = 0.6  # from 0, the best, to 1
# Above these rates there is ultrasound, which loudspeakers can't play: ten times slower, as bat detectors do it.
_AUDIBLE_RATE_HZ = 96_000
_SLOWER = 10


@dataclass(frozen=True)
class Sound:
    """An Ogg Vorbis file.

    Attributes:
        slower: how many times slower it plays than it was recorded.
    """

    content: bytes
    slower: int


def clip_sound(archive: Folder, recording: Recording, number: int, spec: MelSpec) -> Sound:
    """The sound of the clip with this number in a recording, resampled as for the model.

    Raises:
        RecordingError: the recording can't be read, or was changed since it was scanned.
        FileNotFoundError: it is not there any more.
        StorageError, TransientStorageError: the archive can't be reached.
    """
    require_unchanged(archive, recording)
    (piece,) = read_pieces(archive, Stretch(recording, number, 1), spec)
    (sound,) = piece.sounds()
    return encoded(sound.waveform, spec.clip.sample_rate_hz)


def encoded(waveform: NDArray[np.float32], sample_rate_hz: int) -> Sound:
    """A waveform, float32 (samples,), as a file, as loud as it can be."""
    slower = _SLOWER if sample_rate_hz > _AUDIBLE_RATE_HZ else 1
    loudest = float(np.abs(waveform).max())
    louder = waveform * np.float32(_LOUDEST / loudest) if loudest else waveform
    stream = io.BytesIO()
    soundfile.write(
        stream, louder, sample_rate_hz // slower, format="OGG", subtype="VORBIS", compression_level=_QUALITY
    )
    return Sound(stream.getvalue(), slower)
