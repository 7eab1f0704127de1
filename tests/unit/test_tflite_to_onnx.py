"""Operators of TFLite as ONNX Runtime computes them, against NumPy over windows placed by TensorFlow's rules."""

from __future__ import annotations

from typing import Literal

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.models.tflite_graph import Operator, TfliteGraph, read_graph
from birddask.models.tflite_to_onnx import convert_network

Array32 = NDArray[np.float32]
Padding = Literal["SAME", "VALID"]


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL4" + bytes(100)])
def test_what_is_no_tflite_file_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="not a TFLite file"):
        read_graph(content)


def small_graph(kernel: Array32, *operators: Operator, second: Array32 | None = None) -> TfliteGraph:
    """Operators from tensor 0 to tensor 3, then mean and an identical dense layer; tensors are numbered as named."""
    channels = kernel.shape[0] if operators[-1].kind == "CONV_2D" else kernel.shape[3]
    return TfliteGraph(
        operators=(
            *operators,
            Operator("MEAN", (3, 4), (5,)),
            Operator("FULLY_CONNECTED", (5, 6, 7), (8,)),
        ),
        tensor_names=(
            "mels",
            "kernel",
            "bias",
            "image",
            "axes",
            "pooled",
            "weights",
            "zeros",
            "logits",
            "padded",
            "pads",
            "convolved",
            "pooled image",
            "both",
            "second kernel",
        ),
        output=8,
        _constants={
            1: kernel,
            2: np.arange(channels, dtype=np.float32),
            4: np.array([1, 2], np.int32),
            6: np.eye(channels, dtype=np.float32),
            7: np.zeros(channels, np.float32),
            10: np.array([[0, 0], [1, 2], [0, 3], [0, 0]], np.int32),
            **({} if second is None else {14: second}),
        },
    )


def run(graph: TfliteGraph, mels: Array32) -> Array32:
    network = convert_network(graph, "mels", mels.shape[1:], "mels", {"logits": graph.output})
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"mels": mels})
    return found


def windows_of(
    image: Array32,
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: Padding,
    fill: float,
) -> NDArray[np.float32]:
    """All windows of one (channel, height, width) image, as TensorFlow places them: (row, column, channel, *window)."""
    amounts = [(0, 0)]
    for size, width, stride in zip(image.shape[1:], window, strides, strict=True):
        total = max(((size + stride - 1) // stride - 1) * stride + width - size, 0) if padding == "SAME" else 0
        amounts.append((total // 2, total - total // 2))
    padded = np.pad(image, amounts, constant_values=fill)
    rows = range(0, padded.shape[1] - window[0] + 1, strides[0])
    columns = range(0, padded.shape[2] - window[1] + 1, strides[1])
    return np.array([[padded[:, r : r + window[0], c : c + window[1]] for c in columns] for r in rows])


@pytest.mark.parametrize("size", [(9, 12), (10, 11), (8, 8)])
@pytest.mark.parametrize(
    ("window", "strides"), [((3, 3), (1, 1)), ((3, 3), (2, 2)), ((4, 5), (2, 3)), ((2, 1), (2, 2))]
)
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_an_operator_is_converted_with_tensorflows_padding(
    kind: str,
    padding: Padding,
    window: tuple[int, int],
    strides: tuple[int, int],
    size: tuple[int, int],
) -> None:
    generator = np.random.default_rng(0)
    mels = generator.normal(size=(2, 3, *size)).astype(np.float32)
    kernel = generator.normal(size=(4 if kind == "CONV_2D" else 1, *window, 3)).astype(np.float32)
    pool = kind.endswith("POOL_2D")
    operator = Operator(
        kind,
        (0,) if pool else (0, 1, 2),
        (3,),
        same_padding=padding == "SAME",
        strides=strides,
        window=window if pool else (1, 1),
    )
    expected = []
    for image in mels:
        seen = windows_of(image, window, strides, padding, np.nan if pool else 0)
        if kind == "CONV_2D":
            values = np.einsum("rcxhw,ohwx->rco", seen, kernel) + np.arange(4)
        elif kind == "DEPTHWISE_CONV_2D":
            values = np.einsum("rcxhw,hwx->rcx", seen, kernel[0]) + np.arange(3)
        else:
            values = (np.nanmax if kind == "MAX_POOL_2D" else np.nanmean)(seen, axis=(3, 4))
        expected.append(values.mean(axis=(0, 1)))
    np.testing.assert_allclose(run(small_graph(kernel, operator), mels), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_padding_before_a_convolution_goes_into_it(padding: Padding) -> None:
    generator = np.random.default_rng(0)
    mels = generator.normal(size=(1, 3, 9, 12)).astype(np.float32)
    kernel = generator.normal(size=(4, 3, 3, 3)).astype(np.float32)
    convolution = Operator("CONV_2D", (9, 1, 2), (3,), same_padding=padding == "SAME", strides=(2, 2))
    graph = small_graph(kernel, Operator("PAD", (0, 10), (9,)), convolution)
    padded = np.pad(mels[0], ((0, 0), (1, 2), (0, 3)))
    values = np.einsum("rcxhw,ohwx->rco", windows_of(padded, (3, 3), (2, 2), padding, 0), kernel) + np.arange(4)
    np.testing.assert_allclose(run(graph, mels)[0], values.mean(axis=(0, 1)), rtol=0, atol=1e-5)


def test_channels_of_zero_are_known_behind_a_padding() -> None:
    """Two pooled images beside each other, each completed to 16 channels, are padded and convolved."""
    generator = np.random.default_rng(0)
    mels = generator.normal(size=(1, 3, 8, 8)).astype(np.float32)
    first = generator.normal(size=(4, 1, 1, 3)).astype(np.float32)
    second = generator.normal(size=(4, 3, 3, 8)).astype(np.float32)
    graph = small_graph(
        first,
        Operator("CONV_2D", (0, 1, 2), (11,)),
        Operator("MAX_POOL_2D", (11,), (12,), window=(2, 2), strides=(2, 2)),
        Operator("CONCATENATION", (12, 12), (13,), axis=3),
        Operator("PAD", (13, 10), (9,)),
        Operator("CONV_2D", (9, 14, 2), (3,)),
        second=second,
    )
    convolved = np.einsum("xhw,ox->ohw", mels[0], first[:, 0, 0]) + np.arange(4)[:, None, None]
    pooled = convolved.reshape(4, 4, 2, 4, 2).max(axis=(2, 4))
    padded = np.pad(np.concatenate([pooled, pooled]), ((0, 0), (1, 2), (0, 3)))
    values = np.einsum("rcxhw,ohwx->rco", windows_of(padded, (3, 3), (1, 1), "VALID", 0), second) + np.arange(4)
    np.testing.assert_allclose(run(graph, mels)[0], values.mean(axis=(0, 1)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (Operator("CONV_2D", (0, 1, 2), (3,), activation="RELU6"), "activation RELU6 is not supported"),
        (Operator("RFFT2D", (0, 1), (3,)), "does not know the TFLite operator RFFT2D"),
        (Operator("RESHAPE", (0,), (3,)), "knows RESHAPE only after MEAN"),
        (Operator("CONCATENATION", (0, 0), (3,), axis=1), "knows CONCATENATION only along the channels"),
        (Operator("PAD", (0, 10), (3,)), "knows PAD only before a convolution"),
        (Operator("CONV_2D", (0, 9, 2), (3,)), r"tensor 9 \(padded\) is not a constant"),
    ],
)
def test_what_the_converter_does_not_know_is_refused(operator: Operator, message: str) -> None:
    graph = small_graph(np.zeros((4, 3, 3, 3), np.float32), operator)
    with pytest.raises(ModelError, match=message):
        convert_network(graph, "mels", (3, 9, 12), "mels", {"logits": graph.output})
