"""An ONNX graph under construction, and the file that it becomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Read by every ONNX Runtime since 1.12.
_OPSET = 17
_IR_VERSION = 8

FLOAT = int(TensorProto.FLOAT)
"""The type float32, as nodes write it."""

Attribute = int | float | str | Sequence[int]
Value = tuple[str, Sequence[int | str]]
"""Name and shape of a float32 input or output; a side that is open has a name instead of a length."""


class OnnxGraph:
    """Nodes in the order in which they are added, and the weights that they read."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> str:
        """Append a node of one output; the name of the output."""
        node = helper.make_node(operator, inputs, [output])
        # Not by ``make_node``, which sorts them: files that were written once must come out the same.
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return output

    def weight(self, name: str, values: NDArray[np.generic]) -> str:
        """Store an array, unless there is one of that name; its name."""
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(values, name)
        return name

    def file(
        self, name: str, inputs: Sequence[Value], outputs: Sequence[Value], producer: str | None = "birddask"
    ) -> bytes:
        """The graph as the content of an ONNX file, the same bytes for the same graph.

        Args:
            name: of the graph.
            inputs: of the graph, in order.
            outputs: likewise.
            producer: what the file says of who wrote it; None for nothing.

        Raises:
            onnx.checker.ValidationError, onnx.shape_inference.InferenceError: it is not consistent.
        """
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(each, FLOAT, shape) for each, shape in inputs],
            [helper.make_tensor_value_info(each, FLOAT, shape) for each, shape in outputs],
            list(self._weights.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        if producer is not None:
            model.producer_name = producer
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
