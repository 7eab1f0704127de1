"""Mels to probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.mels.arrays import Array32
from birddask.mels.coding import AS_THEY_ARE, Coding, Stored
from birddask.models.bundle import Bundle
from birddask.models.card import ModelCard, Precision
from birddask.models.fit import require_fit
from birddask.models.runtime import CPU, Running, available, start_on_one_thread

# What the axis of clips is called by the converter, and by most exporters.
_CLIP_AXIS = "batch"

# A network's own float32 softmax may end this far outside [0, 1].
_ROUNDING = 1e-5
# With bfloat16 the known clip of BirdNET is off by 0.013, real clips by up to 0.06 (docs/design/0004); a network that
# strays further on its known clip is refused.
_BFLOAT16_TOLERANCE = 0.03


@dataclass(frozen=True)
class Scores:
    """What a network says of some clips.

    Attributes:
        probabilities: float32 (clip, label) in [0, 1].
        embeddings: float32 (clip, width); of width 0 where they were not asked for.
    """

    probabilities: Array32
    embeddings: Array32


@dataclass(frozen=True)
class Classifier:
    """A network ready to score; safe to use from several threads."""

    card: ModelCard
    labels: tuple[str, ...]
    _network: Running
    _clips_at_once: int

    def probabilities(self, mels: Stored, coding: Coding = AS_THEY_ARE) -> Array32:
        """The probability of each label in each clip, float32 (clip, label) in [0, 1]; otherwise as ``scores``."""
        return self.scores(mels, coding).probabilities

    def scores(self, mels: Stored, coding: Coding = AS_THEY_ARE, *, embeddings: bool = False) -> Scores:
        """The probability of each label in each clip, and what the network makes of it before its last layer.

        Args:
            mels: (clip, channel, mel, frame), as the coding keeps them.
            coding: of a store, see ``MelSpec.coding``; without it, mels of any float type are taken as they are.
            embeddings: whether they are asked for; the card must name the output that they are.

        Raises:
            ModelError: the network gave a NaN, an infinity or what is no probability, or not one score a label.
        """
        embedding = self.card.embedding if embeddings else None
        scores = Scores(
            np.empty((len(mels), len(self.labels)), np.float32),
            np.empty((len(mels), embedding.width if embedding else 0), np.float32),
        )
        # Decoded batch by batch: a float32 copy of a whole block would cost more than reading it. What is left of other
        # clips in the last batch is scored with it and not looked at.
        batch = np.zeros((self._clips_at_once, *self.card.mels.shape), np.float32)
        for start in range(0, len(mels), self._clips_at_once):
            some = mels[start : start + self._clips_at_once]
            coding.decode(some, batch[: len(some)])
            raw = self._network.run(
                [self.card.output.name, *([embedding.name] if embedding else [])],
                {self.card.input.name: self.card.input.prepared(batch)},
            )
            own = slice(start, start + len(some))
            scores.probabilities[own] = self._probabilities(self._own(raw[0], len(self.labels), len(some), "scores"))
            if embedding:
                scores.embeddings[own] = self._own(raw[1], embedding.width, len(some), "embeddings")
        return scores

    def _own(self, raw: NDArray[np.generic], width: int, clips: int, what: str) -> Array32:
        """The rows of the first clips of a batch, after a look at all that the network gave."""
        if raw.shape != (self._clips_at_once, width):
            raise ModelError(
                f"{self._network.what} gives {what} of the shape {raw.shape}, expected {(self._clips_at_once, width)}"
            )
        own = raw[:clips].astype(np.float32, copy=False)
        if not np.isfinite(own).all():
            raise ModelError(f"{self._network.what} gave {what} that are not finite numbers")
        return own

    def _probabilities(self, raw: Array32) -> Array32:
        probabilities = _activate(raw, self.card.output.activation)
        low, high = float(probabilities.min()), float(probabilities.max())
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise ModelError(
                f"{self._network.what} gives scores from {low:.3g} to {high:.3g}, not probabilities; its card names "
                "the activation that makes them so"
            )
        return np.clip(probabilities, 0, 1)


def start_classifier(bundle: Bundle, provider: str = CPU, precision: Precision = "float32") -> Classifier:
    """A classifier, after it has scored the bundle's known clip.

    Args:
        bundle: the model.
        provider: what to compute with: ``cpu`` (one thread), ``cuda``, ``openvino`` or ``coreml``. Each must meet the
            known answer within the card's tolerance, so that scores do not depend on it beyond that.
        precision: what to compute with; ``bfloat16`` may be off by 0.03.

    Raises:
        ModelError: the provider is not there or lacks the precision, ONNX Runtime refuses the network, its names are
            not those of the card, or the answer is off.
    """
    classifier = _start(bundle.card, bundle.labels, bundle.network, provider, precision)
    tolerance = bundle.card.tolerance if precision == "float32" else _BFLOAT16_TOLERANCE
    known = classifier.scores(bundle.known_answer.mels[np.newaxis], embeddings=bundle.card.embedding is not None)
    scores = known.probabilities[0]
    off = float(np.abs(scores - bundle.known_answer.probabilities).max())
    if not off <= tolerance:
        raise ModelError(
            f"{bundle.card.name} scores its known clip wrongly on this machine ({provider}, "
            f"{precision}): off by {off:.2g}, at most {tolerance:.2g} is allowed; nothing was scored"
        )
    return classifier


def score_unsealed(card: ModelCard, labels: tuple[str, ...], network: bytes, mels: Array32) -> Array32:
    """What a network that has no known answer yet says of one clip's mels: float32 (label,)."""
    classifier = _start(card, labels, network, CPU, "float32")
    known = classifier.scores(mels[np.newaxis], embeddings=card.embedding is not None)
    scores: Array32 = known.probabilities[0]
    return scores


def _start(card: ModelCard, labels: tuple[str, ...], network: bytes, provider: str, precision: Precision) -> Classifier:
    require_fit(card, labels, network)
    wanted = available(provider, precision)
    running = start_on_one_thread(network, f"the network of {card.name}", wanted, _CLIP_AXIS)
    return Classifier(card, labels, running, running.rows or wanted.clips_at_once)


def _activate(raw: Array32, activation: str) -> Array32:
    if activation == "sigmoid":
        # exp of a negative number only: no overflow at either end.
        small = np.exp(-np.abs(raw))
        return np.where(raw >= 0, 1 / (1 + small), small / (1 + small))
    if activation == "softmax":
        exponentials = np.exp(raw - raw.max(axis=1, keepdims=True))
        normalised: Array32 = exponentials / exponentials.sum(axis=1, keepdims=True)
        return normalised
    return raw
