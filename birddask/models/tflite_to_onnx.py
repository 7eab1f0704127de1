"""The convolutional part of a TFLite network as an ONNX graph (the only ``onnx`` import).

TFLite keeps images as (batch, height, width, channel); the ONNX graph keeps them as (batch, channel, height, width),
so that ONNX Runtime needs no transposes. Mels map to height, frames to width.

On a CPU ONNX Runtime keeps 8 or 16 channels of a pixel together (NCHWc) and reorders images for every operator that
can't have them so. The graph is written so that all can: where the number of channels is in the way, channels of zero
are added, and factors of channels are first spread over the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from birddask.errors import ModelError
from birddask.models.tflite_graph import Operator, TfliteGraph

# Opset 17 with IR 8: read by every ONNX Runtime since 1.12.
_OPSET = 17
_IR_VERSION = 8

# Channels that pools, and convolutions, can have together: what ONNX Runtime 1.20 to 1.32 look for.
_POOLED_TOGETHER, _CONVOLVED_TOGETHER = 16, 4

_ShapeOnly = ("SHAPE", "STRIDED_SLICE", "PACK")
Pads = tuple[int, int, int, int]
"""Top, left, bottom, right, in pixels, as ONNX orders them."""

Attributes = Mapping[str, int | tuple[int, ...]]


def convert_network(
    graph: TfliteGraph,
    cut: str,
    cut_shape: tuple[int, int, int],
    input_name: str,
    outputs: Mapping[str, int],
) -> bytes:
    """The operators between tensor ``cut`` and some outputs, as a serialised ONNX model.

    Args:
        graph: the whole network.
        cut: name of the tensor that becomes the input.
        cut_shape: its (channel, height, width); TFLite files do not say it where the batch is dynamic.
        input_name: name of the ONNX input, float32 (batch, channel, height, width).
        outputs: by the name of the ONNX output, float32 (batch, width), the tensor that it is.

    Raises:
        ModelError: an operator on the way is not one of those that the converter knows.
    """
    network = _Network(graph, graph.tensor(cut), cut_shape, input_name)
    for operator in _needed(graph, graph.tensor(cut), set(outputs.values())):
        network.add(operator)
    return network.serialise(outputs)


def _needed(graph: TfliteGraph, cut: int, outputs: set[int]) -> Iterator[Operator]:
    """The operators on a path from the cut to the outputs, in file order, without shape arithmetic."""
    wanted, chosen = set(outputs), []
    for operator in reversed(graph.operators):
        if operator.kind not in _ShapeOnly and wanted.intersection(operator.outputs):
            if cut in operator.outputs:
                continue
            chosen.append(operator)
            wanted.update(operator.inputs)
    return reversed(chosen)


def _same_pads(size: tuple[int, int], window: tuple[int, int], strides: tuple[int, int]) -> Pads:
    """TensorFlow's SAME padding: the odd pixel goes to the bottom and the right."""
    before, after = [], []
    for pixels, width, stride in zip(size, window, strides, strict=True):
        total = max((-(-pixels // stride) - 1) * stride + width - pixels, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before[0], before[1], after[0], after[1]


class _Network:
    """An ONNX graph under construction; ``add`` appends the nodes of one TFLite operator."""

    def __init__(self, graph: TfliteGraph, cut: int, cut_shape: tuple[int, int, int], input_name: str) -> None:
        self._graph = graph
        self._cut_shape = cut_shape
        self._input_name = input_name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._names = {cut: input_name}
        self._shapes: dict[int, tuple[int, ...]] = {cut: cut_shape}
        self._pads: dict[int, Pads] = {}
        # Where each channel of an image stands, if there are channels of zero between or behind them.
        self._places: dict[int, NDArray[np.intp]] = {}

    def add(self, operator: Operator) -> None:
        emitters = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "AVERAGE_POOL_2D": self._pool,
            "MAX_POOL_2D": self._pool,
            "PAD": self._pad,
            "MEAN": self._mean,
            "RESHAPE": self._reshape,
            "FULLY_CONNECTED": self._fully_connected,
            "CONCATENATION": self._concatenation,
            "LOGISTIC": self._elementwise,
            "ADD": self._elementwise,
            "MUL": self._elementwise,
        }
        if operator.kind not in emitters:
            raise ModelError(f"the converter does not know the TFLite operator {operator.kind}")
        emitters[operator.kind](operator)

    def serialise(self, outputs: Mapping[str, int]) -> bytes:
        for name, tensor in outputs.items():
            # Of one pixel, if it is an image: see ``_mean``.
            self._nodes.append(helper.make_node("Flatten", [self._names[tensor]], [name]))
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "network",
                [_value_info(self._input_name, self._cut_shape)],
                [_value_info(name, self._shapes[tensor][:1]) for name, tensor in outputs.items()],
                list(self._weights.values()),
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="birddask",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))

    def _emit(
        self,
        operator: Operator,
        onnx_kind: str,
        inputs: list[str],
        shape: tuple[int, ...],
        attributes: Attributes = MappingProxyType({}),
    ) -> None:
        output = operator.outputs[0]
        name = f"t{output}"
        linear = name if operator.activation == "NONE" else f"{name}_linear"
        node = helper.make_node(onnx_kind, inputs, [linear])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        if operator.activation == "RELU":
            self._nodes.append(helper.make_node("Relu", [linear], [name]))
        elif operator.activation != "NONE":
            raise ModelError(f"{operator.kind}: activation {operator.activation} is not supported")
        self._names[output] = name
        self._shapes[output] = shape

    def _weight(self, tensor: int, values: NDArray[np.generic]) -> str:
        name = f"w{tensor}_" + "x".join(str(side) for side in values.shape)
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def _operand(self, tensor: int) -> str:
        if tensor in self._names:
            return self._names[tensor]
        values = self._graph.constant(tensor)
        per_channel = values.reshape(-1, 1, 1) if values.ndim == 1 else values
        return self._weight(tensor, per_channel)

    def _elementwise(self, operator: Operator) -> None:
        kind = {"LOGISTIC": "Sigmoid", "ADD": "Add", "MUL": "Mul"}[operator.kind]
        computed = [tensor for tensor in operator.inputs if tensor in self._shapes]
        shape = tuple(np.broadcast_shapes(*(self._shapes[tensor] for tensor in computed)))
        for tensor in computed:
            if self._shapes[tensor] != shape:
                self._spread(tensor, shape)
        if computed[0] in self._places:
            self._places[operator.outputs[0]] = self._places[computed[0]]
        self._emit(operator, kind, [self._operand(tensor) for tensor in operator.inputs], shape)

    def _spread(self, tensor: int, shape: tuple[int, ...]) -> None:
        """Repeat an image of one pixel until it has a shape."""
        scales = np.array([1, 1, *shape[1:]], np.float32)
        spread = f"{self._names[tensor]}_spread"
        node = helper.make_node(
            "Resize",
            [self._names[tensor], "", self._weight(tensor, scales)],
            [spread],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )
        self._nodes.append(node)
        self._names[tensor], self._shapes[tensor] = spread, shape

    def _convolution(self, operator: Operator) -> None:
        image, weights, bias = operator.inputs
        kernel = self._graph.constant(weights)
        channels, height, width = self._shapes[image]
        depthwise = operator.kind == "DEPTHWISE_CONV_2D"
        # TFLite: OHWI, and 1HWO for depthwise kernels; ONNX: OIHW for both.
        kernel = kernel.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        biases = self._graph.constant(bias)
        if not depthwise:
            kernel, biases = self._with_zero_channels(operator, kernel, biases)
        elif len(kernel) != channels:
            raise ModelError("the converter knows no depthwise convolution of channels that were pooled")
        window = (kernel.shape[2], kernel.shape[3])
        pads = self._pads.get(image, (0, 0, 0, 0))
        padded = (height + pads[0] + pads[2], width + pads[1] + pads[3])
        if operator.same_padding:
            same = _same_pads(padded, window, operator.strides)
            pads = (pads[0] + same[0], pads[1] + same[1], pads[2] + same[2], pads[3] + same[3])
            padded = (height + pads[0] + pads[2], width + pads[1] + pads[3])
        out = [(padded[i] - window[i]) // operator.strides[i] + 1 for i in (0, 1)]
        self._emit(
            operator,
            "Conv",
            [
                self._names[image],
                self._weight(weights, kernel),
                self._weight(bias, biases),
            ],
            (kernel.shape[0], out[0], out[1]),
            {
                "kernel_shape": window,
                "strides": operator.strides,
                "pads": pads,
                "group": channels if depthwise else 1,
            },
        )

    def _with_zero_channels(
        self, operator: Operator, kernel: NDArray[np.generic], biases: NDArray[np.generic]
    ) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """A kernel that ignores channels of zero in its input, and gives as many as its output needs."""
        image, output = operator.inputs[0], operator.outputs[0]
        outputs, inputs, height, width = kernel.shape
        together = 1
        if any(each.kind.endswith("POOL_2D") and output in each.inputs for each in self._graph.operators):
            together = _POOLED_TOGETHER
        elif self._shapes[image][1:] == (1, 1):
            together = _CONVOLVED_TOGETHER
        missing = -outputs % together
        if missing:
            self._places[output] = np.arange(outputs)
        wider = np.zeros((outputs + missing, self._shapes[image][0], height, width), kernel.dtype)
        wider[:outputs, self._places.get(image, np.arange(inputs))] = kernel
        return wider, np.append(biases, np.zeros(missing, biases.dtype))

    def _pool(self, operator: Operator) -> None:
        (image,) = operator.inputs
        channels, *size = self._shapes[image]
        pads = (
            _same_pads((size[0], size[1]), operator.window, operator.strides) if operator.same_padding else (0, 0, 0, 0)
        )
        out = [(size[i] + pads[i] + pads[i + 2] - operator.window[i]) // operator.strides[i] + 1 for i in (0, 1)]
        kind = "MaxPool" if operator.kind == "MAX_POOL_2D" else "AveragePool"
        if image in self._places:
            self._places[operator.outputs[0]] = self._places[image]
        self._emit(
            operator,
            kind,
            [self._names[image]],
            (channels, out[0], out[1]),
            {"kernel_shape": operator.window, "strides": operator.strides, "pads": pads},
        )

    def _pad(self, operator: Operator) -> None:
        """Zero padding goes into the convolution that follows it, which costs nothing."""
        image, amounts = operator.inputs
        (_, _), (top, bottom), (left, right), (_, _) = self._graph.constant(amounts).tolist()
        output = operator.outputs[0]
        consumers = [each for each in self._graph.operators if output in each.inputs]
        if any(not consumer.kind.endswith("CONV_2D") for consumer in consumers):
            raise ModelError("the converter knows PAD only before a convolution")
        self._names[output] = self._names[image]
        self._shapes[output] = self._shapes[image]
        self._pads[output] = (top, left, bottom, right)

    def _mean(self, operator: Operator) -> None:
        image, axes = operator.inputs
        if sorted(self._graph.constant(axes).tolist()) != [1, 2]:
            raise ModelError("the converter knows MEAN only over height and width")
        channels = self._shapes[image][0]
        # The two trailing sides of one are kept, so that squeeze-and-excite needs no reshape.
        self._emit(operator, "GlobalAveragePool", [self._names[image]], (channels, 1, 1))

    def _reshape(self, operator: Operator) -> None:
        source, output = operator.inputs[0], operator.outputs[0]
        if self._shapes[source][1:] != (1, 1):
            raise ModelError("the converter knows RESHAPE only after MEAN")
        self._names[output], self._shapes[output] = self._names[source], self._shapes[source]

    def _fully_connected(self, operator: Operator) -> None:
        source, weights, bias = operator.inputs
        kernel = self._graph.constant(weights)
        if kernel.shape[1:] != self._shapes[source][:1]:
            raise ModelError("the converter knows no dense layer of channels that were pooled")
        flat = f"t{operator.outputs[0]}_flat"
        self._nodes.append(helper.make_node("Flatten", [self._names[source]], [flat]))
        self._emit(
            operator,
            "Gemm",
            [
                flat,
                self._weight(weights, kernel),
                self._weight(bias, self._graph.constant(bias)),
            ],
            (kernel.shape[0],),
            {"transB": 1},
        )

    def _concatenation(self, operator: Operator) -> None:
        shapes = [self._shapes[tensor] for tensor in operator.inputs]
        if operator.axis not in (3, -1):
            raise ModelError("the converter knows CONCATENATION only along the channels")
        starts = np.cumsum([0, *(shape[0] for shape in shapes)])
        self._places[operator.outputs[0]] = np.concatenate(
            [
                start + self._places.get(tensor, np.arange(shape[0]))
                for start, tensor, shape in zip(starts, operator.inputs, shapes, strict=False)
            ]
        )
        self._emit(
            operator,
            "Concat",
            [self._names[tensor] for tensor in operator.inputs],
            (sum(shape[0] for shape in shapes), *shapes[0][1:]),
            {"axis": 1},
        )


def _value_info(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
