"""Loops over frames that NumPy would take several passes for (the only ``numba`` import)."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from birddask.mels.arrays import Array32, Array64


def folded_samples(n_fft: int) -> NDArray[np.intp]:
    """The samples of a frame that are folded onto each other: (8, n_fft / 8 + 1); n_fft is the one after the frame."""
    n = np.arange(n_fft // 8 + 1)
    half, quarter = n_fft // 2, n_fft // 4
    return np.stack(
        [n, n_fft - n, half - n, half + n, quarter - n, 3 * quarter + n, quarter + n, 3 * quarter - n],
    )


@numba.njit(nogil=True)
def _pair(a: Array32, b: Array32, window_a: Array32, window_b: Array32, pair: Array64) -> None:
    for n in range(len(pair)):
        # Products rounded to float32, as TensorFlow does, their sum to float64.
        pair[n] = np.float64(a[n] * window_a[n]) + np.float64(b[n] * window_b[n])


@numba.njit(nogil=True)
def fold(waveform: Array32, backward: Array32, hop: int, window: Array32, folded: Array64) -> None:
    """Fold as many frames as ``folded`` has room for; see ``real_part`` for what that is good for.

    In NumPy, several passes over each frame take ten times as long as this one.

    Args:
        waveform: float32, from the first sample of the first frame on, one sample longer than the frames.
        backward: the same from end to beginning, so that all loops run forward through memory.
        hop: distance of frames in samples.
        window: float32, at ``folded_samples(n_fft)``.
        folded: float64 (frame, 4, n_fft / 8 + 1), for the results.
    """
    points = folded.shape[2]
    quarter = 2 * (points - 1)
    outer, inner, outer_back, inner_back = np.empty(points), np.empty(points), np.empty(points), np.empty(points)
    for frame in range(len(folded)):
        ahead = waveform[frame * hop :]
        # Sample s of the frame stands at back[4 * quarter - s].
        back = backward[len(backward) - 1 - frame * hop - 4 * quarter :]
        _pair(ahead, back, window[0], window[1], outer)
        _pair(back[2 * quarter :], ahead[2 * quarter :], window[2], window[3], inner)
        _pair(back[3 * quarter :], ahead[3 * quarter :], window[4], window[5], outer_back)
        _pair(ahead[quarter:], back[quarter:], window[6], window[7], inner_back)
        # One result a loop: more at a time are not vectorised.
        for n in range(points):
            folded[frame, 0, n] = outer[n] - inner[n]
        for n in range(points):
            folded[frame, 1, n] = outer_back[n] - inner_back[n]
        for n in range(points):
            folded[frame, 2, n] = (outer[n] + inner[n]) - (outer_back[n] + inner_back[n])
        for n in range(points):
            folded[frame, 3, n] = (outer[n] + inner[n]) + (outer_back[n] + inner_back[n])


@numba.njit(nogil=True)
def cut_frames(waveform: Array32, hop: int, window: Array32, frames: Array32) -> None:
    """Fill ``frames``, float32 (frame, n_fft), with frames of a waveform, each times the window (n_fft,)."""
    for frame in range(len(frames)):
        ahead = waveform[frame * hop :]
        for n in range(len(window)):
            frames[frame, n] = ahead[n] * window[n]


@numba.njit(nogil=True)
def squared(parts: NDArray[np.floating], power: NDArray[np.floating]) -> None:
    """Fill ``power``, (frame, bin), from a spectrum, (frame, 2 * bin): real and imaginary parts side by side."""
    for frame in range(len(power)):
        for k in range(power.shape[1]):
            real, imaginary = parts[frame, 2 * k], parts[frame, 2 * k + 1]
            power[frame, k] = real * real + imaginary * imaginary
