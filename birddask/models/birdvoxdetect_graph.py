"""The network of BirdVoxDetect as an ONNX graph.

The original gives, for 104 frames, the probability that there is no call. From it BirdVoxDetect makes a confidence
from 0 to 100, calibrated on the precision that was measured over 300 h, and its users set thresholds by that. So this
graph gives that confidence, divided by 100; of all sets of 104 frames in a clip, the highest. The plain probability of
a call would be no help: at BirdVoxDetect's usual threshold, a confidence of 50, it is 0.99997.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from birddask.models.onnx_graph import Attribute, OnnxGraph, Value

_FRAMES = 104
_STRIDE = 34
_BATCH_NORM_EPSILON = 1e-3
# birdvoxdetect 0.6.0, map_confidence, for trial 12: percent by a polynomial of max(0, logit - ln(eps) - 18) ** 2 / 100.
_CALIBRATION = (14.76561354, -68.54604756, 111.89379155, -0.13061346)
_LOGIT_OFFSET = -float(np.log(np.finfo(np.float32).eps)) - 18
_HIGHEST_CONFIDENCE = 0.9999

Weights = Mapping[str, Mapping[str, NDArray[np.float32]]]
"""Of each layer, arrays by name."""


def build_network(weights: Weights, shape: tuple[int, int, int], input_name: str, output_name: str) -> bytes:
    """The graph, serialised.

    Args:
        weights: of the original's layers.
        shape: (1, mel, frame) of a clip: as many sets of 104 frames, 34 apart, as fit are scored.
        input_name: of the input, float32 (batch, 1, mel, frame).
        output_name: of the output, float32 (batch, 1).
    """
    graph = _Graph(weights)
    mels, frames = shape[1:]
    sets = (frames - _FRAMES) // _STRIDE + 1
    bn = weights["spec_bn"]
    factor = bn["gamma"] / np.sqrt(bn["moving_variance"] + np.float32(_BATCH_NORM_EPSILON))
    last = graph.add("Mul", input_name, graph.constant(factor))
    last = graph.add("Add", last, graph.constant(bn["beta"] - bn["moving_mean"] * factor))
    last = graph.add(
        "Gather", last, graph.constant(np.add.outer(_STRIDE * np.arange(sets), np.arange(_FRAMES))), axis=3
    )
    last = graph.add("Transpose", last, perm=[0, 3, 1, 2, 4])
    last = graph.add("Reshape", last, graph.constant(np.array([-1, 1, mels, _FRAMES])))
    last = graph.add("MaxPool", graph.convolution("spec_conv1", last), kernel_shape=[2, 4], strides=[2, 4])
    last = graph.add("Relu", graph.convolution("spec_conv2", last))
    last = graph.add("MaxPool", last, kernel_shape=[2, 4], strides=[2, 4])
    last = graph.add("Relu", graph.convolution("spec_conv3", last))
    last = graph.add("Relu", graph.dense("spec_dense1", graph.add("Flatten", last), channels=48))
    no_call = graph.add("Reshape", graph.dense("dense", last, channels=1), graph.constant(np.array([-1, sets])))
    last = graph.add("Neg", graph.add("ReduceMin", no_call, axes=[1], keepdims=1))
    last = graph.add("Relu", graph.add("Add", last, graph.scalar(_LOGIT_OFFSET)))
    last = graph.add("Mul", graph.add("Mul", last, last), graph.scalar(0.01))
    percent = graph.scalar(_CALIBRATION[0])
    for coefficient in _CALIBRATION[1:]:
        percent = graph.add("Add", graph.add("Mul", percent, last), graph.scalar(coefficient))
    share = graph.add("Mul", percent, graph.scalar(0.01))
    graph.add("Clip", share, graph.scalar(0), graph.scalar(_HIGHEST_CONFIDENCE), name=output_name)
    return graph.file((input_name, ["batch", *shape]), (output_name, ["batch", 1]))


class _Graph:
    """The layers as nodes; each method returns the name of a tensor."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._graph = OnnxGraph()
        self._node_numbers, self._constant_numbers = itertools.count(), itertools.count()

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Attribute) -> str:
        number = next(self._node_numbers)
        return self._graph.add(operator, inputs, name or f"{operator.lower()}_{number}", **attributes)

    def constant(self, value: NDArray[np.generic]) -> str:
        return self._graph.weight(f"constant_{next(self._constant_numbers)}", value)

    def scalar(self, value: float) -> str:
        return self.constant(np.array([value], np.float32))

    def convolution(self, layer: str, image: str) -> str:
        """A 5 by 5 convolution that keeps the size of the image."""
        kernel = self.constant(self._weights[layer]["kernel"].transpose(3, 2, 0, 1))
        bias = self.constant(self._weights[layer]["bias"])
        return self.add("Conv", image, kernel, bias, kernel_shape=[5, 5], pads=[2, 2, 2, 2])

    def dense(self, layer: str, values: str, channels: int) -> str:
        """A dense layer; Keras flattened (mel, frame, channel), ONNX (channel, mel, frame)."""
        kernel = self._weights[layer]["kernel"]
        reordered = kernel.reshape(-1, channels, kernel.shape[1]).swapaxes(0, 1).reshape(kernel.shape)
        return self.add("Gemm", values, self.constant(reordered), self.constant(self._weights[layer]["bias"]))

    def file(self, reads: Value, gives: Value) -> bytes:
        # No producer: files that were written once have none, and their hash is in fingerprints.
        return self._graph.file("birdvoxdetect", [reads], [gives], producer=None)
