"""The convolutional part of a TFLite network as an ONNX graph.

TFLite keeps images as (batch, height, width, channel); the ONNX graph keeps them as (batch, channel, height, width),
so that ONNX Runtime needs no transposes. Mels map to height, frames to width.

On a CPU ONNX Runtime keeps 8 or 16 channels of a pixel together (NCHWc) and reorders images for every operator that
can't have them so. The graph is written so that all can: where the number of channels is in the way, channels of zero
are added, and factors of channels are first spread over the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.models.onnx_graph import Attribute, OnnxGraph, Value
from birddask.models.padding import NO_PADS, Pads, padded, positions, same_pads, sum_of
from birddask.models.tflite_graph import Operator, TfliteGraph

# Channels that pools, and convolutions, can have together: what ONNX Runtime 1.20 to 1.32 look for.
_POOLED_TOGETHER, _CONVOLVED_TOGETHER = 16, 4
_OF_SHAPES = ("SHAPE", "STRIDED_SLICE", "PACK")


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
    network = _Network(graph, graph.tensor(cut), _Image(input_name, cut_shape))
    for operator in _needed(graph, graph.tensor(cut), set(outputs.values())):
        network.add(operator)
    return network.file((input_name, ("batch", *cut_shape)), outputs)


def _needed(graph: TfliteGraph, cut: int, outputs: set[int]) -> Iterator[Operator]:
    """The operators on a path from the cut to the outputs, in file order, without shape arithmetic."""
    wanted, chosen = set(outputs), []
    for operator in reversed(graph.operators):
        if operator.kind not in _OF_SHAPES and wanted.intersection(operator.outputs):
            if cut in operator.outputs:
                continue
            chosen.append(operator)
            wanted.update(operator.inputs)
    return reversed(chosen)


@dataclass(frozen=True)
class _Image:
    """What stands in the ONNX graph for a tensor of the TFLite graph.

    Attributes:
        name: of the ONNX tensor.
        shape: (channel, height, width), or (channel,) behind a dense layer.
        pads: that whatever reads it still has to add.
        places: int (channel,), where each channel of the TFLite tensor stands; None if there are no channels of zero.
    """

    name: str
    shape: tuple[int, ...]
    pads: Pads = NO_PADS
    places: NDArray[np.intp] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[1], self.shape[2]

    def places_of(self, channels: int) -> NDArray[np.intp]:
        """Where so many channels stand."""
        return np.arange(channels) if self.places is None else self.places


class _Network:
    """The ONNX graph; ``add`` appends the nodes of one TFLite operator."""

    def __init__(self, graph: TfliteGraph, cut: int, image: _Image) -> None:
        self._graph = graph
        self._made = OnnxGraph()
        self._images = {cut: image}

    def add(self, operator: Operator) -> None:
        emitters = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._depthwise_convolution,
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

    def file(self, given: Value, outputs: Mapping[str, int]) -> bytes:
        for name, tensor in outputs.items():
            # Of one pixel, if it is an image: see ``_mean``.
            self._made.add("Flatten", [self._images[tensor].name], name)
        gives = [(name, ("batch", self._images[tensor].shape[0])) for name, tensor in outputs.items()]
        return self._made.file("network", [given], gives)

    def _emit(
        self,
        operator: Operator,
        kind: str,
        inputs: list[str],
        shape: tuple[int, ...],
        places: NDArray[np.intp] | None = None,
        **attributes: Attribute,
    ) -> None:
        output = operator.outputs[0]
        name = f"t{output}"
        if operator.activation == "NONE":
            self._made.add(kind, inputs, name, **attributes)
        elif operator.activation == "RELU":
            self._made.add("Relu", [self._made.add(kind, inputs, f"{name}_linear", **attributes)], name)
        else:
            raise ModelError(f"{operator.kind}: activation {operator.activation} is not supported")
        self._images[output] = _Image(name, shape, places=places)

    def _weight(self, tensor: int, values: NDArray[np.generic]) -> str:
        return self._made.weight(f"w{tensor}_" + "x".join(str(side) for side in values.shape), values)

    def _operand(self, tensor: int) -> str:
        if tensor in self._images:
            return self._images[tensor].name
        values = self._graph.constant(tensor)
        per_channel = values.reshape(-1, 1, 1) if values.ndim == 1 else values
        return self._weight(tensor, per_channel)

    def _elementwise(self, operator: Operator) -> None:
        kind = {"LOGISTIC": "Sigmoid", "ADD": "Add", "MUL": "Mul"}[operator.kind]
        computed = [tensor for tensor in operator.inputs if tensor in self._images]
        shape = tuple(np.broadcast_shapes(*(self._images[tensor].shape for tensor in computed)))
        for tensor in computed:
            if self._images[tensor].shape != shape:
                self._spread(tensor, shape)
        inputs = [self._operand(tensor) for tensor in operator.inputs]
        self._emit(operator, kind, inputs, shape, self._images[computed[0]].places)

    def _spread(self, tensor: int, shape: tuple[int, ...]) -> None:
        """Repeat an image of one pixel until it has a shape."""
        image = self._images[tensor]
        scales = self._weight(tensor, np.array([1, 1, *shape[1:]], np.float32))
        spread = self._made.add(
            "Resize",
            [image.name, "", scales],
            f"{image.name}_spread",
            coordinate_transformation_mode="asymmetric",
            mode="nearest",
            nearest_mode="floor",
        )
        self._images[tensor] = replace(image, name=spread, shape=shape)

    def _convolution(self, operator: Operator) -> None:
        image, weights, bias = operator.inputs
        kernel = self._graph.constant(weights).transpose(0, 3, 1, 2)  # OHWI in TFLite, OIHW in ONNX
        biases = self._graph.constant(bias)
        missing = -len(kernel) % self._together(operator)
        # The kernel ignores channels of zero in its input, and gives as many as its output needs.
        wider = np.zeros((len(kernel) + missing, self._images[image].shape[0], *kernel.shape[2:]), kernel.dtype)
        wider[: len(kernel), self._images[image].places_of(kernel.shape[1])] = kernel
        own = np.arange(len(kernel)) if missing else None
        self._convolve(operator, wider, np.append(biases, np.zeros(missing, biases.dtype)), groups=1, places=own)

    def _together(self, operator: Operator) -> int:
        """Of what number the channels of a convolution's output are to be a multiple."""
        image, output = operator.inputs[0], operator.outputs[0]
        if any(each.kind.endswith("POOL_2D") and output in each.inputs for each in self._graph.operators):
            return _POOLED_TOGETHER
        return _CONVOLVED_TOGETHER if self._images[image].size == (1, 1) else 1

    def _depthwise_convolution(self, operator: Operator) -> None:
        image, weights, bias = operator.inputs
        kernel = self._graph.constant(weights).transpose(3, 0, 1, 2)  # 1HWO in TFLite, OIHW in ONNX
        channels = self._images[image].shape[0]
        if len(kernel) != channels:
            raise ModelError("the converter knows no depthwise convolution of channels that were pooled")
        self._convolve(operator, kernel, self._graph.constant(bias), groups=channels, places=None)

    def _convolve(
        self,
        operator: Operator,
        kernel: NDArray[np.generic],
        biases: NDArray[np.generic],
        groups: int,
        places: NDArray[np.intp] | None,
    ) -> None:
        tensor, weights, bias = operator.inputs
        image, window = self._images[tensor], (kernel.shape[2], kernel.shape[3])
        pads = image.pads
        if operator.same_padding:
            pads = sum_of(pads, same_pads(padded(image.size, pads), window, operator.strides))
        self._emit(
            operator,
            "Conv",
            [image.name, self._weight(weights, kernel), self._weight(bias, biases)],
            (len(kernel), *positions(padded(image.size, pads), window, operator.strides)),
            places,
            kernel_shape=window,
            strides=operator.strides,
            pads=pads,
            group=groups,
        )

    def _pool(self, operator: Operator) -> None:
        image = self._images[operator.inputs[0]]
        window, strides = operator.window, operator.strides
        pads = same_pads(image.size, window, strides) if operator.same_padding else NO_PADS
        self._emit(
            operator,
            "MaxPool" if operator.kind == "MAX_POOL_2D" else "AveragePool",
            [image.name],
            (image.shape[0], *positions(padded(image.size, pads), window, strides)),
            image.places,
            kernel_shape=window,
            strides=strides,
            pads=pads,
        )

    def _pad(self, operator: Operator) -> None:
        """Zero padding goes into the convolution that follows it, which costs nothing."""
        tensor, amounts = operator.inputs
        (_, _), (top, bottom), (left, right), (_, _) = self._graph.constant(amounts).tolist()
        output = operator.outputs[0]
        consumers = [each for each in self._graph.operators if output in each.inputs]
        if any(not consumer.kind.endswith("CONV_2D") for consumer in consumers):
            raise ModelError("the converter knows PAD only before a convolution")
        self._images[output] = replace(self._images[tensor], pads=(top, left, bottom, right))

    def _mean(self, operator: Operator) -> None:
        tensor, axes = operator.inputs
        if sorted(self._graph.constant(axes).tolist()) != [1, 2]:
            raise ModelError("the converter knows MEAN only over height and width")
        image = self._images[tensor]
        # The two trailing sides of one are kept, so that squeeze-and-excite needs no reshape.
        self._emit(operator, "GlobalAveragePool", [image.name], (image.shape[0], 1, 1), image.places)

    def _reshape(self, operator: Operator) -> None:
        image = self._images[operator.inputs[0]]
        if image.size != (1, 1):
            raise ModelError("the converter knows RESHAPE only after MEAN")
        self._images[operator.outputs[0]] = image

    def _fully_connected(self, operator: Operator) -> None:
        tensor, weights, bias = operator.inputs
        kernel, image = self._graph.constant(weights), self._images[tensor]
        if kernel.shape[1:] != image.shape[:1]:
            raise ModelError("the converter knows no dense layer of channels that were pooled")
        flat = self._made.add("Flatten", [image.name], f"t{operator.outputs[0]}_flat")
        inputs = [flat, self._weight(weights, kernel), self._weight(bias, self._graph.constant(bias))]
        self._emit(operator, "Gemm", inputs, (len(kernel),), transB=1)

    def _concatenation(self, operator: Operator) -> None:
        if operator.axis not in (3, -1):
            raise ModelError("the converter knows CONCATENATION only along the channels")
        images = [self._images[tensor] for tensor in operator.inputs]
        channels = [image.shape[0] for image in images]
        starts = np.cumsum([0, *channels[:-1]])
        places = [start + image.places_of(count) for start, image, count in zip(starts, images, channels, strict=True)]
        self._emit(
            operator,
            "Concat",
            [image.name for image in images],
            (sum(channels), *images[0].size),
            np.concatenate(places),
            axis=1,
        )
