"""How a person or a batch system stops a run: once gently, twice at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_GENTLY = b"\nstopping: blocks that run are finished, no more are started; ^C again stops at once\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def brake() -> Iterator[Callable[[], bool]]:
    """Whether somebody asked to stop, by ^C or SIGTERM; asked again, KeyboardInterrupt is raised where the program is.

    Outside the main thread, which alone hears of signals, nobody can ask.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        # Not `print`: the signal may have come in the middle of one.
        os.write(sys.stderr.fileno(), _GENTLY)

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
