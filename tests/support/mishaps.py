"""Mishaps of worker processes at exact moments, without a hook in the product.

Workers load this module by Dask's preload mechanism, whoever starts them. It wraps what a worker calls at the moments
in question. Traces in a folder say how often a mishap came to pass, in whichever process.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from distributed import Client, Worker
from numpy.typing import NDArray

from birddask.mels.coding import Stored
from birddask.mels.store import MelStore
from birddask.storage import Folder, folder

_MISHAPS = "BIRDDASK_TEST_MISHAPS"
_PATIENCE = "BIRDDASK_TEST_PATIENCE_S"
_ROOT = Path(__file__).parents[2]
_RELEASED = "released"
_BITE_BYTES = 16 << 20

Moment = Literal["reading", "computing", "writing", "half_written"]
Act = Literal["kill", "freeze", "exhaust", "hold"]
At = Callable[[Moment, str], None]
"""Told that a process is at a moment, with a file."""


@dataclass(frozen=True)
class Mishap:
    """What happens to a worker, and when.

    Attributes:
        traces: a folder for files that say how often it happened; each holds the id of the process.
        moment: ``reading``: samples are about to be read from a recording; ``computing``: the mels of a clip have been
            computed, those of its block not yet; ``writing``: a file is about to be made; ``half_written``: half of
            its bytes are written.
        act: ``kill``: the process kills itself; ``freeze``: it stops as a suspended one does; ``exhaust``: it takes
            memory until it is killed; ``hold``: it waits until ``release``.
        file: a pattern found in the path of what is read or written.
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
    """The variables by which workers, and the driver that starts them, learn what is to happen to them.

    Args:
        mishaps: in the order in which they come to pass at the same moment.
        patience_s: how long storage that is away is waited for, if not as long as usual.
    """
    variables = {
        "PYTHONPATH": str(_ROOT),
        "DASK_DISTRIBUTED__WORKER__PRELOAD": repr([__name__]),
        "DASK_DISTRIBUTED__CLIENT__PRELOAD": repr([__name__]),
        _MISHAPS: json.dumps([asdict(mishap) for mishap in mishaps]),
    }
    return variables if patience_s is None else {**variables, _PATIENCE: str(patience_s)}


def dask_setup(process: Worker | Client) -> None:
    """Wrap what a worker calls; Dask calls this before the worker gets work, or the client gives any."""
    if _PATIENCE in os.environ:
        folder._PATIENCE_S = float(os.environ[_PATIENCE])  # noqa: SLF001 - nobody else may set it
    if isinstance(process, Client):
        return
    mishaps = [Mishap(**each) for each in json.loads(os.environ[_MISHAPS])]

    def at(moment: Moment, path: str) -> None:
        for mishap in mishaps:
            mishap.at(moment, path)

    _wrap_reading_and_computing(at)
    _wrap_writing(at)


def _wrap_reading_and_computing(at: At) -> None:
    read_range, to_stored = Folder.read_range, MelStore.to_stored

    @functools.wraps(read_range)
    def reading(self: Folder, key: str, start: int, end: int) -> bytes:
        at("reading", self.place(key))
        return read_range(self, key, start, end)

    @functools.wraps(to_stored)
    def computing(self: MelStore, mels: NDArray[np.float32]) -> Stored:
        at("computing", "")
        return to_stored(self, mels)

    Folder.read_range = reading  # type: ignore[method-assign]
    MelStore.to_stored = computing  # type: ignore[method-assign]


def _wrap_writing(at: At) -> None:
    path_open = Path.open

    class HalfWriter(io.BufferedWriter):
        def write(self, content: bytes) -> int:
            whole = memoryview(content)
            half = len(whole) // 2
            super().write(whole[:half])
            self.flush()
            at("half_written", str(self.raw.name))
            return half + super().write(whole[half:])

    @functools.wraps(path_open)
    def writing(self: Path, mode: str = "r", *arguments: object, **settings: object) -> IO[Any]:
        if mode != "xb":
            return path_open(self, mode, *arguments, **settings)
        at("writing", str(self))
        return HalfWriter(io.FileIO(self, "xb"))

    Path.open = writing  # type: ignore[method-assign,assignment]
