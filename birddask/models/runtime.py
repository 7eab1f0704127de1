"""ONNX Runtime (but for its quantiser, the only import): what it computes with, and networks that are ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.models.card import Precision


@dataclass(frozen=True)
class Provider:
    """What ONNX Runtime computes with.

    Attributes:
        name: in ONNX Runtime.
        package: that has it.
        clips_at_once: clips scored together, unless the network has a number of its own (docs/design/0004).
        options: for it.
        bfloat16: further options to compute with that; None if it can't.
    """

    name: str
    package: str
    clips_at_once: int
    options: Mapping[str, str]
    bfloat16: Mapping[str, str] | None = None


CPU = "cpu"
_PROVIDERS: Mapping[str, Provider] = {
    CPU: Provider("CPUExecutionProvider", "onnxruntime", 4, {}),
    # TensorFloat-32 has ten bits; an algorithm that is looked for anew may be another one, with other last bits.
    "cuda": Provider(
        "CUDAExecutionProvider", "onnxruntime-gpu", 64, {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}
    ),
    "openvino": Provider(
        "OpenVINOExecutionProvider",
        "onnxruntime-openvino",
        8,
        {"device_type": "CPU", "num_of_threads": "1"},
        {"load_config": '{"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}'},
    ),
    "coreml": Provider("CoreMLExecutionProvider", "onnxruntime", 8, {"ModelFormat": "MLProgram"}),
}


@dataclass(frozen=True)
class Running:
    """A network that ONNX Runtime has loaded; safe to ask from several threads.

    Attributes:
        what: it is, for messages.
    """

    what: str
    _session: onnxruntime.InferenceSession

    @property
    def outputs(self) -> list[str]:
        """The names of all outputs."""
        return [each.name for each in self._session.get_outputs()]

    @property
    def rows(self) -> int | None:
        """The first side of the first input; None if it may be of any length."""
        sides = self._session.get_inputs()[0].shape
        return sides[0] if sides and isinstance(sides[0], int) else None

    def run(self, outputs: Sequence[str], given: Mapping[str, NDArray[np.generic]]) -> list[NDArray[Any]]:
        """What the network makes of some inputs.

        Args:
            outputs: names of those that are wanted.
            given: by name.

        Raises:
            ModelError: ONNX Runtime refuses.
        """
        try:
            made: list[NDArray[Any]] = self._session.run(list(outputs), dict(given))
        except Exception as error:  # ONNX Runtime's own exceptions have no common base
            shapes = ", ".join(f"{name} {values.shape}" for name, values in given.items())
            raise ModelError(f"{self.what} refuses {shapes}: {error}") from error
        return made


def available_providers() -> tuple[str, ...]:
    """What the installed ONNX Runtime can compute with, on a machine that has what it takes."""
    installed = onnxruntime.get_available_providers()
    return tuple(provider for provider, known in _PROVIDERS.items() if known.name in installed)


def available(provider: str, precision: Precision) -> Provider:
    """The provider of a name, with its options for a precision.

    Raises:
        ModelError: there is none of that name, it is not installed, or it lacks the precision.
    """
    if provider not in _PROVIDERS:
        raise ModelError(f"ONNX Runtime's provider {provider!r} is unknown here; known are {', '.join(_PROVIDERS)}")
    wanted = _PROVIDERS[provider]
    if provider not in available_providers():
        raise ModelError(
            f"the installed ONNX Runtime can't compute with {provider}; the package {wanted.package} can, "
            "on a machine that has what it takes, and takes the place of onnxruntime"
        )
    if precision == "float32":
        return wanted
    if wanted.bfloat16 is None:
        able = ", ".join(name for name, each in _PROVIDERS.items() if each.bfloat16 is not None)
        raise ModelError(
            f"the job wants `precision: {precision}`, which ONNX Runtime does not compute with {provider}; set "
            f"BIRDDASK_PROVIDER to one that does ({able}) here and on every worker, or leave `precision` out"
        )
    return replace(wanted, options={**wanted.options, **wanted.bfloat16})


def start(network: bytes, what: str) -> Running:
    """Load a network that is asked now and then: on the CPU, with all of its cores.

    Args:
        network: an ONNX file.
        what: it is, for messages.

    Raises:
        ModelError: ONNX Runtime refuses it.
    """
    return _started(network, what, onnxruntime.SessionOptions(), _PROVIDERS[CPU])


def start_on_one_thread(network: bytes, what: str, provider: Provider, rows: str) -> Running:
    """Load a network that workers ask: parallelism is theirs, and they don't fight for cores.

    Args:
        network: an ONNX file.
        what: it is, for messages.
        provider: what to compute with.
        rows: name of the open side that becomes ``provider.clips_at_once``. A network whose shapes are all known is
            optimised better, and never sees another number of clips, on which last bits may depend.

    Raises:
        ModelError: ONNX Runtime refuses it, or computes with something else.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_free_dimension_override_by_name(rows, provider.clips_at_once)
    return _started(network, what, options, provider)


def _started(network: bytes, what: str, options: onnxruntime.SessionOptions, provider: Provider) -> Running:
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(network, options, providers=[(provider.name, provider.options)])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base
        raise ModelError(f"ONNX Runtime can't load {what}: {error}") from error
    if session.get_providers()[0] != provider.name:  # ONNX Runtime turns to the CPU without a word
        raise ModelError(f"ONNX Runtime can't compute with {provider.name} on this machine; its log says why")
    return Running(what, session)
