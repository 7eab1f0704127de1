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
    if inputs != [card.input.name] or card.output.name not in outputs:
        raise ModelError(
            f"{what} has the inputs {inputs} and the outputs {outputs}; its card names {card.input.name!r} and "
            f"{card.output.name!r}"
        )
    _require_input(card, network.inputs[0], what)
    _require_output(labels, network.outputs[outputs.index(card.output.name)], what)


def takes(value: Value, sides: tuple[int, ...]) -> bool:
    """Whether an input can be clips of this shape, as far as its file says."""
    if value.shape is None:
        return True
    return len(value.shape) == len(sides) + 1 and agree(value.shape[1:], sides)


def agree(stated: tuple[int | None, ...], sides: tuple[int, ...]) -> bool:
    """Whether sides are those that a file states, where it states any."""
    return all(side in (None, wanted) for side, wanted in zip(stated, sides, strict=True))


def width(value: Value) -> int | None:
    """Scores of a clip that an output gives, None if its file does not say."""
    return value.shape[-1] if value.shape else None


def network_shape(card: ModelCard) -> tuple[int, ...]:
    """The sides of a clip as the card feeds it to the network."""
    channels, bins, frames = card.mels.shape
    return (channels, bins, frames) if card.input.layout == "channel_mel_frame" else (bins, frames, channels)


def _require_input(card: ModelCard, value: Value, what: str) -> None:
    if value.type != "float32":
        raise ModelError(
            f"{what} reads {value}, and mels are float32; export it with a float32 input (converters to float16 "
            "have an option to keep inputs and outputs)"
        )
    sides = network_shape(card)
    if not takes(value, sides):
        raise ModelError(
            f"{what} reads {value}; its card feeds it (any, {', '.join(map(str, sides))}), {card.input.layout}"
        )


def _require_output(labels: tuple[str, ...], value: Value, what: str) -> None:
    if value.type not in _FLOATS:
        raise ModelError(f"{what} gives {value}; scores are of a float type: name another output")
    if value.shape is not None and (len(value.shape) != 2 or value.shape[1] not in (None, len(labels))):
        raise ModelError(f"{what} gives {value}, its bundle has {len(labels)} labels")
