"""Mishaps of worker processes at exact moments, without a hook in the product.

Workers load this module by Dask's preload mechanism, whoever starts them. It wraps what a worker calls at the moments in
question. Traces in a folder say how often a mishap came to pass, in whichever process.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import signal
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from birddask.mels.transform import FrontEnd
from birddask.storage import Folder, folder

_MISHAPS = "BIRDDASK_TEST_MISHAPS"
_PATIENCE = "BIRDDASK_TEST_PATIENCE_S"
_ROOT = Path(__file__).parents[2]
_RELEASED = "released"
_BITE_BYTES = 16 << 20

Moment = Literal["reading", "computing", "writing", "half_written"]
Act = Literal["kill", "freeze", "exhaust", "hold"]


@dataclass(frozen=True)
class Mishap:
    """What happens to a worker, and when.

    Attributes:
        traces: a folder for files that say how often it happened; each holds the id of the process.
        moment: ``reading``: samples are about to be read from a recording; ``computing``: the mels of one of its clips
            are about to be computed; ``writing``: a file is about to be made; ``half_written``: half of its bytes are
            written.
        act: ``kill``: the process kills itself; ``freeze``: it stops as a suspended one does; ``exhaust``: it takes
            memory until it is killed; ``hold``: it waits until ``release``.
        file: a pattern found in the path of the recording or of the file that is written.
        times: how often; None is every time.
    """

    traces: str
    moment: Moment
    act: Act
    file: str = ""
    times: int | None = 1

    @property
    def victims(self) -> list[int]:
        """The processes to which it happened, in no order."""
        traces = list(Path(self.traces).glob("happened-*"))
        return [int(trace.read_text()) for trace in traces if trace.stat().st_size]

    def release(self) -> None:
        """Let those go on that are held, and hold nobody any more."""
        (Path(self.traces) / _RELEASED).touch()

    def at(self, moment: Moment, path: str) -> None:
        """Come to pass, if this is the moment."""
        if moment == self.moment and re.search(self.file, path) and self._claimed():
            self._happen()

    def _claimed(self) -> bool:
        """Leave a trace, unless it has happened often enough."""
        traces = Path(self.traces)
        number = 0
        while self.times is None or number < self.times:
            if (traces / _RELEASED).exists():
                return False
            with contextlib.suppress(FileExistsError), (traces / f"happened-{number}").open("x") as trace:
                trace.write(str(os.getpid()))
                return True
            number += 1
        return False

    def _happen(self) -> None:
        if self.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.act == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.act == "exhaust":
            taken = []
            while True:
                taken.append(np.ones(_BITE_BYTES, np.uint8))
                time.sleep(0.02)
        else:
            while not (Path(self.traces) / _RELEASED).exists():
                time.sleep(0.01)


def environment(*mishaps: Mishap, patience_s: float | None = None) -> dict[str, str]:
    """The variables by which workers learn what is to happen to them.

    Args:
        mishaps: in the order in which they come to pass at the same moment.
        patience_s: how long workers wait for storage that is away, if not as long as usual.
    """
    variables = {
        "PYTHONPATH": str(_ROOT),
        "DASK_DISTRIBUTED__WORKER__PRELOAD": repr([__name__]),
        _MISHAPS: json.dumps([asdict(mishap) for mishap in mishaps]),
    }
    return variables if patience_s is None else {**variables, _PATIENCE: str(patience_s)}


def dask_setup(worker: object) -> None:
    """Wrap what a worker calls; Dask calls this before the worker gets work."""
    mishaps = [Mishap(**each) for each in json.loads(os.environ[_MISHAPS])]
    if _PATIENCE in os.environ:
        folder._PATIENCE_S = float(os.environ[_PATIENCE])  # noqa: SLF001 - nobody else may set it

    def at(moment: Moment, path: str) -> None:
        for mishap in mishaps:
            mishap.at(moment, path)

    _wrap_reading_and_computing(at)
    _wrap_writing(at)


class _Thread(threading.local):
    """What a thread has read."""

    recording = ""


def _wrap_reading_and_computing(at: Any) -> None:
    thread = _Thread()
    read_range, mels = Folder.read_range, FrontEnd.mels

    @functools.wraps(read_range)
    def reading(self: Folder, key: str, start: int, end: int) -> bytes:
        at("reading", self.place(key))
        thread.recording = self.place(key)
        return read_range(self, key, start, end)

    @functools.wraps(mels)
    def computing(self: FrontEnd, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        if thread.recording:  # else it is the known clip
            at("computing", thread.recording)
        return mels(self, waveform)

    Folder.read_range = reading  # type: ignore[method-assign]
    FrontEnd.mels = computing  # type: ignore[method-assign]


def _wrap_writing(at: Any) -> None:
    path_open = Path.open

    class HalfWriter(io.BufferedWriter):
        def write(self, content: Any) -> int:
            half = len(content) // 2
            super().write(content[:half])
            self.flush()
            at("half_written", str(self.raw.name))
            return half + super().write(content[half:])

    @functools.wraps(path_open)
    def writing(self: Path, mode: str = "r", *arguments: Any, **settings: Any) -> Any:
        if mode != "xb":
            return path_open(self, mode, *arguments, **settings)
        at("writing", str(self))
        return HalfWriter(io.FileIO(self, "xb"))

    Path.open = writing  # type: ignore[method-assign,assignment]
