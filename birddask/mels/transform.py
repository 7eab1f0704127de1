"""Waveforms to mels; pure, one clip at a time, so that a clip's mels depend on nothing but the clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.fingerprint import sha256_hex
from birddask.mels.axes import StoredArray
from birddask.mels.filterbank import axis_matrix
from birddask.mels.scaling import normalise, rescale
from birddask.mels.spec import ChannelSpec, MelSpec, Padded
from birddask.mels.windows import window_of

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
        waveform = normalise(self.spec.waveform, waveform)
        rate = self.spec.clip.sample_rate_hz
        return np.stack([_channel_mels(channel, waveform, rate) for channel in self._channels])


def prepare(spec: MelSpec, arrays: Arrays) -> FrontEnd:
    """Make the matrices of a spec once.

    Raises:
        ModelError: a stored array is missing, or is not the one that the spec means.
    """
    return FrontEnd(spec, tuple(_Channel(each, _projection(spec, each, arrays)) for each in spec.channels))


def filter_matrix(channel: ChannelSpec, sample_rate_hz: int, arrays: Arrays) -> Array32:
    """The matrix (n_fft / 2 + 1, bins) that turns a spectrum into the rows of a channel, the lowest first.

    Raises:
        ModelError: it is a stored array, and missing or not the one that the spec means.
    """
    if isinstance(channel.filterbank, StoredArray):
        return _stored(channel.filterbank, arrays, (channel.n_fft // 2 + 1, channel.bins))
    return axis_matrix(channel.filterbank, channel.n_fft, sample_rate_hz)


# Loading SciPy and Numba takes seconds and up to 100 MB each: only workers that need one pay for it.
def _projection(spec: MelSpec, channel: ChannelSpec, arrays: Arrays) -> _Projection:
    window: NDArray[np.floating]
    if isinstance(channel.window, StoredArray):
        window = _stored(channel.window, arrays, (channel.n_fft,))
    else:
        window = _in_frame(channel, window_of(channel.window, channel.window_length, channel.window_norm))
    matrix = filter_matrix(channel, spec.clip.sample_rate_hz, arrays)
    if channel.spectrum == "real":
        from birddask.mels.real_part import prepare_real_part  # noqa: PLC0415

        return prepare_real_part(window.astype(np.float32), matrix, channel.hop_samples)
    from birddask.mels.power import prepare_power  # noqa: PLC0415

    magnitude = channel.spectrum == "magnitude"
    return prepare_power(window.astype(np.float64), matrix, channel.hop_samples, magnitude=magnitude)


def _in_frame(channel: ChannelSpec, window: NDArray[np.float64]) -> NDArray[np.float64]:
    """A window with zeros up to (n_fft,): after it if frames are counted by the window, else on both sides."""
    zeros = channel.n_fft - len(window)
    before = 0 if isinstance(channel.framing, Padded) else zeros // 2
    return np.pad(window, (before, zeros - before))


def _stored(wanted: StoredArray, arrays: Arrays, shape: tuple[int, ...]) -> Array32:
    if wanted.array not in arrays:
        raise ModelError(f"front_end.npz lacks the array {wanted.array!r}")
    array = np.ascontiguousarray(arrays[wanted.array], "<f4")
    if array.shape != shape or sha256_hex(array.tobytes()) != wanted.sha256:
        raise ModelError(
            f"the array {wanted.array!r} of front_end.npz, {array.shape}, is not the one that the mel spec names"
        )
    return array


def _channel_mels(channel: _Channel, waveform: Array32, sample_rate_hz: int) -> Array32:
    spec = channel.spec
    mels = channel.projection.mels(_framed(spec, waveform))
    for scale in spec.scales:
        mels = rescale(scale, mels, sample_rate_hz / spec.hop_samples)
    if spec.crop:
        frames = slice(spec.crop.first_frame, spec.crop.first_frame + spec.crop.frames)
        mels = mels[frames, spec.crop.first_bin : spec.crop.first_bin + spec.crop.bins]
    return mels.T[::-1] if spec.highest_first else mels.T


def _framed(spec: ChannelSpec, waveform: Array32) -> Array32:
    """The waveform with what its first and last frames need around it, if anything."""
    if isinstance(spec.framing, Padded):
        # Frames are counted by the window; the transform of the last one looks further.
        beyond = spec.framing.end_samples + spec.n_fft - spec.window_length
        return np.pad(waveform, (spec.framing.front_samples, beyond))
    if spec.framing == "inside":
        return waveform
    return np.pad(waveform, spec.n_fft // 2, "constant" if spec.framing == "centre_zero" else "reflect")
