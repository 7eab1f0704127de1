"""Mels to probabilities with ONNX Runtime (the only ``onnxruntime`` import)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.models.bundle import Bundle
from birddask.models.card import ModelCard, NetworkEmbedding, Precision
from birddask.models.fit import require_fit

Array32 = NDArray[np.float32]

# What the axis of clips is called by the converter, and by most exporters. A network whose shapes are all known is
# optimised better, and never sees another number of clips, on which last bits may depend.
_CLIP_AXIS = "batch"
_NO_OFFSET = np.float32(0)
# Every float16, by its bits: looking them up is twice as fast as NumPy's conversion.
_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)

# A network's own float32 softmax may end this far outside [0, 1].
_ROUNDING = 1e-5
# With bfloat16 the known clip of BirdNET is off by 0.013, real clips by up to 0.06 (docs/design/0004); a network that
# strays further on its known clip is refused.
_BFLOAT16_TOLERANCE = 0.03


@dataclass(frozen=True)
class _Provider:
    """What ONNX Runtime computes with.

    Attributes:
        name: in ONNX Runtime.
        package: that has it.
        clips_at_once: clips scored together, unless the network has a number of its own (docs/design/0004).
        options: for it.
        bfloat16: further options to compute with that; None if it can't.
    """

    name: str
    package: str
    clips_at_once: int
    options: Mapping[str, str]
    bfloat16: Mapping[str, str] | None = None


CPU = "cpu"
_PROVIDERS: Mapping[str, _Provider] = {
    CPU: _Provider("CPUExecutionProvider", "onnxruntime", 4, {}),
    # TensorFloat-32 has ten bits; an algorithm that is looked for anew may be another one, with other last bits.
    "cuda": _Provider(
        "CUDAExecutionProvider", "onnxruntime-gpu", 64, {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}
    ),
    "openvino": _Provider(
        "OpenVINOExecutionProvider",
        "onnxruntime-openvino",
        8,
        {"device_type": "CPU", "num_of_threads": "1"},
        {"load_config": '{"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}'},
    ),
    "coreml": _Provider("CoreMLExecutionProvider", "onnxruntime", 8, {"ModelFormat": "MLProgram"}),
}


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
    _session: onnxruntime.InferenceSession
    _clips_at_once: int

    def probabilities(self, mels: NDArray[np.floating], offset: np.float32 = _NO_OFFSET) -> Array32:
        """The probability of each label in each clip, float32 (clip, label) in [0, 1]; otherwise as ``scores``."""
        return self.scores(mels, offset).probabilities

    def scores(
        self, mels: NDArray[np.floating], offset: np.float32 = _NO_OFFSET, *, embeddings: bool = False
    ) -> Scores:
        """The probability of each label in each clip, and what the network makes of it before its last layer.

        Args:
            mels: (clip, channel, mel, frame), of any float type.
            offset: what they lack, see ``MelStore.offset``.
            embeddings: whether they are asked for; the card must name the output that they are.

        Raises:
            ModelError: the network gave a NaN, an infinity or what is no probability, or not one score a label.
        """
        embedding = self.card.embedding if embeddings else None
        scores = Scores(
            np.empty((len(mels), len(self.labels)), np.float32),
            np.empty((len(mels), embedding.width if embedding else 0), np.float32),
        )
        # Widened batch by batch: a float32 copy of a whole block would cost more than reading it. What is left of other
        # clips in the last batch is scored with it and not looked at.
        batch = np.zeros((self._clips_at_once, *mels.shape[1:]), np.float32)
        for start in range(0, len(mels), self._clips_at_once):
            some = mels[start : start + self._clips_at_once]
            _widen(some, batch[: len(some)])
            batch[: len(some)] += offset
            raw = self._run(batch, [self.card.output.name, *([embedding.name] if embedding else [])])
            own = slice(start, start + len(some))
            scores.probabilities[own] = self._probabilities(raw[0], len(some))
            if embedding:
                scores.embeddings[own] = self._embeddings(raw[1], embedding, len(some))
        return scores

    def _run(self, batch: Array32, outputs: list[str]) -> list[NDArray[np.floating]]:
        batch = self.card.input.prepared(batch)
        try:
            raw: list[NDArray[np.floating]] = self._session.run(outputs, {self.card.input.name: batch})
        except Exception as error:  # ONNX Runtime's own exceptions have no common base
            raise ModelError(f"the network of {self.card.name} refuses input {batch.shape}: {error}") from error
        return raw

    def _probabilities(self, raw: NDArray[np.floating], clips: int) -> Array32:
        """The probabilities of the first clips of a batch."""
        if raw.shape != (self._clips_at_once, len(self.labels)):
            raise ModelError(
                f"the network of {self.card.name} gives scores of shape {raw.shape} for {self._clips_at_once} clips, "
                f"its bundle has {len(self.labels)} labels"
            )
        raw = raw[:clips]
        if not np.isfinite(raw).all():
            raise ModelError(f"the network of {self.card.name} gave a score that is not a number")
        probabilities = _activate(raw.astype(np.float32, copy=False), self.card.output.activation)
        low, high = float(probabilities.min()), float(probabilities.max())
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise ModelError(
                f"the network of {self.card.name} gives scores from {low:.3g} to {high:.3g}, not probabilities; its "
                "card names the activation that makes them so"
            )
        return np.clip(probabilities, 0, 1)

    def _embeddings(self, raw: NDArray[np.floating], embedding: NetworkEmbedding, clips: int) -> NDArray[np.floating]:
        """The embeddings of the first clips of a batch."""
        if raw.shape != (self._clips_at_once, embedding.width):
            raise ModelError(
                f"the network of {self.card.name} gives embeddings of shape {raw.shape} for {self._clips_at_once} "
                f"clips, its card says {embedding.width} a clip"
            )
        raw = raw[:clips]
        if not np.isfinite(raw).all():
            raise ModelError(f"the network of {self.card.name} gave an embedding that is not a number")
        return raw


def available_providers() -> tuple[str, ...]:
    """What the installed ONNX Runtime can compute with, on a machine that has what it takes."""
    installed = onnxruntime.get_available_providers()
    return tuple(provider for provider, known in _PROVIDERS.items() if known.name in installed)


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
    wanted = _available(provider, precision)
    options = onnxruntime.SessionOptions()
    # Parallelism is Dask's: one thread a session, so that workers do not fight for cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_free_dimension_override_by_name(_CLIP_AXIS, wanted.clips_at_once)
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(network, options, providers=[(wanted.name, wanted.options)])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base
        raise ModelError(f"ONNX Runtime can't load the network of {card.name}: {error}") from error
    if session.get_providers()[0] != wanted.name:  # ONNX Runtime turns to the CPU without a word
        raise ModelError(f"ONNX Runtime can't compute with {provider} on this machine; its log says why")
    axes = session.get_inputs()[0].shape
    return Classifier(card, labels, session, axes[0] if axes and isinstance(axes[0], int) else wanted.clips_at_once)


def _available(provider: str, precision: Precision) -> _Provider:
    if provider not in _PROVIDERS:
        raise ModelError(f"ONNX Runtime's provider {provider!r} is unknown here; known are {', '.join(_PROVIDERS)}")
    wanted = _PROVIDERS[provider]
    if provider not in available_providers():
        raise ModelError(
            f"the installed ONNX Runtime can't compute with {provider}; the package {wanted.package} can, "
            "on a machine that has what it takes, and takes the place of onnxruntime"
        )
    if precision == "float32":
        return wanted
    if wanted.bfloat16 is None:
        able = ", ".join(name for name, each in _PROVIDERS.items() if each.bfloat16 is not None)
        raise ModelError(
            f"the job wants `precision: {precision}`, which ONNX Runtime does not compute with {provider}; set "
            f"BIRDDASK_PROVIDER to one that does ({able}) here and on every worker, or leave `precision` out"
        )
    return replace(wanted, options={**wanted.options, **wanted.bfloat16})


def _widen(mels: NDArray[np.floating], widened: Array32) -> None:
    if mels.dtype == np.float16:
        np.take(_HALVES, mels.view(np.uint16), out=widened, mode="clip")  # the mode that needs no copy
    else:
        widened[:] = mels


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
