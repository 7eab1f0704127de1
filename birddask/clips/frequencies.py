"""What frequencies the bins of a spectrogram stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.job import Job
from birddask.mels.axes import StoredArray
from birddask.mels.spec import MelSpec
from birddask.mels.transform import Arrays, filter_matrix
from birddask.models.bundle import read_preset
from birddask.models.cache import find_bundle

Centres = NDArray[np.float64]
"""Float64 (mel,), in Hz, rising."""


def front_end_arrays(job: Job) -> Arrays:
    """The stored arrays of the job's model; none if the model is not here."""
    try:
        return read_preset(find_bundle(job.model, job.model_options)).front_end
    except ConfigError:
        return {}


def bin_centres(spec: MelSpec, arrays: Arrays) -> tuple[Centres | None, ...]:
    """Of each channel the centres of its bins: the mean frequency of each filter, weighted by the filter.

    None where the filters are stored in a bundle that is not here. A filter between two lines of the spectrum, which
    is empty, lies between its neighbours.
    """
    rate_hz = spec.clip.sample_rate_hz
    centres: list[Centres | None] = []
    for channel in spec.channels:
        if isinstance(channel.filterbank, StoredArray) and channel.filterbank.array not in arrays:
            centres.append(None)
            continue
        matrix = filter_matrix(channel, rate_hz, arrays).astype(np.float64)
        weights = matrix.sum(axis=0)
        full = np.flatnonzero(weights)
        lines_hz = np.arange(len(matrix)) * rate_hz / channel.n_fft
        means_hz = (lines_hz @ matrix[:, full]) / weights[full]
        kept = (
            np.arange(channel.bins) if channel.crop is None else channel.crop.first_bin + np.arange(channel.crop.bins)
        )
        centres.append(np.interp(kept, full, means_hz))
    return tuple(centres)
