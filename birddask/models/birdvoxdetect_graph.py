"""The network of BirdVoxDetect as an ONNX graph.

The original gives, for 104 frames, the probability that there is no call. From it BirdVoxDetect makes a confidence
from 0 to 100, calibrated on the precision that was measured over 300 h, and its users set thresholds by that. So this
graph gives that confidence, divided by 100; of all sets of 104 frames in a clip, the highest. The plain probability of
a call would be no help: at BirdVoxDetect's usual threshold, a confidence of 50, it is 0.99997.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Opset 17 with IR 8: read by every ONNX Runtime since 1.12.
_OPSET = 17
_IR_VERSION = 8

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
    return graph.serialised(
        helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["batch", *shape]),
        helper.make_tensor_value_info(output_name, TensorProto.FLOAT, ["batch", 1]),
    )


class _Graph:
    """A graph under construction; each method returns the name of a tensor."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: int | list[int]) -> str:
        output = name or f"{operator.lower()}_{len(self._nodes)}"
        node = helper.make_node(operator, list(inputs), [output])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return output

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def scalar(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

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

    def serialised(self, reads: onnx.ValueInfoProto, gives: onnx.ValueInfoProto) -> bytes:
        graph = helper.make_graph(self._nodes, "birdvoxdetect", [reads], [gives], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())
