"""Processes that a test starts, watches and surely ends: drivers, schedulers, workers, each in a group of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PYTHON = [sys.executable, "-m"]
_PATIENCE_S = 120


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = _PATIENCE_S) -> None:
    """Return when something is so.

    Raises:
        AssertionError: it did not become so.
    """
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, f"{what}: not within {patience_s} s"
        time.sleep(0.01)


@dataclass(frozen=True)
class Running:
    """A process and those that it started, which are of its group.

    Attributes:
        log: what it says, on both streams.
    """

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def broke_down(self) -> bool:
        """Whether it told of an error as only programmers read it."""
        return "Traceback (most recent call last)" in self.said

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def signal_group(self, number: int) -> None:
        """Send a signal to the whole group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def exit_code(self, patience_s: float = _PATIENCE_S) -> int:
        """Wait for the process to end by itself.

        Raises:
            AssertionError: it goes on.
        """
        wait_until(lambda: self.ended, f"the end of {self.process.args}, which said:\n{self.said}", patience_s)
        return int(self.process.returncode)


@contextlib.contextmanager
def started(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    """A process that is ended with all that it started, however the test ends."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def driver(
    *arguments: str | Path, log: Path, environment: Mapping[str, str] | None = None, inside: Sequence[str] = ()
) -> Iterator[Running]:
    """``birddask`` with these arguments.

    Args:
        arguments: of the command line.
        log: what it says goes here.
        environment: beside that of the test.
        inside: a command before the command, that puts it somewhere else.
    """
    command = [*inside, *_PYTHON, "birddask", *map(str, arguments)]
    with started(command, log, environment or {}) as running:
        yield running


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler and workers that are processes of their own.

    Attributes:
        address: of the scheduler.
        folder: for logs and what workers put aside.
    """

    scheduler: Running
    address: str
    folder: Path

    @property
    def file(self) -> Path:
        """A cluster file for drivers."""
        path = self.folder / "cluster.yaml"
        path.write_text(f"kind: existing\naddress: {self.address}\n")
        return path

    def joined(self, name: str) -> bool:
        """Whether a worker of this name was ever there."""
        return f"name: {name}\n" in self.scheduler.said

    def dropped(self, name: str) -> bool:
        """Whether a worker of this name went, or was given up."""
        return re.search(rf"Remove worker addr: \S+ name: {name}\b", self.scheduler.said) is not None

    @contextlib.contextmanager
    def worker(
        self,
        name: str,
        environment: Mapping[str, str] | None = None,
        inside: Sequence[str] = (),
        interface: str = "lo",
        *,
        nanny: bool = True,
    ) -> Iterator[Running]:
        """A worker of two threads, which need not have joined yet; arguments as of ``driver``.

        Args:
            name: as the scheduler knows it.
            environment: beside that of the test.
            inside: a command before the command.
            interface: the network card by which others reach it.
            nanny: a process watches over that of the worker, and starts another one when it dies.
        """
        own = self.folder / name
        own.mkdir()
        options = ["--nworkers", "1", "--nthreads", "2", "--no-dashboard", "--name", name, "--interface", interface]
        options += [] if nanny else ["--no-nanny"]
        command = [*inside, *_PYTHON, "dask", "worker", self.address, *options, "--local-directory", str(own)]
        with started(command, own / "log", environment or {}) as running:
            yield running

    def wait_for(self, *names: str) -> None:
        """Return when these workers have joined."""
        wait_until(lambda: all(self.joined(name) for name in names), f"the workers {names}")


@contextlib.contextmanager
def cluster(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    inside: Sequence[str] = (),
    host: str = "127.0.0.1",
) -> Iterator[Cluster]:
    """A scheduler that listens, still without workers; arguments as of ``driver``."""
    folder.mkdir(parents=True)
    options = ["--host", host, "--port", "0", "--dashboard-address", f"{host}:0"]
    command = [*inside, *_PYTHON, "dask", "scheduler", *options]
    with started(command, folder / "scheduler.log", environment or {}) as running:
        wait_until(lambda: running.ended or "Scheduler at:" in running.said, "a scheduler")
        assert not running.ended, running.said
        yield Cluster(running, _address(running), folder)


def _address(scheduler: Running) -> str:
    found = re.search(r"Scheduler at: *(\S+)", scheduler.said)
    assert found, scheduler.said
    return found[1]
