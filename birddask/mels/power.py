"""Mels of a power or magnitude spectrum by FFT, at librosa's values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from birddask.mels.arrays import Array32
from birddask.mels.compiled import cut_frames, squared

# Frames transformed together: what they need stays in a core's cache.
_FRAMES_AT_ONCE = 128
# Mels multiplied together: enough for the product, few enough to skip most of the matrix's zeros.
_MELS_AT_ONCE = 16
# Weakest power, against the mean of a frame's bins, that a float32 transform gives within 1e-3 dB. Its error is less
# than 1e-6 of their root mean square, in any bin, and so 1e-4 of a bin of this power.
_FAINT = 1e-4


@dataclass(frozen=True)
class _Band:
    """Neighbouring mels with the bins that they are made of; ``matrix`` is float32 (bins, mels)."""

    mels: slice
    bins: slice
    matrix: Array32


@dataclass(frozen=True)
class PowerSpectrum:
    """A window and a mel matrix made ready.

    Attributes:
        magnitude: mels are made of the spectrum's magnitude, else of its power.
        window: float64 (n_fft,).
        window_32: the same in float32.
        bands: all mels, in order.
        average: float32 (bin,): what takes the mean over bins.
        faintest: float32 (mel,): the smallest mel of a frame with a mean power of 1 that float32 gives well enough.
    """

    hop_samples: int
    magnitude: bool
    window: NDArray[np.float64]
    window_32: Array32
    bands: tuple[_Band, ...]
    average: Array32
    faintest: Array32

    def mels(self, waveform: Array32) -> Array32:
        """Float32 (frame, mel) of all frames that lie inside a float32 waveform."""
        n_fft = len(self.window)
        count = (len(waveform) - n_fft) // self.hop_samples + 1
        mels = np.empty((count, len(self.faintest)), np.float32)
        mean = np.empty(count, np.float32)
        frames = np.empty((min(count, _FRAMES_AT_ONCE), n_fft), np.float32)
        for start in range(0, count, _FRAMES_AT_ONCE):
            own = slice(start, start + _FRAMES_AT_ONCE)
            some = frames[: count - start]
            cut_frames(waveform[start * self.hop_samples :], self.hop_samples, self.window_32, some)
            mean[own] = self._transform(some, mels[own])
        faint = np.flatnonzero((mels < np.outer(mean, self.faintest)).any(axis=1))
        within = np.arange(n_fft)
        for start in range(0, len(faint), _FRAMES_AT_ONCE):
            again = faint[start : start + _FRAMES_AT_ONCE]
            exact = np.empty((len(again), mels.shape[1]), np.float32)
            self._transform(waveform[again[:, np.newaxis] * self.hop_samples + within] * self.window, exact)
            mels[again] = exact
        return mels

    def _transform(self, windowed: NDArray[np.floating], mels: Array32) -> Array32:
        """Write the mels of windowed frames, computed in their precision; root mean power or mean power, (frame,)."""
        spectrum = scipy.fft.rfft(windowed, overwrite_x=True)
        power = np.empty(spectrum.shape, windowed.dtype)
        squared(spectrum.view(windowed.dtype), power)
        # A product with a vector of equal numbers is several times as fast as mean().
        mean: Array32 = power.astype(np.float32, copy=False) @ self.average
        if self.magnitude:
            np.sqrt(power, out=power)
            np.sqrt(mean, out=mean)
        kept = power.astype(np.float32, copy=False)
        for band in self.bands:
            np.matmul(kept[:, band.bins], band.matrix, out=mels[:, band.mels])
        return mean


def prepare_power(window: NDArray[np.float64], matrix: Array32, hop_samples: int, *, magnitude: bool) -> PowerSpectrum:
    """Make a window (n_fft,) and a mel matrix (n_fft / 2 + 1, mel) ready."""
    return PowerSpectrum(
        hop_samples=hop_samples,
        magnitude=magnitude,
        window=window,
        window_32=window.astype(np.float32),
        bands=tuple(
            _band(matrix, slice(first, first + _MELS_AT_ONCE)) for first in range(0, matrix.shape[1], _MELS_AT_ONCE)
        ),
        average=np.full(len(matrix), 1 / len(matrix), np.float32),
        faintest=matrix.sum(axis=0) * np.float32(np.sqrt(_FAINT) if magnitude else _FAINT),
    )


def _band(matrix: Array32, mels: slice) -> _Band:
    used = np.flatnonzero(matrix[:, mels].any(axis=1))
    bins = slice(used[0], used[-1] + 1) if len(used) else slice(0, 1)
    return _Band(mels, bins, np.ascontiguousarray(matrix[bins, mels]))
