"""What is done to a clip's waveform before its spectrum is taken, and to its mels after: documents of a mel spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from birddask.documents import BY_KIND, document
from birddask.errors import ConfigError

# Float32 holds no smaller power in full precision.
_SMALLEST_FLOOR = 1e-37


@document
@dataclass(frozen=True)
class Peak:
    """The clip scaled so that its largest absolute sample is ``level``; silence stays silence.

    Attributes:
        level: above 0; 1 is full scale.
        subtract_mean: the clip's mean is taken off first.
    """

    kind: Literal["peak"]
    level: float
    subtract_mean: bool

    def __post_init__(self) -> None:
        if self.level <= 0:
            raise ConfigError(f"a peak needs a `level` above 0 (found {self.level:g})")


@document
@dataclass(frozen=True)
class Gain:
    """Every sample times ``factor``, for models trained on another full scale than 1.

    Attributes:
        factor: above 0.
    """

    kind: Literal["gain"]
    factor: float

    def __post_init__(self) -> None:
        if self.factor <= 0:
            raise ConfigError(f"a gain needs a `factor` above 0 (found {self.factor:g})")


Waveform = Literal["as_is", "min_max", "min_max_symmetric"] | Peak | Gain
"""Per-clip normalisation; ``min_max_symmetric`` maps the clip onto [-1, 1] as BirdNET does, ``min_max`` onto [0, 1]."""


@document
@dataclass(frozen=True)
class SquaredPower:
    """``(m * m) ** exponent``: BirdNET's learned compression, and the only one for values below 0.

    Attributes:
        exponent: learned in training; about 0.2 in BirdNET.
    """

    kind: Literal["squared_power"]
    exponent: float


@document
@dataclass(frozen=True)
class PowerLaw:
    """``m ** exponent``.

    Attributes:
        exponent: above 0.
    """

    kind: Literal["power_law"]
    exponent: float

    def __post_init__(self) -> None:
        if self.exponent <= 0:
            raise ConfigError(f"a power law needs an `exponent` above 0 (found {self.exponent:g})")


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
class NaturalLog:
    """``factor * ln(max(m, floor))``.

    Attributes:
        floor: smallest value that is told apart.
        factor: above 0.
    """

    kind: Literal["natural_log"]
    floor: float
    factor: float

    def __post_init__(self) -> None:
        if self.floor < _SMALLEST_FLOOR or self.factor <= 0:
            raise ConfigError(
                f"a natural logarithm needs a `floor` of at least {_SMALLEST_FLOOR:g} (found {self.floor:g}) and a "
                f"`factor` above 0 (found {self.factor:g})"
            )


@document
@dataclass(frozen=True)
class Log1p:
    """``ln(1 + factor * m) + offset``.

    Attributes:
        factor: above 0.
        offset: added at the end.
    """

    kind: Literal["log1p"]
    factor: float
    offset: float

    def __post_init__(self) -> None:
        if self.factor <= 0:
            raise ConfigError(f"log1p needs a `factor` above 0 (found {self.factor:g})")


@document
@dataclass(frozen=True)
class Pcen:
    """Per-channel energy normalisation, as ``librosa.pcen``: each mel against its own recent past.

    ``(m / (epsilon + past) ** gain + bias) ** power - bias ** power``, where ``past`` is m smoothed by a first-order
    filter that starts, with each clip, from 1.

    Attributes:
        gain: how far a mel is divided by its past; 0 not at all.
        bias: above 0.
        power: above 0.
        time_constant_s: of that filter.
        epsilon: above 0, against division by nothing.
    """

    kind: Literal["pcen"]
    gain: float
    bias: float
    power: float
    time_constant_s: float
    epsilon: float

    def __post_init__(self) -> None:
        wrong = [
            f"{name} {value:g}"
            for name, value in (
                ("bias", self.bias),
                ("power", self.power),
                ("time_constant_s", self.time_constant_s),
                ("epsilon", self.epsilon),
            )
            if value <= 0
        ]
        if wrong or self.gain < 0:
            raise ConfigError(
                f"PCEN needs positive values and no negative gain (found {', '.join(wrong) or self.gain})"
            )


@document
@dataclass(frozen=True)
class Unscaled:
    """Mel values as they are."""

    kind: Literal["none"]


Scale = Annotated[SquaredPower | PowerLaw | Decibels | NaturalLog | Log1p | Pcen | Unscaled, BY_KIND]


def require_order(scales: tuple[Scale, ...], spectrum: Literal["real", "magnitude", "power"]) -> None:
    """Check that each scale can be applied to what the one before it gives.

    Raises:
        ConfigError: none is given, one is in the wrong place, or one can't be applied to this spectrum.
    """
    if not scales:
        raise ConfigError("a channel's `scale` is empty; `kind: none` leaves mels as they are")
    for number, scale in enumerate(scales):
        if isinstance(scale, Pcen | SquaredPower) and number:
            raise ConfigError(f"the scale {scale.kind} takes mels as they are: it comes first")
        if isinstance(scale, Decibels | NaturalLog | Log1p) and scale is not scales[-1]:
            raise ConfigError(f"the scale {scale.kind} gives values below 0: none can follow it")
        if isinstance(scale, Unscaled) and len(scales) > 1:
            raise ConfigError("the scale none stands alone")
    if spectrum == "real" and not isinstance(scales[0], SquaredPower | Unscaled):
        raise ConfigError(f"a real part has values below 0, to which the scale {scales[0].kind} can't be applied")
