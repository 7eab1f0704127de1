"""A run that goes on when its terminal has gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

_DETACH = "--detach"


def detach(arguments: Sequence[str]) -> Iterator[str]:
    """Start the program anew with these arguments in a session of its own; lines that tell how to follow it.

    Args:
        arguments: of the command line, ``--detach`` among them, which is left out.
    """
    log = Path(f"birddask-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log").absolute()
    command = [sys.executable, "-m", "birddask", *(each for each in arguments if each != _DETACH)]
    with log.open("xb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    yield f"the run goes on as process {process.pid}; what it says goes to {log}"
    yield "follow it from anywhere with `birddask status JOB.yaml --watch`"
    yield f"stop it gently with `kill {process.pid}`"
