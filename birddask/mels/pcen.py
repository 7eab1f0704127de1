"""Per-channel energy normalisation, at librosa's values."""

from __future__ import annotations

import math

import numpy as np
import scipy.signal

from birddask.mels.arrays import Array32
from birddask.mels.scales import Pcen


def normalise_energy(pcen: Pcen, mels: Array32, frames_per_s: float) -> Array32:
    """PCEN of mels (mel, frame) that are not negative; in float64, rounded at the end.

    Source: Lostanlen et al., Per-channel energy normalization: why and how, 2019; the filter's coefficient is that at
    which its response falls to 1 / e after the time constant, as in ``librosa.pcen``.
    """
    constant = pcen.time_constant_s * frames_per_s
    coefficient = (math.sqrt(1 + 4 * constant**2) - 1) / (2 * constant**2)
    values = mels.astype(np.float64)
    # What the filter holds after a past of ones.
    held = np.full((len(values), 1), 1 - coefficient)
    past, _ = scipy.signal.lfilter([coefficient], [1, coefficient - 1], values, zi=held)
    # (epsilon + past) ** -gain, without overflow.
    smooth = np.exp(-pcen.gain * (math.log(pcen.epsilon) + np.log1p(past / pcen.epsilon)))
    # (x + bias) ** power - bias ** power, without cancellation.
    normalised = pcen.bias**pcen.power * np.expm1(pcen.power * np.log1p(values * smooth / pcen.bias))
    return np.asarray(normalised, np.float32)
