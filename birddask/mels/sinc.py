"""Resampling by a windowed sinc of a few zero crossings, as ``torchaudio.transforms.Resample`` does by default."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from birddask.mels.arrays import Array32

# Zero crossings on either side, and the end of the pass band in Nyquist frequencies: torchaudio's defaults.
_CROSSINGS = 6
_ROLLOFF = 0.99


def resample_sinc(samples: Array32, rate_hz: int, new_rate_hz: int) -> Array32:
    """Samples at another rate, float32 (ceil(samples * new rate / rate),); zeros are taken to be around them.

    Source: J. O. Smith, Digital Audio Resampling, with a Hann window over the zero crossings.
    """
    common = math.gcd(rate_hz, new_rate_hz)
    step, phases = rate_hz // common, new_rate_hz // common
    kernels = _kernels(step, phases)
    width = (kernels.shape[1] - step) // 2
    padded = np.pad(samples, (width, width + step))
    resampled = sliding_window_view(padded, kernels.shape[1])[::step] @ kernels.T
    return np.ascontiguousarray(resampled.reshape(-1)[: -(-len(samples) * phases // step)])


@functools.cache
def _kernels(step: int, phases: int) -> Array32:
    """One kernel (width + step + width,) for each of the new samples that take the place of ``step`` old ones."""
    pass_band = min(step, phases) * _ROLLOFF
    width = math.ceil(_CROSSINGS * step / pass_band)
    old_times = np.arange(-width, width + step) / step
    new_times = np.arange(phases) / phases
    crossings = np.clip(np.subtract.outer(-new_times, -old_times) * pass_band, -_CROSSINGS, _CROSSINGS)
    window = np.cos(crossings * np.pi / _CROSSINGS / 2) ** 2
    return np.asarray(np.sinc(crossings) * window * pass_band / step, np.float32)
