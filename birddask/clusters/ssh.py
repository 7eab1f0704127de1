"""Workers on other hosts, started by SSH."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import shlex
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from distributed import Client, Scheduler
from distributed.deploy.spec import ProcessInterface, SpecCluster

from birddask.clusters.driver_host import require_own_host
from birddask.clusters.extras import require_extra
from birddask.clusters.joining import worker_options
from birddask.clusters.size import keep_size, memory_bytes, size_of
from birddask.clusters.tls import Tls, security_of
from birddask.documents import document
from birddask.errors import ConfigError

if TYPE_CHECKING:
    import asyncssh

_PATIENCE_S = 60
_CLOSE_S = 10
_LINES_KEPT = 5
_JOINED = "Registered to"


@document
@dataclass(frozen=True)
class SshSpec:
    """Worker processes on other hosts, started by SSH and reporting to this machine.

    A login must ask nothing: user, port, key and jump host stand in ``~/.ssh/config``, as they do for ``ssh HOST``.

    Attributes:
        hosts: names or addresses; one that stands twice gets twice as many workers.
        workers: in all, dealt out to the hosts in turn; None takes one for each host.
        memory_per_worker: a size such as ``2 GiB``; None takes the share of a worker's threads in the host's cores.
        python: path of the Python on the hosts that has birddask; None takes the path of the one that runs here.
        driver_host: name or address under which the hosts reach this machine, if Dask doesn't find the right one.
        tls: files for encrypted connections; None leaves them open.
    """

    kind: Literal["ssh"]
    hosts: tuple[str, ...]
    workers: int | None = None
    memory_per_worker: str | None = None
    python: str | None = None
    driver_host: str | None = None
    tls: Tls | None = None

    def __post_init__(self) -> None:
        if not self.hosts:
            raise ConfigError("`hosts` is empty; name at least one")


@contextlib.contextmanager
def start_ssh(spec: SshSpec, workers: int | None) -> Iterator[Client]:
    """A scheduler in this process with workers on the hosts, all of which end with the client.

    Raises:
        ConfigError: a size or `driver_host` that can't be, a host where no worker starts, or ``asyncssh`` is missing.
    """
    require_extra("ssh", "asyncssh")
    require_own_host(spec.driver_host)
    size = size_of(workers, spec.workers, None, len(spec.hosts))
    security = security_of(spec.tls)
    command = _command(spec, worker_options(security))
    hosts = itertools.islice(itertools.cycle(spec.hosts), size.minimum)
    with (
        SpecCluster(
            workers={
                number: {"cls": _RemoteWorker, "options": {"host": host, "command": command}}
                for number, host in enumerate(hosts)
            },
            scheduler={
                "cls": Scheduler,
                "options": {
                    "host": spec.driver_host,
                    "port": 0,
                    "dashboard_address": ":0",
                    "security": security,
                    "protocol": "tls://" if security else "tcp://",
                },
            },
            security=security,
            silence_logs=logging.WARNING,
        ) as cluster,
        Client(cluster) as client,
    ):
        keep_size(cluster, size)
        yield client


def _command(spec: SshSpec, options: Sequence[str]) -> list[str]:
    """The command line of a worker, without scheduler and name."""
    memory = "auto" if spec.memory_per_worker is None else str(memory_bytes(spec.memory_per_worker))
    python = spec.python or sys.executable
    return [
        *(python, "-m", "distributed.cli.dask_worker", *options),
        *("--memory-limit", memory, "--death-timeout", str(_PATIENCE_S)),
    ]


class _RemoteWorker(ProcessInterface):
    """A worker with its nanny in a terminal on another host, so that it ends with the connection, however that ends.

    Its output is read to the end: nobody must wait for a reader.
    """

    def __init__(self, scheduler: str, name: object, host: str, command: list[str]) -> None:
        super().__init__(scheduler=scheduler, name=name)  # type: ignore[no-untyped-call]
        self._host = host
        self._line = shlex.join([*command, "--name", str(name), scheduler])
        self._connection: asyncssh.SSHClientConnection | None = None
        self._process: asyncssh.SSHClientProcess[str] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Log in, run the command and return when the worker has joined.

        Raises:
            ConfigError: it does not; with what the host says.
        """
        import asyncssh  # noqa: PLC0415 - an extra

        try:
            self._connection = await asyncssh.connect(self._host, keepalive_interval=_PATIENCE_S)
            self._process = await self._connection.create_process(self._line, term_type="dumb", errors="replace")
        except (OSError, asyncssh.Error) as error:
            raise ConfigError(f"no worker can be started on {self._host} by SSH: {error}") from error
        said: deque[str] = deque(maxlen=_LINES_KEPT)
        async for line in self._process.stdout:
            said.append(line)
            if _JOINED in line:
                break
        else:
            raise ConfigError(f"the worker on {self._host} ended before it joined; it said:\n{''.join(said).strip()}")
        self._reading = asyncio.create_task(self._read_on(self._process))
        await super().start()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Press ^C and hang up."""
        if self._process is not None:
            with contextlib.suppress(OSError, TimeoutError):  # the host is away, and will hear that the line is dead
                self._process.stdin.write("\x03")
                await asyncio.wait_for(self._process.wait_closed(), _CLOSE_S)
        if self._reading is not None:
            self._reading.cancel()
        if self._connection is not None:
            self._connection.close()
        await super().close()  # type: ignore[no-untyped-call]

    async def _read_on(self, process: asyncssh.SSHClientProcess[str]) -> None:
        async for _ in process.stdout:
            pass
