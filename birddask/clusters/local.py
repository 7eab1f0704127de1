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
from distributed.system import MEMORY_LIMIT

from birddask.clusters.size import THREADS_PER_WORKER, Bounds, keep_size, memory_bytes, size_of
from birddask.clusters.tls import Tls, security_of
from birddask.documents import document

# What a worker with full blocks of BirdNET takes at its peak (docs/benchmarks.md), and half of that above it.
_ROOM_BYTES = 1536 << 20


@document
@dataclass(frozen=True)
class LocalSpec:
    """Worker processes on this machine.

    Attributes:
        workers: processes; None takes one a core that this process may use, as far as the machine's memory goes.
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
    asked_bytes = memory_bytes(spec.memory_per_worker) if spec.memory_per_worker is not None else None
    fitting = MEMORY_LIMIT // (asked_bytes or _ROOM_BYTES)
    size = size_of(workers, spec.workers, spec.adaptive, max(1, min(available_cores(), fitting)))
    with _deaf():
        started = LocalCluster(
            n_workers=size.minimum,
            threads_per_worker=THREADS_PER_WORKER,
            processes=True,
            memory_limit=asked_bytes or MEMORY_LIMIT // size.maximum,
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
