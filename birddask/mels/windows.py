"""Windows by formula."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from birddask.mels.arrays import Array64

# A window is sum_k (-1)^k a_k cos(2 pi k n / N), which is periodic with N, the window's length. The coefficients of
# flattop are those of D'Antona and Ferrero, Digital Signal Processing for Measurement Systems, 2006.
_COEFFICIENTS: Mapping[str, tuple[float, ...]] = {
    "hann": (0.5, 0.5),
    "hann_symmetric": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}


def window_of(shape: str, samples: int, norm: str) -> Array64:
    """A window, float64 (samples,); for ``shape`` and ``norm`` see ``ChannelSpec``."""
    period = samples - 1 if shape == "hann_symmetric" else samples
    phase = 2 * np.pi * np.arange(samples) / period
    window: Array64 = np.zeros(samples)
    for k, coefficient in enumerate(_COEFFICIENTS[shape]):
        window += (-1) ** k * coefficient * np.cos(k * phase)
    return window / window.sum() if norm == "sum" else window
