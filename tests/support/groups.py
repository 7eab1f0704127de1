"""Small machines: control groups of Linux that hold a process to one core and little memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import unavailable

_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class SmallMachine:
    """One core and a limit of memory for whatever is run on it.

    Attributes:
        peak_file: has the largest number of bytes that were used at a time, pages of files included.
    """

    group: Path
    peak_file: Path

    def run(self, *command: str | Path) -> tuple[subprocess.CompletedProcess[str], float]:
        """Run Python with arguments to its end; how it ended, and seconds."""
        core = min(os.sched_getaffinity(0))
        script = f'echo $$ > {self.group / "cgroup.procs"} && exec taskset -c {core} "$@"'
        began_s = time.monotonic()
        ended = subprocess.run(
            ["/bin/sh", "-c", script, "sh", sys.executable, *map(str, command)],
            capture_output=True,
            text=True,
            check=False,
        )
        return ended, time.monotonic() - began_s

    @property
    def peak_bytes(self) -> int:
        return int(self.peak_file.read_text())


@contextlib.contextmanager
def small_machine(memory_bytes: int) -> Iterator[SmallMachine]:
    """A control group with so much memory and no swap."""
    second = (_GROUPS / "cgroup.controllers").exists()
    group = (_GROUPS if second else _GROUPS / "memory") / f"birddask-{uuid.uuid4().hex}"
    try:
        group.mkdir()
        if second:
            (group / "memory.max").write_text(str(memory_bytes))
            (group / "memory.swap.max").write_text("0")
        else:
            (group / "memory.limit_in_bytes").write_text(str(memory_bytes))
    except OSError as error:
        unavailable(f"control groups can't be made here: {error}")
    try:
        yield SmallMachine(group, group / ("memory.peak" if second else "memory.max_usage_in_bytes"))
    finally:
        group.rmdir()
