"""Mel matrices by formula (the only ``librosa`` import)."""

from __future__ import annotations

import librosa.filters
import numpy as np
from numpy.typing import NDArray

from birddask.mels.spec import MelFilterbank


def mel_matrix(filterbank: MelFilterbank, n_fft: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """The matrix (n_fft / 2 + 1, bins) that turns a spectrum into mels."""
    matrix: NDArray[np.float32] = librosa.filters.mel(
        sr=sample_rate_hz,
        n_fft=n_fft,
        n_mels=filterbank.bins,
        fmin=filterbank.low_hz,
        fmax=filterbank.high_hz,
        htk=filterbank.scale == "htk",
        norm=None if filterbank.norm == "none" else filterbank.norm,
        dtype=np.float32,
    ).T
    return np.ascontiguousarray(matrix)
