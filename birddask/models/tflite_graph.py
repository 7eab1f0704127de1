"""A TFLite file as plain Python values: operators, shapes and constants (the only ``tflite`` import)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tflite
from numpy.typing import NDArray

from birddask.errors import ModelError

_OPERATOR_NAMES: Mapping[int, str] = {
    code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)
}
_ACTIVATION_NAMES: Mapping[int, str] = {
    code: name for name, code in vars(tflite.ActivationFunctionType).items() if isinstance(code, int)
}
_OPTIONS = {
    "CONV_2D": tflite.Conv2DOptions,
    "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions,
    "AVERAGE_POOL_2D": tflite.Pool2DOptions,
    "MAX_POOL_2D": tflite.Pool2DOptions,
    "FULLY_CONNECTED": tflite.FullyConnectedOptions,
    "CONCATENATION": tflite.ConcatenationOptions,
    "ADD": tflite.AddOptions,
    "MUL": tflite.MulOptions,
    "SUB": tflite.SubOptions,
}
_DTYPES: Mapping[int, type[np.generic]] = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


@dataclass(frozen=True)
class Operator:
    """One TFLite operator; tensors are numbers, absent optional inputs are left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activation: str = "NONE"
    same_padding: bool = False
    strides: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (1, 1)
    axis: int = 0


@dataclass(frozen=True)
class TfliteGraph:
    """The first subgraph of a TFLite file."""

    operators: tuple[Operator, ...]
    tensor_names: tuple[str, ...]
    output: int
    _constants: Mapping[int, NDArray[np.generic]]

    def is_constant(self, tensor: int) -> bool:
        """Whether the tensor is stored in the file."""
        return tensor in self._constants

    def constant(self, tensor: int) -> NDArray[np.generic]:
        """The stored values of a tensor.

        Raises:
            ModelError: the tensor is computed, not stored.
        """
        if tensor not in self._constants:
            raise ModelError(f"tensor {tensor} ({self.tensor_names[tensor]}) is not a constant")
        return self._constants[tensor]

    def tensor(self, name: str) -> int:
        """The number of the tensor with this name.

        Raises:
            ModelError: no tensor, or more than one, has the name.
        """
        found = [number for number, known in enumerate(self.tensor_names) if known == name]
        if len(found) != 1:
            raise ModelError(f"{len(found)} tensors are named {name!r}, expected one")
        return found[0]


def read_graph(content: bytes) -> TfliteGraph:
    """Parse the bytes of a ``.tflite`` file.

    Raises:
        ModelError: the content is not a TFLite file, or a convolution is dilated.
    """
    if not tflite.Model.ModelBufferHasIdentifier(content, 0):
        raise ModelError("not a TFLite file: the identifier TFL3 is missing")
    model = tflite.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(number) for number in range(graph.TensorsLength())]
    constants = {}
    for number, tensor in enumerate(tensors):
        stored = model.Buffers(tensor.Buffer())
        if stored.DataLength() and tensor.Type() in _DTYPES:
            shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
            values = stored.DataAsNumpy().tobytes()
            constants[number] = np.frombuffer(values, _DTYPES[tensor.Type()]).reshape(shape)
    return TfliteGraph(
        operators=tuple(_read_operator(model, graph.Operators(number)) for number in range(graph.OperatorsLength())),
        tensor_names=tuple(tensor.Name().decode() for tensor in tensors),
        output=int(graph.Outputs(0)),
        _constants=constants,
    )


def _read_operator(model: tflite.Model, operator: tflite.Operator) -> Operator:
    code = model.OperatorCodes(operator.OpcodeIndex())
    kind = _OPERATOR_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    inputs = tuple(int(tensor) for tensor in operator.InputsAsNumpy() if tensor >= 0)
    outputs = tuple(int(tensor) for tensor in operator.OutputsAsNumpy())
    if kind not in _OPTIONS or operator.BuiltinOptions() is None:
        return Operator(kind, inputs, outputs)
    table = operator.BuiltinOptions()
    options = _OPTIONS[kind]()
    options.Init(table.Bytes, table.Pos)

    def value(name: str, default: int) -> int:
        return int(getattr(options, name)()) if hasattr(options, name) else default

    if (value("DilationHFactor", 1), value("DilationWFactor", 1)) != (1, 1):
        raise ModelError(f"{kind}: dilated convolutions are not supported")
    return Operator(
        kind,
        inputs,
        outputs,
        activation=_ACTIVATION_NAMES[value("FusedActivationFunction", 0)],
        same_padding=value("Padding", tflite.Padding.VALID) == tflite.Padding.SAME,
        strides=(value("StrideH", 1), value("StrideW", 1)),
        window=(value("FilterHeight", 1), value("FilterWidth", 1)),
        axis=value("Axis", 0),
    )
