"""Mels of the real part of a spectrum, as BirdNET takes them: cosine transform and mel matrix, by matrix product.

Re FFT(x)[k] = sum_n x[n] cos(2 pi k n / N). Samples n and N - n always share their cosine. So do n and N/2 - n, but
with another sign for odd k; so do, among even k, n and N/4 - n, but with another sign for k = 2 mod 4. Hence a frame is
folded three times, after which an odd bin needs half of what is left and an even one a quarter.

Sums are in float64, rounded to float32 at each bin as in TensorFlow: docs/design/0002 says why less will not do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.mels.arrays import Array32, Array64
from birddask.mels.compiled import fold, folded_samples

# Frames transformed together: OpenBLAS multiplies small matrices as they lie, larger ones only after packing them.
_FRAMES_AT_ONCE = 32


@dataclass(frozen=True)
class _Bins:
    """Bins of the spectrum that need the same part of a folded frame.

    Attributes:
        part: of the folded frame.
        place: among all bins that are used.
        cosines: float64 (part of the frame, bins).
    """

    part: slice
    place: slice
    cosines: Array64


@dataclass(frozen=True)
class RealPart:
    """A window and a mel matrix made ready.

    The lower mels, of few bins each, are made from bins; the upper ones, of many, from frames directly.

    Attributes:
        window: float32, at the samples that are folded.
        bins: those that the lower mels are made of.
        lower: float32 (bins, lower mels).
        upper: float64 (folded frame, upper mels).
    """

    hop_samples: int
    window: Array32
    bins: tuple[_Bins, ...]
    lower: Array32
    upper: Array64

    def mels(self, waveform: Array32) -> Array32:
        """Float32 (frame, mel) of all frames that lie inside a float32 waveform."""
        points = self.window.shape[1]
        frames = (len(waveform) - 8 * (points - 1)) // self.hop_samples + 1
        # Folding looks at the sample after a frame, too, with a weight of zero.
        forward = np.append(waveform, np.float32(0))
        backward = np.ascontiguousarray(forward[::-1])
        lower = self.lower.shape[1]
        mels = np.empty((frames, lower + self.upper.shape[1]), np.float32)
        for start in range(0, frames, _FRAMES_AT_ONCE):
            block = mels[start : start + _FRAMES_AT_ONCE]
            folded = np.empty((len(block), 4, points))
            skip = start * self.hop_samples
            fold(forward[skip:], backward[: len(backward) - skip], self.hop_samples, self.window, folded)
            flat = folded.reshape(len(block), -1)
            spectrum = np.empty((len(block), len(self.lower)))
            for bins in self.bins:
                np.matmul(flat[:, bins.part], bins.cosines, out=spectrum[:, bins.place])
            np.matmul(spectrum.astype(np.float32), self.lower, out=block[:, :lower])
            block[:, lower:] = flat @ self.upper
        return mels


def prepare_real_part(window: Array32, matrix: Array32, hop_samples: int) -> RealPart:
    """Make a window (n_fft,) and a mel matrix (n_fft / 2 + 1, mel) ready; n_fft is a multiple of 8."""
    n_fft = len(window)
    samples = folded_samples(n_fft)
    # A sample that is folded more than once gets a part of its weight each time; halves and quarters are exact.
    weights = np.append(window, np.float32(0))
    weights /= np.bincount(samples.ravel())
    points = samples.shape[1]
    parts = (slice(0, 2 * points), slice(2 * points, 3 * points), slice(3 * points, 4 * points))
    lower = min(range(matrix.shape[1] + 1), key=lambda lower: _multiplications(matrix, parts, lower))
    groups = _groups(matrix[:, :lower])
    ends = np.cumsum([len(group) for group in groups]).tolist()
    cosines = _cosines(n_fft)
    return RealPart(
        hop_samples=hop_samples,
        window=weights[samples],
        bins=tuple(
            _Bins(part, slice(end - len(group), end), np.ascontiguousarray(cosines[part, group]))
            for part, group, end in zip(parts, groups, ends, strict=True)
        ),
        lower=np.ascontiguousarray(matrix[np.concatenate(groups), :lower]),
        upper=cosines @ matrix[:, lower:].astype(np.float64),
    )


def _groups(matrix: Array32) -> tuple[NDArray[np.intp], ...]:
    """The bins that a mel matrix uses: odd ones, those that are 2 mod 4, multiples of 4."""
    used = np.flatnonzero(matrix.any(axis=1))
    return used[used % 2 == 1], used[used % 4 == 2], used[used % 4 == 0]


def _multiplications(matrix: Array32, parts: tuple[slice, ...], lower: int) -> int:
    """Of a frame, if that many mels are made from bins; float32 ones count half."""
    groups = _groups(matrix[:, :lower])
    to_bins = sum(len(group) * (part.stop - part.start) for group, part in zip(groups, parts, strict=True))
    to_lower_mels = sum(len(group) for group in groups) * lower // 2
    to_upper_mels = parts[-1].stop * (matrix.shape[1] - lower)
    return int(to_bins + to_lower_mels + to_upper_mels)


def _cosines(n_fft: int) -> Array64:
    """From folded frames to bins 0..n_fft/2; the product of sample and bin is reduced first, which keeps it exact."""
    n, bins = np.arange(n_fft // 8 + 1), np.arange(n_fft // 2 + 1)
    samples = np.concatenate([n, n_fft // 4 - n, n, n])
    part_of_sample = np.repeat([1, 1, 2, 0], len(n))
    part_of_bin = np.where(bins % 2 == 1, 1, bins % 4)
    cosines = np.cos(2 * np.pi / n_fft * (np.outer(samples, bins) % n_fft))
    result: Array64 = np.where(part_of_sample[:, np.newaxis] == part_of_bin, cosines, 0)
    return result
