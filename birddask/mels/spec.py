"""What a model eats, to the last detail that changes a number: the contract between stores and models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from birddask.documents import differences, document, to_mapping
from birddask.errors import ConfigError
from birddask.fingerprint import fingerprint
from birddask.plan import ClipRule

NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
"""What names that become part of a path are made of."""

# Float32 holds no smaller power in full precision.
_SMALLEST_FLOOR = 1e-37


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
    """A mel matrix as ``librosa.filters.mel`` defines it.

    Attributes:
        scale: ``htk`` is 2595 log10(1 + f/700); ``slaney`` is linear below 1 kHz and logarithmic above.
        norm: ``none``, or ``slaney`` for filters of equal area.
    """

    scale: Literal["htk", "slaney"]
    norm: Literal["none", "slaney"]
    bins: int
    low_hz: float
    high_hz: float

    def __post_init__(self) -> None:
        if self.bins < 1 or not 0 <= self.low_hz < self.high_hz:
            raise ConfigError(f"a filterbank of {self.bins} bins from {self.low_hz:g} to {self.high_hz:g} Hz is empty")


@document
@dataclass(frozen=True)
class SquaredPower:
    """``(m * m) ** exponent``: BirdNET's learned compression."""

    kind: Literal["squared_power"]
    exponent: float


@document
@dataclass(frozen=True)
class Decibels:
    """``10 log10(max(m, floor))``, as ``librosa.power_to_db``.

    Attributes:
        floor: smallest power that is told apart.
        reference: the power of 0 dB, or ``max`` for the loudest value of the clip.
        top_db: values further below the loudest of the clip are raised to it; None leaves them.
    """

    kind: Literal["decibels"]
    floor: float
    reference: float | Literal["max"]
    top_db: float | None

    def __post_init__(self) -> None:
        if self.floor < _SMALLEST_FLOOR or (self.top_db is not None and self.top_db < 0):
            raise ConfigError(
                f"decibels need a `floor` of at least {_SMALLEST_FLOOR:g} (found {self.floor:g}) and no negative "
                f"`top_db` (found {self.top_db})"
            )


@document
@dataclass(frozen=True)
class Unscaled:
    """Mel values as they are."""

    kind: Literal["none"]


@document
@dataclass(frozen=True)
class ChannelSpec:
    """One spectrogram of a clip.

    Attributes:
        n_fft: length of the transform and of the window, in samples.
        hop_samples: distance between frames.
        framing: ``inside`` takes only whole frames of the clip; ``centre_zero`` and ``centre_reflect`` first
            extend the clip by half a frame on both sides.
        window: ``hann`` (periodic), or a stored one.
        spectrum: what is kept of a bin: its real part, magnitude or power.
        filterbank: a mel matrix by formula, or stored as (n_fft / 2 + 1, bins).
        highest_first: the mel axis runs from high to low.
    """

    n_fft: int
    hop_samples: int
    framing: Literal["inside", "centre_zero", "centre_reflect"]
    window: Literal["hann"] | StoredArray
    spectrum: Literal["real", "magnitude", "power"]
    filterbank: MelFilterbank | StoredArray
    bins: int
    scale: SquaredPower | Decibels | Unscaled
    highest_first: bool

    def __post_init__(self) -> None:
        if self.n_fft < 2 or self.n_fft % 2 or self.hop_samples < 1 or self.bins < 1:
            raise ConfigError("a channel needs an even n_fft, a positive hop and at least one bin")
        if self.spectrum == "real" and self.n_fft % 8:
            raise ConfigError(
                f"the real part of a spectrum needs an n_fft that is a multiple of 8 (found {self.n_fft})"
            )
        if isinstance(self.filterbank, MelFilterbank) and self.filterbank.bins != self.bins:
            raise ConfigError(f"the filterbank has {self.filterbank.bins} bins, its channel {self.bins}")

    def frames(self, clip_samples: int) -> int:
        """Frames of a clip of ``clip_samples``."""
        if self.framing == "inside":
            return max(0, (clip_samples - self.n_fft) // self.hop_samples + 1)
        return clip_samples // self.hop_samples + 1


@document
@dataclass(frozen=True)
class MelSpec:
    """Everything between the samples of a recording and the array that a model reads.

    Channels of a recording are averaged; the result is resampled clip by clip with 50 ms of context on both sides.

    Attributes:
        name: a word for the store's path.
        resampler: used where a recording's rate is not the clip rule's.
        waveform: per-clip normalisation; ``min_max_symmetric`` maps the clip onto [-1, 1] as BirdNET does.
        dtype: how mels are stored.
        float16_offset: taken off before rounding to float16 and added again on reading: a value near the middle of
            what the model reacts to, where float16 is finest. Not used with float32.
    """

    name: str
    clip: ClipRule
    resampler: Literal["soxr_hq"]
    waveform: Literal["as_is", "min_max_symmetric"]
    channels: tuple[ChannelSpec, ...]
    dtype: Literal["float16", "float32"]
    float16_offset: float = 0.0

    def __post_init__(self) -> None:
        if not self.name or not set(self.name) <= NAME_CHARACTERS:
            raise ConfigError(f"the mels' name {self.name!r} must be of lower-case letters, digits, '.', '-' and '_'")
        shapes = {(channel.bins, channel.frames(self.clip.length_samples)) for channel in self.channels}
        if len(shapes) != 1 or 0 in min(shapes):
            raise ConfigError(
                f"all channels of the mel spec {self.name!r} must give the same (bins, frames), "
                f"these give {sorted(shapes)}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channel, mel, frame) of one clip."""
        first = self.channels[0]
        return len(self.channels), first.bins, first.frames(self.clip.length_samples)

    @property
    def fingerprint(self) -> str:
        """A short hash of everything in the spec."""
        return fingerprint(to_mapping(self))

    @property
    def store_name(self) -> str:
        """The folder below ``mels/`` that holds mels of this spec."""
        return f"{self.name}-{self.fingerprint}"


def require_same(wanted: MelSpec, found: MelSpec, what: str) -> None:
    """Raise ConfigError, naming the fields that differ, unless two specs are equal."""
    lines = differences(wanted, found)
    if lines:
        fields = "".join(f"\n  {line}" for line in lines)
        raise ConfigError(f"{what} holds other mels than the model eats; the model wants{fields}")
