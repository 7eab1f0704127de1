"""What a model says of itself: ``model.yaml`` of a bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from birddask.documents import document, to_mapping
from birddask.errors import ConfigError
from birddask.fingerprint import fingerprint
from birddask.mels.spec import NAME_CHARACTERS, MelSpec


@document
@dataclass(frozen=True)
class NetworkInput:
    """The network's input.

    Attributes:
        name: of the ONNX input.
        layout: order of its axes after the batch.
        before: what is done to the mels of a clip first; ``min_max`` scales each clip to [0, 1].
    """

    name: str
    layout: Literal["channel_mel_frame", "mel_frame_channel"]
    before: Literal["none", "min_max"]


@document
@dataclass(frozen=True)
class NetworkOutput:
    """The network's output, (batch, labels).

    Attributes:
        name: of the ONNX output.
        activation: what turns it into probabilities; ``none`` if the network has done so.
    """

    name: str
    activation: Literal["sigmoid", "softmax", "none"]


Precision = Literal["float32", "bfloat16"]
"""What a network computes with. Bfloat16 has 8 bits where float32 has 24: faster where a processor knows it, and scores
differ in the second decimal place."""


@document
@dataclass(frozen=True)
class BundleFiles:
    """SHA-256 of the other files of the bundle; ``front_end`` only where the mel spec names stored arrays."""

    model: str
    labels: str
    known_answer: str
    front_end: str | None = None


@document
@dataclass(frozen=True)
class ModelCard:
    """A model, its contract and its licence.

    Attributes:
        tolerance: largest difference of a probability, or of a stored mel, from the known answer.
        precision: what the network computes with; a job may change it.
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
    files: BundleFiles | None = None

    def __post_init__(self) -> None:
        if not self.name or not set(self.name) <= NAME_CHARACTERS:
            raise ConfigError(f"the model name {self.name!r} must be of lower-case letters, digits, '.', '-' and '_'")

    @property
    def fingerprint(self) -> str:
        """A short hash of all that decides a probability."""
        # The last bits of a known answer depend on the CPU that gave it; the model does not.
        files = None if self.files is None else replace(self.files, known_answer="")
        decides = replace(self, title="", licence="", attribution="", source="", tolerance=0.0, files=files)
        return fingerprint(to_mapping(decides))
