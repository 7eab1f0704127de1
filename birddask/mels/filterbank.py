"""Matrices that turn a spectrum into a channel's rows, by formula; at the values of ``librosa`` and ``tf.signal``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from birddask.mels.arrays import Array64
from birddask.mels.axes import LinearAxis, MelFilterbank

# HTK: O'Shaughnessy, Speech Communication, 1987, as in The HTK Book: 2595 log10(1 + f / 700).
_HTK_FACTOR, _HTK_CORNER_HZ = 2595, 700
# Slaney, Auditory Toolbox, 1998: three mels in 200 Hz up to 1 kHz, from there on 27 mels in a factor of 6.4.
_HZ_PER_MEL = 200 / 3
_LOG_FROM_HZ = 1000.0
_LOG_FROM_MEL = _LOG_FROM_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27


def axis_matrix(axis: MelFilterbank | LinearAxis, n_fft: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """The matrix of a channel's axis, float32 (n_fft / 2 + 1, bins), the lowest bin first."""
    if isinstance(axis, MelFilterbank):
        return mel_matrix(axis, n_fft, sample_rate_hz)
    bins = axis.bins(n_fft, sample_rate_hz)
    return np.eye(n_fft // 2 + 1, len(bins), k=-bins.start, dtype=np.float32)


def mel_matrix(filterbank: MelFilterbank, n_fft: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """The matrix that turns a spectrum into mels, float32 (n_fft / 2 + 1, bins), the lowest mel first.

    A filter narrower than the distance of the transform's bins may be all zeros, as in librosa.
    """
    to_mel, to_hz = (_htk_mel, _htk_hz) if filterbank.scale == "htk" else (_slaney_mel, _slaney_hz)
    low, high = to_mel(np.array([filterbank.low_hz, filterbank.high_hz]))
    edges = np.linspace(low, high, filterbank.bins + 2, dtype=np.float64)
    edges_hz = to_hz(edges)
    points_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate_hz).astype(np.float64)
    in_mels = filterbank.triangles == "mel"
    weights = _triangles(edges, to_mel(points_hz)) if in_mels else _triangles(edges_hz, points_hz)
    if filterbank.norm == "slaney":
        weights *= 2 / (edges_hz[2:] - edges_hz[:-2])
    return weights


def _triangles(edges: Array64, points: Array64) -> NDArray[np.float32]:
    """(point, triangle), each from 0 at an edge over 1 at the next to 0 at the one after."""
    distances = np.subtract.outer(points, edges)
    widths = np.diff(edges)
    rising = distances[:, :-2] / widths[:-1]
    falling = -distances[:, 2:] / widths[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _htk_mel(hz: Array64) -> Array64:
    mel: Array64 = _HTK_FACTOR * np.log10(1 + hz / _HTK_CORNER_HZ)
    return mel


def _htk_hz(mel: Array64) -> Array64:
    hz: Array64 = _HTK_CORNER_HZ * (10 ** (mel / _HTK_FACTOR) - 1)
    return hz


def _slaney_mel(hz: Array64) -> Array64:
    logarithmic = _LOG_FROM_MEL + np.log(np.maximum(hz, _LOG_FROM_HZ) / _LOG_FROM_HZ) / _LOG_STEP
    return np.where(hz >= _LOG_FROM_HZ, logarithmic, hz / _HZ_PER_MEL)


def _slaney_hz(mel: Array64) -> Array64:
    logarithmic = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mel - _LOG_FROM_MEL))
    return np.where(mel >= _LOG_FROM_MEL, logarithmic, mel * _HZ_PER_MEL)
