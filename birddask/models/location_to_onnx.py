"""BirdNET's location model from TFLite to ONNX: dense layers on sines of latitude, longitude and week.

The TFLite graph is of one place; the ONNX graph takes as many as there are, one a row.
"""

from __future__ import annotations

import numpy as np

from birddask.errors import ModelError
from birddask.models.onnx_graph import FLOAT, Attribute, OnnxGraph
from birddask.models.tflite_graph import Operator, TfliteGraph

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
    return network.file(output_name)


class _Network:
    """The ONNX graph; ``add`` appends the nodes of one TFLite operator."""

    def __init__(self, graph: TfliteGraph, input_name: str) -> None:
        self._graph = graph
        self._input_name = input_name
        self._made = OnnxGraph()

    def add(self, operator: Operator) -> None:
        if operator.kind in _SAME_IN_ONNX:
            self._emit(operator, _SAME_IN_ONNX[operator.kind], operator.inputs)
        elif operator.kind == "DEQUANTIZE":
            self._emit(operator, "Cast", operator.inputs, to=FLOAT)
        elif operator.kind == "STRIDED_SLICE":
            self._column(operator)
        elif operator.kind == "EXPAND_DIMS":
            self._emit(operator, "Unsqueeze", operator.inputs[:1], self._made.weight("second", np.array([1])))
        elif operator.kind == "CONCATENATION":
            self._emit(operator, "Concat", operator.inputs, axis=1)
        elif operator.kind == "FULLY_CONNECTED":
            self._emit(operator, "Gemm", operator.inputs, transB=1)
        else:
            raise ModelError(f"the converter of location models does not know the TFLite operator {operator.kind}")

    def file(self, output_name: str) -> bytes:
        self._made.add("Identity", [_name(self._graph.output)], output_name)
        return self._made.file("location", [(self._input_name, ["place", 3])], [(output_name, ["place", "label"])])

    def _emit(
        self, operator: Operator, kind: str, inputs: tuple[int, ...], *more: str, **attributes: Attribute
    ) -> None:
        if operator.activation not in _ACTIVATIONS:
            raise ModelError(f"{operator.kind}: activation {operator.activation} is not supported")
        (output,) = operator.outputs
        linear = self._made.add(kind, [*map(self._operand, inputs), *more], f"{_name(output)}_linear", **attributes)
        self._made.add(_ACTIVATIONS[operator.activation], [linear], _name(output))

    def _column(self, operator: Operator) -> None:
        """One column of the input."""
        begin, end = (self._graph.constant(tensor) for tensor in operator.inputs[1:3])
        if len(begin) != 2 or end[1] != begin[1] + 1:
            raise ModelError("the converter of location models knows STRIDED_SLICE only of one column")
        column = self._made.weight(f"column_{begin[1]}", np.array(begin[1], np.int64))
        self._made.add("Gather", [self._input_name, column], _name(operator.outputs[0]), axis=1)

    def _operand(self, tensor: int) -> str:
        name = _name(tensor)
        return self._made.weight(name, self._graph.constant(tensor)) if self._graph.is_constant(tensor) else name


def _name(tensor: int) -> str:
    return f"t{tensor}"
