"""Waveforms to mels; pure, one clip at a time, so that a clip's mels depend on nothing but the clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.fingerprint import sha256_hex
from birddask.mels.spec import ChannelSpec, Decibels, MelSpec, SquaredPower, StoredArray

Array32 = NDArray[np.float32]
Arrays = Mapping[str, Array32]
"""The arrays of a bundle's ``front_end.npz``."""


class _Projection(Protocol):
    """Frames of a waveform onto mels, before any scaling."""

    def mels(self, waveform: Array32) -> Array32:
        """Float32 (frame, mel) of all frames inside the waveform."""
        ...


@dataclass(frozen=True)
class _Channel:
    spec: ChannelSpec
    projection: _Projection


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
    return FrontEnd(spec, tuple(_Channel(each, _projection(spec, each, arrays)) for each in spec.channels))


# Loading librosa, SciPy and Numba takes seconds and up to 100 MB each: only workers that need one pay for it.
def _projection(spec: MelSpec, channel: ChannelSpec, arrays: Arrays) -> _Projection:
    window: NDArray[np.floating]
    if isinstance(channel.window, StoredArray):
        window = _stored(channel.window, arrays, (channel.n_fft,))
    else:
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(channel.n_fft) / channel.n_fft)
    if isinstance(channel.filterbank, StoredArray):
        matrix = _stored(channel.filterbank, arrays, (channel.n_fft // 2 + 1, channel.bins))
    else:
        from birddask.mels.filterbank import mel_matrix  # noqa: PLC0415

        matrix = mel_matrix(channel.filterbank, channel.n_fft, spec.clip.sample_rate_hz)
    if channel.spectrum == "real":
        from birddask.mels.real_part import prepare_real_part  # noqa: PLC0415

        return prepare_real_part(window.astype(np.float32), matrix, channel.hop_samples)
    from birddask.mels.power import prepare_power  # noqa: PLC0415

    magnitude = channel.spectrum == "magnitude"
    return prepare_power(window.astype(np.float64), matrix, channel.hop_samples, magnitude=magnitude)


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
    scaled = _scale(spec, channel.projection.mels(waveform))
    return scaled.T[::-1] if spec.highest_first else scaled.T


def _scale(spec: ChannelSpec, mels: Array32) -> Array32:
    if isinstance(spec.scale, SquaredPower):
        return (mels * mels) ** np.float32(spec.scale.exponent)
    if isinstance(spec.scale, Decibels):
        return _decibels(spec.scale, mels)
    return mels


def _decibels(scale: Decibels, mels: Array32) -> Array32:
    floor = np.float32(scale.floor)
    reference = mels.max() if scale.reference == "max" else np.float32(scale.reference)
    levels = np.maximum(mels, floor)
    np.log10(levels, out=levels)
    levels *= np.float32(10)
    levels -= np.float32(10) * np.log10(np.maximum(reference, floor))
    if scale.top_db is not None:
        np.maximum(levels, levels.max() - np.float32(scale.top_db), out=levels)
    return levels
