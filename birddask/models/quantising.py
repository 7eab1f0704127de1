"""A network whose weights and activations are 8-bit integers, by ONNX Runtime's static quantisation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from birddask.errors import ModelError
from birddask.mels.arrays import Array32
from birddask.models.card import ModelCard
from birddask.models.network import look_into


@dataclass(frozen=True)
class Kind:
    """Which operators are quantised.

    Attributes:
        operators: of ONNX; empty for all that can be.
    """

    title: str
    operators: tuple[str, ...]


KINDS = (
    Kind("all layers", ()),
    Kind("convolutions and dense layers", ("Conv", "Gemm", "MatMul")),
    Kind("dense layers", ("Gemm", "MatMul")),
)
"""From the one that changes most to the one that changes least."""


def kinds_for(network: bytes) -> list[Kind]:
    """The kinds that a network has operators for."""
    there = {node.op_type for node in onnx.load_from_string(network).graph.node}
    return [kind for kind in KINDS if not kind.operators or there & set(kind.operators)]


class _Clips(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    """Clips for calibration, as many at a time as the network takes."""

    def __init__(self, name: str, batches: Iterator[Array32]) -> None:
        self._name, self._batches = name, batches

    def get_next(self) -> dict[str, Array32] | None:
        """The next input; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def quantised(card: ModelCard, network: bytes, kind: Kind, mels: Array32) -> bytes:
    """The ONNX file of a network with 8-bit weights, one scale a channel, and 8-bit activations.

    Args:
        card: of the model.
        network: its ONNX file.
        kind: what is quantised.
        mels: float32 (clip, channel, mel, frame), of clips that show how far activations go.

    Raises:
        ModelError: ONNX Runtime can't quantise it.
    """
    axes = look_into(network, f"the network of {card.name}").inputs[0].shape
    at_once = (axes and axes[0]) or 1
    batches = (
        card.input.prepared(mels[start : start + at_once]) for start in range(0, len(mels) - at_once + 1, at_once)
    )
    with tempfile.TemporaryDirectory() as folder:
        prepared, written = Path(folder, "prepared.onnx"), Path(folder, "quantised.onnx")
        try:
            # Folds normalisations into convolutions. Symbolic shapes would need another package; no layer needs them.
            quant_pre_process(onnx.load_from_string(network), prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                written,
                _Clips(card.input.name, batches),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=list(kind.operators) or None,
            )
        except Exception as error:  # ONNX Runtime's own exceptions have no common base
            raise ModelError(f"ONNX Runtime can't quantise the network of {card.name}: {error}") from error
        return written.read_bytes()
