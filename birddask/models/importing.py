"""A network that a user brings: what its file says, what the user says, and a sealed bundle of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from birddask.errors import ConfigError
from birddask.models.before import shape_after
from birddask.models.bundle import CARD, Bundle, Preset, parse_labels
from birddask.models.card import ModelCard, NetworkEmbedding
from birddask.models.fit import gives, takes
from birddask.models.known_clip import known_answer
from birddask.models.library import check_bundle
from birddask.models.network import Network, Value, look_into
from birddask.models.sealing import publish_bundle
from birddask.models.words import Activation, Layout
from birddask.storage import Folder

# Operators that make probabilities: a network that ends with one needs no activation.
_PROBABILITY_MAKERS = ("Sigmoid", "Softmax")
_YOURS = "not stated; write yours into this card"


@dataclass(frozen=True)
class Choices:
    """What the user says of a network.

    Attributes:
        name: of the model.
        layout: of its input, and so on; None where its file or the preset is to say it.
        embedding: output that describes a clip; None if there is none, or it is of no interest.
    """

    name: str
    layout: Layout | None = None
    output: str | None = None
    activation: Activation | None = None
    embedding: str | None = None


def import_bundle(folder: Folder, network: bytes, labels: bytes, preset: Preset, choices: Choices) -> ModelCard:
    """Write a sealed bundle of a user's network into a folder, and check it; its card.

    Args:
        folder: of the bundle; must hold none yet.
        network: an ONNX file.
        labels: text, a label a line, in the order of the network's scores.
        preset: whose mels the network was trained on.
        choices: what the files don't say.

    Raises:
        ConfigError: there is a bundle already, the labels are wrong, or several layouts or outputs are possible.
        ModelError: the network may not run, or does not fit labels and mels.
    """
    if folder.exists(CARD):
        raise ConfigError(f"{folder.url} is a model bundle already; choose another --name or --to, or delete it")
    names = parse_labels(labels, "the file of labels")
    card = card_for(look_into(network, "the network"), len(names), preset.card, choices)
    answer = known_answer(card, names, network, preset.front_end)
    publish_bundle(folder, Bundle(card, names, network, preset.front_end, answer))
    return check_bundle(folder)


def card_for(network: Network, labels: int, preset: ModelCard, choices: Choices) -> ModelCard:
    """The card of a network that eats a preset's mels and gives a score for each of some labels.

    Raises:
        ConfigError: the network has not one input; or no layout, or no output fits, or several do.
    """
    if len(network.inputs) != 1:
        raise ConfigError(
            f"the network has {len(network.inputs)} inputs ({_list(network.inputs)}), and birddask feeds one: the mels"
        )
    output = _output(network, labels, choices.output)
    card = replace(
        preset,
        name=choices.name,
        title=choices.name,
        licence=_YOURS,
        attribution=_YOURS,
        source=f"brought by the user; mels of the preset {preset.name}",
        input=replace(preset.input, name=network.inputs[0].name),
        output=replace(
            preset.output, name=output.name, activation=_activation(network, output, preset, choices.activation)
        ),
        embedding=None if choices.embedding is None else _embedding(network, choices.embedding),
        files=None,
    )
    return _with_layout(card, network.inputs[0], choices.layout)


def _with_layout(card: ModelCard, value: Value, wanted: Layout | None) -> ModelCard:
    channels = shape_after(card.input.steps, card.mels.shape)[0]
    layouts = [layout for layout in get_args(Layout) if "channel" in layout or channels == 1]
    cards = [replace(card, input=replace(card.input, layout=layout)) for layout in layouts]
    fitting = [each for each in cards if takes(value, each) and wanted in (None, each.input.layout)]
    if card in fitting:
        return card
    if not fitting:
        shapes = ", ".join(f"{each.input.shape(each.mels.shape)} as {each.input.layout}" for each in cards)
        raise ConfigError(
            f"the network reads {value}, and the preset's mels {card.mels.shape} (channel, mel, frame) give {shapes}"
            f"{f'; {wanted} is asked for' if wanted else ''}: is it the preset that the network was trained with?"
        )
    if len(fitting) > 1:
        raise ConfigError(
            f"the network reads {value}, which may be {' or '.join(each.input.layout for each in fitting)}; "
            "say which with --layout"
        )
    return fitting[0]


def _output(network: Network, labels: int, wanted: str | None) -> Value:
    named = [value for value in network.outputs if wanted in (None, value.name)]
    if not named:
        raise ConfigError(f"the network has no output {wanted!r}; it gives {_list(network.outputs)}")
    fitting = [value for value in named if gives(value, labels)]
    stated = [value for value in fitting if value.shape and value.shape[-1] is not None]
    if not fitting:
        raise ConfigError(
            f"there are {labels} labels, and the network gives {_list(named)}: is it the right file of labels, "
            "one a line and no heading?"
        )
    if len(stated or fitting) > 1:
        raise ConfigError(f"the network gives {_list(stated or fitting)}; say which are the scores with --output")
    return (stated or fitting)[0]


def _embedding(network: Network, name: str) -> NetworkEmbedding:
    found = [value for value in network.outputs if value.name == name]
    if not found:
        raise ConfigError(f"the network has no output {name!r}; it gives {_list(network.outputs)}")
    shape = found[0].shape
    if shape is None or len(shape) != 2 or shape[1] is None:
        raise ConfigError(f"the network gives {found[0]}: an embedding is (any, width), and the file says the width")
    return NetworkEmbedding(name, shape[1])


def _activation(network: Network, output: Value, preset: ModelCard, wanted: Activation | None) -> Activation:
    maker = network.makers.get(output.name)
    if maker not in _PROBABILITY_MAKERS:
        return wanted or preset.output.activation
    if wanted not in (None, "none"):
        raise ConfigError(
            f"the output {output.name} comes from a {maker} in the network: a {wanted} after it would spoil the "
            "probabilities; leave --activation out"
        )
    return "none"


def _list(values: tuple[Value, ...] | list[Value]) -> str:
    return "; ".join(map(str, values)) or "nothing"
