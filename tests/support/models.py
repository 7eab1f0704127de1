"""A model small enough for every test that needs one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from birddask.documents import to_yaml
from birddask.mels.axes import MelFilterbank
from birddask.mels.scales import Decibels
from birddask.mels.spec import ChannelSpec, MelSpec
from birddask.models.card import ModelCard, NetworkEmbedding, NetworkInput, NetworkOutput
from birddask.models.library import seal_bundle
from birddask.plan import ClipRule
from birddask.storage import Folder

TINY = "tiny"
TINY_RATE = 8000
TINY_BINS = 16
TINY_LABELS = ("wren", "robin", "owl", "frog", "rain")


def tiny_spec(hop_samples: int = TINY_RATE) -> MelSpec:
    """One-second clips at 8 kHz, 16 mels by 63 frames."""
    channel = ChannelSpec(
        n_fft=256,
        hop_samples=128,
        framing="centre_zero",
        window="hann",
        spectrum="power",
        filterbank=MelFilterbank("htk", "none", TINY_BINS, 100.0, 4000.0),
        bins=TINY_BINS,
        scale=Decibels("decibels", 1e-10, 1.0, 80.0),
        highest_first=False,
    )
    clip = ClipRule(TINY_RATE, TINY_RATE, hop_samples, "pad")
    return MelSpec("tiny-mels", clip, "soxr_hq", "as_is", (channel,), "float32")


def tiny_card(name: str = TINY) -> ModelCard:
    return ModelCard(
        name=name,
        title="A model for tests",
        licence="Apache-2.0",
        attribution="birddask",
        source="tests",
        mels=tiny_spec(),
        input=NetworkInput("mels", "channel_mel_frame", "min_max"),
        output=NetworkOutput("logits", "sigmoid"),
        tolerance=1e-4,
    )


def linear_network(labels: int, shape: tuple[int, int, int], seed: int = 0, *, embedding: bool = False) -> bytes:
    """An ONNX network of one dense layer; its embedding, if it has one, is the mean of each mel."""
    inputs = int(np.prod(shape))
    weights = np.random.default_rng(seed).normal(0, 4 / np.sqrt(inputs), (labels, inputs)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["mels"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["logits"], transB=1),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])]
    if embedding:
        nodes.append(helper.make_node("ReduceMean", ["mels"], ["means"], axes=[3], keepdims=0))
        nodes.append(helper.make_node("Flatten", ["means"], ["embedding"]))
        means = ["batch", shape[0] * shape[1]]
        outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, means))
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("mels", TensorProto.FLOAT, ["batch", *shape])],
        outputs,
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def convolutional_network(labels: int, shape: tuple[int, int, int], seed: int = 0) -> bytes:
    """An ONNX network of a stem, two blocks of a depthwise and a pointwise convolution with SiLU, and a dense layer."""
    generator = np.random.default_rng(seed)
    weights: list[TensorProto] = []
    nodes: list[NodeProto] = []

    def layer(operator: str, before: str, kernel: tuple[int, ...], gain: float = 1.5, **attributes: object) -> str:
        name = f"layer{len(weights)}"
        spread = gain / np.sqrt(np.prod(kernel[1:]))
        weights.append(numpy_helper.from_array(generator.normal(0, spread, kernel).astype(np.float32), f"{name}.w"))
        nodes.append(helper.make_node(operator, [before, f"{name}.w"], [name], **attributes))
        return name

    def silu(before: str) -> str:
        nodes.append(helper.make_node("Sigmoid", [before], [f"{before}.sigmoid"]))
        nodes.append(helper.make_node("Mul", [before, f"{before}.sigmoid"], [f"{before}.silu"]))
        return f"{before}.silu"

    width = 16
    image = silu(layer("Conv", "mels", (width, shape[0], 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]))
    for _ in range(2):
        image = silu(layer("Conv", image, (width, 1, 3, 3), group=width, pads=[1, 1, 1, 1]))
        image = silu(layer("Conv", image, (width, width, 1, 1)))
    nodes.append(helper.make_node("GlobalAveragePool", [image], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(helper.make_node("Identity", [layer("Gemm", "flat", (labels, width), gain=4, transB=1)], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "convolutional",
        [helper.make_tensor_value_info("mels", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def location_weights(labels: int) -> NDArray[np.float32]:
    """(4, label): of latitude, longitude, week, and of one."""
    return np.random.default_rng(1).normal(0, 1, (4, labels)) * np.array([[0.1], [0.1], [1], [1]])


def location_oracle(latitude: float, longitude: float, week: int, labels: int) -> NDArray[np.float64]:
    """What ``location_network`` says of a place."""
    return 0.5 + 0.5 * np.sin(np.array([latitude, longitude, week, 1]) @ location_weights(labels))


def location_network(labels: int) -> bytes:
    """An ONNX network in which labels come and go in waves."""
    weights = location_weights(labels).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["places", "weights", "bias"], ["phase"]),
            helper.make_node("Sin", ["phase"], ["wave"]),
            helper.make_node("Mul", ["wave", "half"], ["half_wave"]),
            helper.make_node("Add", ["half_wave", "half"], ["occurrence"]),
        ],
        "location",
        [helper.make_tensor_value_info("places", TensorProto.FLOAT, ["place", 3])],
        [helper.make_tensor_value_info("occurrence", TensorProto.FLOAT, ["place", labels])],
        [
            numpy_helper.from_array(weights[:3], "weights"),
            numpy_helper.from_array(weights[3], "bias"),
            numpy_helper.from_array(np.float32(0.5), "half"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def write_located_bundle(folder: Path, labels: tuple[str, ...]) -> None:
    """A sealed bundle with a location model."""
    card = tiny_card(folder.name)
    write_unsealed_bundle(folder, card, labels, linear_network(len(labels), card.mels.shape))
    (folder / "location.onnx").write_bytes(location_network(len(labels)))
    seal_bundle(Folder(str(folder)))


def write_unsealed_bundle(folder: Path, card: ModelCard, labels: tuple[str, ...], network: bytes) -> None:
    """The files that a user brings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(network)
    (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    (folder / "model.yaml").write_text(to_yaml(card).replace("files: null\n", ""))


def write_tiny_bundle(folder: Path, seed: int = 0) -> None:
    """A sealed bundle; another seed gives another network on the same mels."""
    card = replace(tiny_card(folder.name), embedding=NetworkEmbedding("embedding", TINY_BINS))
    network = linear_network(len(TINY_LABELS), card.mels.shape, seed, embedding=True)
    write_unsealed_bundle(folder, card, TINY_LABELS, network)
    seal_bundle(Folder(str(folder)))
