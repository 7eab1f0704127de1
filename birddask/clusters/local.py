"""Workers on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Literal

from distributed import Client, LocalCluster

from birddask.clusters.size import THREADS_PER_WORKER, Bounds, keep_size, memory_bytes, size_of
from birddask.clusters.tls import Tls, security_of
from birddask.documents import document


@document
@dataclass(frozen=True)
class LocalSpec:
    """Worker processes on this machine.

    Attributes:
        workers: processes; None takes one a core that this process may use.
        memory_per_worker: a size such as ``2 GiB``; None shares the machine's memory equally.
        adaptive: bounds instead of a fixed number.
        tls: files for encrypted connections; None leaves them open.
    """

    kind: Literal["local"]
    workers: int | None = None
    memory_per_worker: str | None = None
    adaptive: Bounds | None = None
    tls: Tls | None = None


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def start_local(spec: LocalSpec, workers: int | None) -> Iterator[Client]:
    """A cluster on this machine; it ends with the client.

    Raises:
        ConfigError: a size that can't be.
    """
    size = size_of(workers, spec.workers, spec.adaptive, available_cores())
    memory = "auto" if spec.memory_per_worker is None else memory_bytes(spec.memory_per_worker)
    with _deaf():
        started = LocalCluster(
            n_workers=size.minimum,
            threads_per_worker=THREADS_PER_WORKER,
            processes=True,
            memory_limit=memory,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address=None,
            security=security_of(spec.tls),
            protocol="tls://" if spec.tls else "tcp://",
        )
    with started as cluster, Client(cluster) as client:
        keep_size(cluster, size)
        yield client


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Threads that begin meanwhile do not hear ^C, nor do the processes that they start, then or later.

    In a terminal it goes to all processes that were started from it; the driver alone decides what comes of it.
    """
    # Else the first of those threads to start a process would start it, and unblock signals on the way.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
