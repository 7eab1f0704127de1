"""BirdNET's location model from TFLite to ONNX: dense layers on sines of latitude, longitude and week.

The TFLite graph is of one place; the ONNX graph takes as many as there are, one a row.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from birddask.errors import ModelError
from birddask.models.tflite_graph import Operator, TfliteGraph

# As in ``tflite_to_onnx``.
_OPSET = 17
_IR_VERSION = 8

_SAME_IN_ONNX = {
    "ADD": "Add",
    "SUB": "Sub",
    "MUL": "Mul",
    "SIN": "Sin",
    "GREATER": "Greater",
    "LESS": "Less",
    "SELECT_V2": "Where",
    "LOGISTIC": "Sigmoid",
}
_ACTIVATIONS = {"NONE": "Identity", "RELU": "Relu"}


def convert_location_model(graph: TfliteGraph, input_name: str, output_name: str) -> bytes:
    """The whole graph as a serialised ONNX model.

    Args:
        graph: whose input is (1, columns).
        input_name: of the ONNX input, float32 (place, columns).
        output_name: of the ONNX output, float32 (place, labels).

    Raises:
        ModelError: an operator is not one of those that the converter knows.
    """
    network = _Network(graph, input_name)
    for operator in graph.operators:
        network.add(operator)
    return network.serialise(output_name)


class _Network:
    """An ONNX graph under construction; ``add`` appends the nodes of one TFLite operator."""

    def __init__(self, graph: TfliteGraph, input_name: str) -> None:
        self._graph = graph
        self._input_name = input_name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def add(self, operator: Operator) -> None:
        if operator.kind in _SAME_IN_ONNX:
            self._emit(operator, _SAME_IN_ONNX[operator.kind], operator.inputs)
        elif operator.kind == "DEQUANTIZE":
            self._emit(operator, "Cast", operator.inputs, to=TensorProto.FLOAT)
        elif operator.kind == "STRIDED_SLICE":
            self._column(operator)
        elif operator.kind == "EXPAND_DIMS":
            self._emit(operator, "Unsqueeze", operator.inputs[:1], self._weight("second", np.array([1])))
        elif operator.kind == "CONCATENATION":
            self._emit(operator, "Concat", operator.inputs, axis=1)
        elif operator.kind == "FULLY_CONNECTED":
            self._emit(operator, "Gemm", operator.inputs, transB=1)
        else:
            raise ModelError(f"the converter of location models does not know the TFLite operator {operator.kind}")

    def serialise(self, output_name: str) -> bytes:
        result = self._graph.output
        self._nodes.append(helper.make_node("Identity", [_name(result)], [output_name]))
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "location",
                [helper.make_tensor_value_info(self._input_name, TensorProto.FLOAT, ["place", 3])],
                [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, ["place", "label"])],
                list(self._weights.values()),
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="birddask",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))

    def _emit(self, operator: Operator, kind: str, inputs: tuple[int, ...], *more: str, **attributes: int) -> None:
        if operator.activation not in _ACTIVATIONS:
            raise ModelError(f"{operator.kind}: activation {operator.activation} is not supported")
        (output,) = operator.outputs
        linear = f"{_name(output)}_linear"
        node = helper.make_node(kind, [*map(self._operand, inputs), *more], [linear])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        self._nodes.append(helper.make_node(_ACTIVATIONS[operator.activation], [linear], [_name(output)]))

    def _column(self, operator: Operator) -> None:
        """One column of the input."""
        begin, end = (self._graph.constant(tensor) for tensor in operator.inputs[1:3])
        if len(begin) != 2 or end[1] != begin[1] + 1:
            raise ModelError("the converter of location models knows STRIDED_SLICE only of one column")
        column = self._weight(f"column_{begin[1]}", np.array(begin[1], np.int64))
        self._nodes.append(helper.make_node("Gather", [self._input_name, column], [_name(operator.outputs[0])], axis=1))

    def _operand(self, tensor: int) -> str:
        name = _name(tensor)
        return self._weight(name, self._graph.constant(tensor)) if self._graph.is_constant(tensor) else name

    def _weight(self, name: str, values: NDArray[np.generic]) -> str:
        self._weights[name] = numpy_helper.from_array(values, name)
        return name


def _name(tensor: int) -> str:
    return f"t{tensor}"
