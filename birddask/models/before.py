"""What is done to mels as they are read from a store, before a network gets them: nothing that needs another store."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from birddask.documents import BY_KIND, document
from birddask.errors import ConfigError
from birddask.mels.arrays import Array32

Shape = tuple[int, int, int]
"""(channel, mel, frame)."""

_CLIP = (1, 2, 3)


@document
@dataclass(frozen=True)
class MinMax:
    """Each clip scaled to [0, 1]; a constant clip becomes 0."""

    kind: Literal["min_max"]


@document
@dataclass(frozen=True)
class Power:
    """``m ** exponent`` of values that are not below 0, as after ``min_max``.

    Attributes:
        exponent: above 0.
    """

    kind: Literal["power"]
    exponent: float

    def __post_init__(self) -> None:
        if self.exponent <= 0:
            raise ConfigError(f"a power needs an `exponent` above 0 (found {self.exponent:g})")


@document
@dataclass(frozen=True)
class Standardise:
    """``(m - mean) / deviation`` with numbers of the training set.

    Attributes:
        mean: of all mels of the training set.
        deviation: their standard deviation.
    """

    kind: Literal["standardise"]
    mean: float
    deviation: float

    def __post_init__(self) -> None:
        if self.deviation <= 0:
            raise ConfigError(f"standardising needs a `deviation` above 0 (found {self.deviation:g})")


@document
@dataclass(frozen=True)
class StandardiseClip:
    """``(m - mean) / (deviation + epsilon)`` with the clip's own mean and standard deviation.

    Attributes:
        deviation: ``population`` divides by the number of values (NumPy's), ``sample`` by one less (PyTorch's).
        epsilon: above 0, against division by nothing.
    """

    kind: Literal["standardise_clip"]
    deviation: Literal["population", "sample"]
    epsilon: float

    def __post_init__(self) -> None:
        if self.epsilon <= 0:
            raise ConfigError("standardising needs an `epsilon` above 0: the mels of a clip may all be equal")


@document
@dataclass(frozen=True)
class Sigmoid:
    """``1 / (1 + exp(-m))``."""

    kind: Literal["sigmoid"]


@document
@dataclass(frozen=True)
class Resize:
    """Linear interpolation to another size, with the outer edges of the outer values on each other.

    As PyTorch's ``interpolate(mode="bilinear", align_corners=False)``.

    Attributes:
        mels: rows of the new size.
        frames: columns of the new size.
        antialias: when an axis is made shorter, each value is made from all that it takes the place of.
    """

    kind: Literal["resize"]
    mels: int
    frames: int
    antialias: bool

    def __post_init__(self) -> None:
        if self.mels < 1 or self.frames < 1:
            raise ConfigError(f"mels can't be resized to {self.mels} by {self.frames}")


@document
@dataclass(frozen=True)
class RepeatChannel:
    """The only channel, several times over, for networks that were trained on pictures.

    Attributes:
        times: 2 or more.
    """

    kind: Literal["repeat_channel"]
    times: int

    def __post_init__(self) -> None:
        if self.times < 2:
            raise ConfigError(f"a channel can't be repeated {self.times} times")


Step = Annotated[MinMax | Power | Standardise | StandardiseClip | Sigmoid | Resize | RepeatChannel, BY_KIND]


def shape_after(steps: Sequence[Step], shape: Shape) -> Shape:
    """The shape of a clip's mels after some steps.

    Raises:
        ConfigError: a step can't be applied to what the one before it gives.
    """
    for number, step in enumerate(steps):
        if isinstance(step, Resize):
            shape = shape[0], step.mels, step.frames
        elif isinstance(step, RepeatChannel):
            if shape[0] != 1:
                raise ConfigError(f"only a single channel can be repeated, the mels have {shape[0]}")
            shape = step.times, *shape[1:]
        elif isinstance(step, Power) and not any(isinstance(each, MinMax) for each in steps[:number]):
            raise ConfigError("a power needs values that are not below 0: `min_max` comes before it")
    return shape


def apply(step: Step, batch: Array32) -> Array32:
    """One step, clip by clip; float32 (clip, channel, mel, frame) in and out."""
    match step:
        case MinMax():
            low = batch.min(axis=_CLIP, keepdims=True)
            span = batch.max(axis=_CLIP, keepdims=True) - low
            batch = (batch - low) / np.where(span > 0, span, np.float32(1))
        case Power():
            batch = batch ** np.float32(step.exponent)
        case Standardise():
            batch = (batch - np.float32(step.mean)) / np.float32(step.deviation)
        case StandardiseClip():
            freedom = 1 if step.deviation == "sample" else 0
            centred = batch - batch.mean(axis=_CLIP, keepdims=True, dtype=np.float64)
            deviation = np.sqrt(np.square(centred).sum(axis=_CLIP, keepdims=True) / (centred[0].size - freedom))
            batch = (centred / (deviation + step.epsilon)).astype(np.float32)
        case Sigmoid():
            batch = np.float32(1) / (np.float32(1) + np.exp(-batch))
        case Resize():
            rows = _interpolation(batch.shape[2], step.mels, antialias=step.antialias)
            columns = _interpolation(batch.shape[3], step.frames, antialias=step.antialias)
            batch = rows @ (batch @ columns.T)
        case RepeatChannel():
            batch = np.repeat(batch, step.times, axis=1)
    return batch


@functools.cache
def _interpolation(old: int, new: int, *, antialias: bool) -> Array32:
    """The matrix (new, old) that interpolates one axis; its rows sum to 1."""
    ratio = old / new
    centres = (np.arange(new) + 0.5) * ratio - 0.5
    if antialias and ratio > 1:
        distance = np.abs(np.subtract.outer(centres, np.arange(old))) / ratio
    else:
        distance = np.abs(np.subtract.outer(np.clip(centres, 0, old - 1), np.arange(old)))
    weights = np.maximum(0, 1 - distance)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
