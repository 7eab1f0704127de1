"""A network that contains its own spectrogram, cut into a front end and the rest.

The two halves are run one after the other on known sounds and compared with the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx.utils
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.mels.transform import prepare
from birddask.models.bundle import Preset
from birddask.models.known_clip import known_clip
from birddask.models.network import Value, look_into
from birddask.models.runtime import start

_WHAT = "the network"
# Only the pitch of the known clip depends on it.
_SAMPLE_RATE_HZ = 32_000
_BATCH = "batch"

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Difference:
    """How far two arrays are apart.

    Attributes:
        what: they are of.
        most: largest absolute difference.
        largest: absolute value that is expected.
    """

    what: str
    most: float
    largest: float

    def __str__(self) -> str:
        return f"{self.what} differs by at most {self.most:.2g}, of values up to {self.largest:.3g}"


@dataclass(frozen=True)
class Halves:
    """A network in two.

    Attributes:
        front_end: ONNX file from waveforms to the tensor that was cut.
        rest: ONNX file from there to all outputs.
        tensor: name of what was cut.
        waveforms: float32, the known sounds; the first axis counts them.
        cut: what the front end makes of them.
        differences: of the halves from the whole, for each output.
    """

    front_end: bytes
    rest: bytes
    tensor: str
    waveforms: NDArray[np.float32]
    cut: NDArray[np.generic]
    differences: tuple[Difference, ...]


def split_network(content: bytes, tensor: str, samples: int | None) -> Halves:
    """Cut a network.

    Args:
        content: of an ONNX file whose only input is waveforms (clip, ..., samples).
        tensor: name of the tensor that becomes the output of the front end and the input of the rest.
        samples: length of a clip; needed where the file leaves it open.

    Raises:
        ModelError: the file is not what it should be, see ``look_into``; or it does not take waveforms, has no such
            tensor, or something else reaches the outputs too.
    """
    inputs = look_into(content, _WHAT).inputs
    if len(inputs) != 1:
        raise ModelError(f"{_WHAT} has the inputs {[each.name for each in inputs]}, expected one: waveforms")
    waveforms = _waveforms(inputs[0], samples)
    model = onnx.load_from_string(content)
    outputs = [output.name for output in model.graph.output]
    _require_tensor(model, tensor)
    model.graph.output.append(onnx.ValueInfoProto(name=tensor))
    whole = _run(model.SerializeToString(), {inputs[0].name: waveforms})
    del model.graph.output[-1]
    cut = whole[tensor]
    model.graph.value_info.append(_value_info(tensor, cut, inputs[0], len(waveforms)))
    front_end = _part(model, [inputs[0].name], [tensor])
    rest = _part(model, [tensor], outputs)
    made = _run(front_end, {inputs[0].name: waveforms})[tensor]
    found = _run(rest, {tensor: made})
    return Halves(
        front_end=front_end,
        rest=rest,
        tensor=tensor,
        waveforms=waveforms,
        cut=made,
        differences=tuple(_difference(name, found[name], whole[name]) for name in outputs),
    )


def off_preset(halves: Halves, preset: Preset) -> Difference:
    """How far the mels of a preset are from what the front end makes of the known sounds.

    Raises:
        ModelError: the preset is of clips of another length, or its mels have another shape.
    """
    card = preset.card
    waveforms = halves.waveforms.reshape(len(halves.waveforms), -1)
    if waveforms.shape[1] != card.mels.clip.length_samples:
        raise ModelError(
            f"clips of {_WHAT} have {waveforms.shape[1]} samples, those of {card.name} {card.mels.clip.length_samples}"
        )
    front_end = prepare(card.mels, preset.front_end)
    mels = card.input.prepared(np.stack([front_end.mels(waveform) for waveform in waveforms]))
    if mels.shape != halves.cut.shape:
        raise ModelError(
            f"{halves.tensor} has the shape {halves.cut.shape[1:]} a clip, the mels of {card.name} {mels.shape[1:]} as "
            "its network takes them"
        )
    return _difference(halves.tensor, mels, halves.cut)


def _waveforms(given: Value, samples: int | None) -> NDArray[np.float32]:
    """Sounds that are unlike each other: the known clip, its first half, noise and silence."""
    if given.shape is None or given.type != "float32":
        raise ModelError(f"{_WHAT} takes {given}, expected float32 waveforms (clip, samples)")
    clips, *between, length = given.shape
    length = samples if length is None else length
    if length is None or any(side != 1 for side in between):
        raise ModelError(f"{_WHAT} takes {given}: give the length of a clip with --samples, if it is waveforms")
    known = known_clip(_SAMPLE_RATE_HZ, length)
    noise = np.random.default_rng(0).normal(0, 0.1, length).astype(np.float32)
    half = np.where(np.arange(length) < length // 2, known, np.float32(0))
    sounds = np.stack([known, half, noise, np.zeros_like(known)])
    if clips is not None:
        sounds = np.resize(sounds, (clips, length))
    return sounds.reshape(-1, *(1 for _ in between), length)


def _require_tensor(model: onnx.ModelProto, tensor: str) -> None:
    made = [name for node in model.graph.node for name in node.output if name]
    if tensor not in made:
        shown = ", ".join(name for name in made if tensor.lower() in name.lower()) or f"{made[0]} to {made[-1]}"
        raise ModelError(f"{_WHAT} makes no tensor {tensor!r} (it makes {shown}); Netron shows them all")


def _value_info(name: str, values: NDArray[np.generic], given: Value, clips: int) -> onnx.ValueInfoProto:
    """What is known of a tensor, with the axis of clips open where that of the input is."""
    shape: list[int | str] = list(values.shape)
    if given.shape is not None and given.shape[0] is None and shape and shape[0] == clips:
        shape[0] = _BATCH
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(values.dtype), shape)


def _part(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    part = onnx.utils.Extractor(model).extract_model(list(inputs), list(outputs))
    known = {*inputs, "", *(weight.name for weight in part.graph.initializer)}
    for node in part.graph.node:
        missing = [name for name in node.input if name not in known]
        if missing:
            raise ModelError(
                f"{_WHAT} can't be cut at {inputs[0]}: {missing[0]} reaches its outputs beside it; cut where all goes "
                "through one tensor"
            )
        known.update(node.output)
    return bytes(part.SerializeToString(deterministic=True))


def _run(network: bytes, given: Arrays) -> Arrays:
    running = start(network, _WHAT)
    return dict(zip(running.outputs, running.run(running.outputs, given), strict=True))


def _difference(what: str, found: NDArray[np.generic], expected: NDArray[np.generic]) -> Difference:
    wanted = expected.astype(np.float64)
    return Difference(what, float(np.abs(found.astype(np.float64) - wanted).max()), float(np.abs(wanted).max()))
