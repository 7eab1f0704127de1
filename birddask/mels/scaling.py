"""Waveforms normalised and mels scaled; pure, in float32."""

from __future__ import annotations

import numpy as np

from birddask.mels.arrays import Array32
from birddask.mels.scales import (
    Decibels,
    Gain,
    Log1p,
    NaturalLog,
    Pcen,
    Peak,
    PowerLaw,
    Scale,
    SquaredPower,
    Unscaled,
    Waveform,
)


def normalise(how: Waveform, waveform: Array32) -> Array32:
    """A clip's waveform, float32 (sample,), normalised; the same shape and type, and perhaps the same array."""
    if isinstance(how, Gain):
        return waveform * np.float32(how.factor)
    if isinstance(how, Peak):
        return _peak(how, waveform)
    if how == "as_is":
        return waveform
    scaled = _min_max(waveform)
    if how == "min_max_symmetric":
        scaled -= np.float32(0.5)
        scaled *= np.float32(2)
    return scaled


def _min_max(waveform: Array32) -> Array32:
    """BirdNET's scaling, in its own order of float32 operations; silence becomes 0."""
    scaled: Array32 = waveform - waveform.min()
    scaled /= scaled.max() + np.float32(1e-6)
    return scaled


def _peak(how: Peak, waveform: Array32) -> Array32:
    if how.subtract_mean:
        waveform = waveform - waveform.mean(dtype=np.float64).astype(np.float32)
    peak = np.abs(waveform).max()
    return waveform * (np.float32(how.level) / peak) if peak > 0 else waveform


def rescale(how: Scale, mels: Array32, frames_per_s: float) -> Array32:
    """A channel's mels scaled, float32 (frame, mel); perhaps the same array.

    Args:
        how: one scale.
        mels: float32 (frame, mel).
        frames_per_s: of the channel.
    """
    match how:
        case SquaredPower():
            scaled = (mels * mels) ** np.float32(how.exponent)
        case PowerLaw():
            scaled = mels ** np.float32(how.exponent)
        case Decibels():
            scaled = _decibels(how, mels)
        case NaturalLog():
            scaled = np.log(np.maximum(mels, np.float32(how.floor))) * np.float32(how.factor)
        case Log1p():
            scaled = np.log1p(mels * np.float32(how.factor)) + np.float32(how.offset)
        case Pcen():
            # Only workers that need SciPy's filters pay for them.
            from birddask.mels.pcen import normalise_energy  # noqa: PLC0415

            scaled = normalise_energy(how, mels.T, frames_per_s).T
        case Unscaled():
            scaled = mels
    return scaled


def _decibels(scale: Decibels, mels: Array32) -> Array32:
    floor = np.float32(scale.floor)
    reference = mels.max() if scale.reference == "max" else np.float32(scale.reference)
    levels: Array32 = np.maximum(mels, floor)
    np.log10(levels, out=levels)
    levels *= np.float32(10)
    levels -= np.float32(10) * np.log10(np.maximum(reference, floor))
    if scale.top_db is not None:
        np.maximum(levels, levels.max() - np.float32(scale.top_db), out=levels)
    return levels
