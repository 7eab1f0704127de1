"""Waveforms to mels; pure, one clip at a time, so that a clip's mels depend on nothing but the clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.fingerprint import sha256_hex
from birddask.mels.spec import ChannelSpec, Decibels, MelSpec, SquaredPower, StoredArray

Array32 = NDArray[np.float32]
Arrays = Mapping[str, Array32]
"""The arrays of a bundle's ``front_end.npz``."""

# Frames transformed together: about a megabyte, which stays in a core's cache.
_FRAMES_AT_ONCE = 128


@dataclass(frozen=True)
class _Channel:
    spec: ChannelSpec
    window: NDArray[np.floating]
    """float32 for ``real``, where products are rounded as TensorFlow does; else float64, as in librosa."""
    matrix: NDArray[np.floating]
    """(n_fft / 2 + 1, bins): from a power spectrum, or for ``real`` from a folded frame, in float64."""


@dataclass(frozen=True)
class FrontEnd:
    """A mel spec with its matrices made."""

    spec: MelSpec
    _channels: tuple[_Channel, ...]

    def mels(self, waveform: Array32) -> Array32:
        """The mels of one clip.

        Args:
            waveform: float32 (clip length,), nominally in [-1, 1], at the rate of the clip rule.

        Returns:
            float32 (channel, mel, frame).
        """
        if self.spec.waveform == "min_max_symmetric":
            waveform = _min_max_symmetric(waveform)
        return np.stack([_channel_mels(channel, waveform) for channel in self._channels])


def prepare(spec: MelSpec, arrays: Arrays) -> FrontEnd:
    """Make the matrices of a spec once.

    Raises:
        ModelError: a stored array is missing, or is not the one that the spec means.
    """
    return FrontEnd(spec, tuple(_prepare_channel(spec, each, arrays) for each in spec.channels))


def _prepare_channel(spec: MelSpec, channel: ChannelSpec, arrays: Arrays) -> _Channel:
    window: NDArray[np.floating]
    if isinstance(channel.window, StoredArray):
        window = _stored(channel.window, arrays, (channel.n_fft,))
    else:
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(channel.n_fft) / channel.n_fft)
    matrix: NDArray[np.floating]
    if isinstance(channel.filterbank, StoredArray):
        matrix = _stored(channel.filterbank, arrays, (channel.n_fft // 2 + 1, channel.bins))
    else:
        # Loading librosa takes a second and 100 MB: only workers that need a formula pay for it.
        from birddask.mels.filterbank import mel_matrix  # noqa: PLC0415

        matrix = mel_matrix(channel.filterbank, channel.n_fft, spec.clip.sample_rate_hz)
    if channel.spectrum == "real":
        matrix = _folded_cosines(channel.n_fft) @ matrix.astype(np.float64)
        return _Channel(channel, window.astype(np.float32), matrix)
    return _Channel(channel, window.astype(np.float64), matrix)


def _stored(wanted: StoredArray, arrays: Arrays, shape: tuple[int, ...]) -> Array32:
    if wanted.array not in arrays:
        raise ModelError(f"front_end.npz lacks the array {wanted.array!r}")
    array = np.ascontiguousarray(arrays[wanted.array], "<f4")
    if array.shape != shape or sha256_hex(array.tobytes()) != wanted.sha256:
        raise ModelError(
            f"the array {wanted.array!r} of front_end.npz, {array.shape}, is not the one that the mel spec names"
        )
    return array


def _min_max_symmetric(waveform: Array32) -> Array32:
    """BirdNET's scaling, in its own order of float32 operations; silence becomes -1."""
    scaled: Array32 = waveform - waveform.min()
    scaled /= scaled.max() + np.float32(1e-6)
    scaled -= np.float32(0.5)
    scaled *= np.float32(2)
    return scaled


def _channel_mels(channel: _Channel, waveform: Array32) -> Array32:
    spec = channel.spec
    if spec.framing != "inside":
        half = spec.n_fft // 2
        waveform = np.pad(waveform, half, "constant" if spec.framing == "centre_zero" else "reflect")
    frames = sliding_window_view(waveform, spec.n_fft)[:: spec.hop_samples]
    mels = np.empty((len(frames), spec.bins), np.float32)
    project = _project_real if spec.spectrum == "real" else _project_spectrum
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        rows = slice(start, start + _FRAMES_AT_ONCE)
        mels[rows] = project(channel, frames[rows] * channel.window)
    scaled = _scale(channel.spec, mels)
    return scaled.T[::-1] if spec.highest_first else scaled.T


def _project_spectrum(channel: _Channel, windowed: NDArray[np.floating]) -> NDArray[np.floating]:
    spectrum = np.fft.rfft(windowed)
    power = spectrum.real**2 + spectrum.imag**2
    kept = np.sqrt(power) if channel.spec.spectrum == "magnitude" else power
    return kept.astype(np.float32) @ channel.matrix


def _project_real(channel: _Channel, windowed: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mels of the real part of the spectrum, as one matrix product.

    Re FFT(x)[k] = sum_n x[n] cos(2 pi k n / N), and cos is even, so samples n and N - n are added first: half the
    multiplications. The products frame * window are rounded to float32, as TensorFlow does, and then summed in
    float64: on silent and padded clips BirdNET's compression blows up anything less to 0.4 logits.
    """
    half = channel.spec.n_fft // 2
    folded = np.empty((len(windowed), half + 1))
    folded[:, 0], folded[:, half] = windowed[:, 0], windowed[:, half]
    np.add(windowed[:, 1:half], windowed[:, :half:-1], out=folded[:, 1:half], dtype=np.float64)
    return folded @ channel.matrix


def _folded_cosines(n_fft: int) -> NDArray[np.float64]:
    """cos(2 pi k n / n_fft) for n and k in 0..n_fft/2; the product k * n is reduced first, which keeps it exact."""
    index = np.arange(n_fft // 2 + 1)
    cosines: NDArray[np.float64] = np.cos(2 * np.pi / n_fft * (np.outer(index, index) % n_fft))
    return cosines


def _scale(spec: ChannelSpec, mels: Array32) -> Array32:
    if isinstance(spec.scale, SquaredPower):
        return (mels * mels) ** np.float32(spec.scale.exponent)
    if isinstance(spec.scale, Decibels):
        return _decibels(spec.scale, mels)
    return mels


def _decibels(scale: Decibels, mels: Array32) -> Array32:
    floor = np.float32(scale.floor)
    reference = mels.max() if scale.reference == "max" else np.float32(scale.reference)
    levels = np.float32(10) * np.log10(np.maximum(mels, floor))
    levels -= np.float32(10) * np.log10(np.maximum(reference, floor))
    if scale.top_db is not None:
        levels = np.maximum(levels, levels.max() - np.float32(scale.top_db))
    result: Array32 = levels
    return result
