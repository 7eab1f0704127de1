"""How the bins of a spectrum become the rows of a channel: documents of a mel spec."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from birddask.documents import document
from birddask.errors import ConfigError


@document
@dataclass(frozen=True)
class StoredArray:
    """An array of the bundle's ``front_end.npz``, for constants that no formula gives bit for bit.

    Attributes:
        array: its key in the file.
        sha256: of its bytes, little-endian, in C order.
    """

    array: str
    sha256: str


@document
@dataclass(frozen=True)
class MelFilterbank:
    """Triangular filters, evenly spaced in mels.

    Attributes:
        scale: ``htk`` is 2595 log10(1 + f/700); ``slaney`` is linear below 1 kHz and logarithmic above.
        norm: ``none``, or ``slaney`` for filters of equal area.
        bins: how many filters.
        low_hz: where the lowest filter begins.
        high_hz: where the highest filter ends.
        triangles: axis on which the flanks are straight: ``hertz`` in librosa and torchaudio, ``mel`` in TensorFlow.
    """

    scale: Literal["htk", "slaney"]
    norm: Literal["none", "slaney"]
    bins: int
    low_hz: float
    high_hz: float
    triangles: Literal["hertz", "mel"] = "hertz"

    def __post_init__(self) -> None:
        if self.bins < 1 or not 0 <= self.low_hz < self.high_hz:
            raise ConfigError(f"a filterbank of {self.bins} bins from {self.low_hz:g} to {self.high_hz:g} Hz is empty")


@document
@dataclass(frozen=True)
class LinearAxis:
    """The transform's own bins, from ``low_hz`` to ``high_hz``, both included.

    Attributes:
        low_hz: lowest frequency.
        high_hz: highest frequency.
    """

    kind: Literal["linear"]
    low_hz: float
    high_hz: float

    def __post_init__(self) -> None:
        if not 0 <= self.low_hz < self.high_hz:
            raise ConfigError(f"a linear axis from {self.low_hz:g} to {self.high_hz:g} Hz is empty")

    def bins(self, n_fft: int, sample_rate_hz: int) -> range:
        """Numbers of the transform's bins."""
        # An edge that is within a billionth of a bin is on it.
        first = math.ceil(self.low_hz * n_fft / sample_rate_hz - 1e-9)
        last = math.floor(self.high_hz * n_fft / sample_rate_hz + 1e-9)
        return range(first, last + 1)


Axis = MelFilterbank | LinearAxis | StoredArray


@document
@dataclass(frozen=True)
class Crop:
    """The part of a channel that is kept, counted from its lowest bin and its first frame.

    Attributes:
        first_bin: the lowest bin that is kept.
        bins: how many are.
        first_frame: the first frame that is kept.
        frames: how many are.
    """

    first_bin: int
    bins: int
    first_frame: int
    frames: int

    def __post_init__(self) -> None:
        if min(self.first_bin, self.first_frame) < 0 or min(self.bins, self.frames) < 1:
            raise ConfigError(
                f"a crop of {self.bins} bins from {self.first_bin} on and {self.frames} frames from "
                f"{self.first_frame} on keeps nothing, or begins before the channel does"
            )
