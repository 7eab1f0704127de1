"""Whether a network fits its card and its labels, said before it runs."""

from __future__ import annotations

from birddask.errors import ModelError
from birddask.models.card import ModelCard
from birddask.models.network import Value, look_into

_FLOATS = ("float16", "float32", "float64")


def require_fit(card: ModelCard, labels: tuple[str, ...], content: bytes) -> None:
    """Refuse a network that can't score the mels of a card.

    Args:
        card: of the model.
        labels: of its output.
        content: the network's ONNX file.

    Raises:
        ModelError: the file is not what it should be, see ``look_into``; or its input or output has another name, type
            or shape than card and labels have.
    """
    what = f"the network of {card.name}"
    network = look_into(content, what)
    inputs, outputs = [each.name for each in network.inputs], [each.name for each in network.outputs]
    named = [card.output.name, *([card.embedding.name] if card.embedding else [])]
    if inputs != [card.input.name] or not set(named) <= set(outputs):
        raise ModelError(
            f"{what} has the inputs {inputs} and the outputs {outputs}; its card names {[card.input.name]} and {named}"
        )
    _require_input(card, network.inputs[0], what)
    _require_output(labels, network.outputs[outputs.index(card.output.name)], what)
    if card.embedding:
        value = network.outputs[outputs.index(card.embedding.name)]
        if not gives(value, card.embedding.width):
            raise ModelError(f"{what} gives {value}, its card says {card.embedding.width} numbers a clip")


def takes(value: Value, card: ModelCard) -> bool:
    """Whether an input can be the mels of a card, as far as its file says."""
    sides = card.input.shape(card.mels.shape)
    if value.shape is None:
        return True
    return len(value.shape) == len(sides) + 1 and all(
        stated in (None, side) for stated, side in zip(value.shape[1:], sides, strict=True)
    )


def gives(value: Value, width: int) -> bool:
    """Whether an output can be so many numbers a clip, as far as its file says."""
    fits = value.shape is None or (len(value.shape) == 2 and value.shape[1] in (None, width))
    return fits and value.type in _FLOATS


def _require_input(card: ModelCard, value: Value, what: str) -> None:
    if value.type != "float32":
        raise ModelError(
            f"{what} reads {value}, and mels are float32; export it with a float32 input (converters to float16 "
            "have an option to keep inputs and outputs)"
        )
    if not takes(value, card):
        sides = ", ".join(map(str, card.input.shape(card.mels.shape)))
        raise ModelError(f"{what} reads {value}; its card feeds it (any, {sides}), {card.input.layout}")


def _require_output(labels: tuple[str, ...], value: Value, what: str) -> None:
    if not gives(value, len(labels)):
        raise ModelError(
            f"{what} gives {value}, its bundle has {len(labels)} labels; scores are (any, {len(labels)}) float32"
        )
