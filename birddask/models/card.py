"""What a model says of itself: ``model.yaml`` of a bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from birddask.documents import document, to_mapping
from birddask.errors import ConfigError
from birddask.fingerprint import fingerprint
from birddask.mels.arrays import Array32
from birddask.mels.spec import NAME_CHARACTERS, MelSpec
from birddask.models.before import MinMax, Shape, Step, apply, shape_after
from birddask.models.words import Activation, Layout

_AXES = ("channel", "mel", "frame")


@document
@dataclass(frozen=True)
class NetworkInput:
    """The network's input.

    Attributes:
        name: of the ONNX input.
        layout: order of its axes after the batch; without ``channel`` where the network has no such axis.
        before: what is done to the mels of a clip first, step by step; ``none`` and ``min_max`` are short for no step
            and for that one.
    """

    name: str
    layout: Layout
    before: Literal["none", "min_max"] | tuple[Step, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done to the mels of a clip, in order."""
        if isinstance(self.before, tuple):
            return self.before
        return (MinMax("min_max"),) if self.before == "min_max" else ()

    def shape(self, mels: Shape) -> tuple[int, ...]:
        """The shape of one clip in the network's input.

        Args:
            mels: (channel, mel, frame) of the store.

        Raises:
            ConfigError: mels of this shape can't be brought to the input's layout.
        """
        prepared = shape_after(self.steps, mels)
        axes = self.layout.split("_")
        if "channel" not in axes and prepared[0] != 1:
            raise ConfigError(f"the layout {self.layout} has no place for the {prepared[0]} channels of the mels")
        return tuple(prepared[_AXES.index(axis)] for axis in axes)

    def prepared(self, mels: Array32) -> Array32:
        """Mels as the network wants them: float32 (clip, channel, mel, frame) in, (clip, axes of the layout) out."""
        for step in self.steps:
            mels = apply(step, mels)
        axes = self.layout.split("_")
        if "channel" in axes:
            order = [1 + _AXES.index(axis) for axis in axes]
        else:
            mels, order = mels[:, 0], [_AXES.index(axis) for axis in axes]
        return np.ascontiguousarray(mels.transpose(0, *order))


@document
@dataclass(frozen=True)
class NetworkOutput:
    """The network's output, (batch, labels).

    Attributes:
        name: of the ONNX output.
        activation: what turns it into probabilities; ``none`` if the network has done so.
    """

    name: str
    activation: Activation


@document
@dataclass(frozen=True)
class NetworkEmbedding:
    """The network's output (batch, width) that describes a clip by what the last layer looks at.

    Attributes:
        name: of the ONNX output.
        width: numbers a clip.
    """

    name: str
    width: int


Precision = Literal["float32", "bfloat16"]
"""What a network computes with. Bfloat16 has 8 bits where float32 has 24: faster where a processor knows it, and scores
differ in the second decimal place."""


@document
@dataclass(frozen=True)
class BundleFiles:
    """SHA-256 of the other files of the bundle.

    Attributes:
        model: of ``model.onnx``.
        labels: of ``labels.txt``.
        known_answer: of ``known_answer.npz``.
        front_end: of ``front_end.npz``, only where the mel spec names stored arrays.
        location: of ``location.onnx``, only where there is a location model.
    """

    model: str
    labels: str
    known_answer: str
    front_end: str | None = None
    location: str | None = None


@document
@dataclass(frozen=True)
class ModelCard:
    """A model, its contract and its licence.

    Attributes:
        name: a word for paths: lower-case letters, digits, ``.``, ``-`` and ``_``.
        title: for people.
        licence: of the weights.
        attribution: whom to name.
        source: where the weights come from.
        mels: what it eats.
        input: how the network takes them.
        output: what it gives.
        tolerance: largest difference of a probability, or of a stored mel, from the known answer.
        precision: what the network computes with; a job may change it.
        embedding: None if the network gives none.
        files: hashes that tie the card to its bundle; None until the bundle is sealed.
    """

    name: str
    title: str
    licence: str
    attribution: str
    source: str
    mels: MelSpec
    input: NetworkInput
    output: NetworkOutput
    tolerance: float
    precision: Precision = "float32"
    embedding: NetworkEmbedding | None = None
    files: BundleFiles | None = None

    def __post_init__(self) -> None:
        if not self.name or not set(self.name) <= NAME_CHARACTERS:
            raise ConfigError(f"the model name {self.name!r} must be of lower-case letters, digits, '.', '-' and '_'")
        self.input.shape(self.mels.shape)

    @property
    def fingerprint(self) -> str:
        """A short hash of all that decides a probability."""
        # The last bits of a known answer depend on the CPU that gave it; the model does not. Where a label occurs is
        # asked later.
        files = None if self.files is None else replace(self.files, known_answer="", location=None)
        decides = replace(self, title="", licence="", attribution="", source="", tolerance=0.0, files=files)
        return fingerprint(to_mapping(decides))
