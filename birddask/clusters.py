"""Where work runs: a cluster file, or this machine, as a connected Dask client."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import dask
from dask.utils import parse_bytes
from distributed import Client, LocalCluster
from distributed.comm.addressing import get_address_host_port

from birddask.documents import document, parse, parse_yaml
from birddask.errors import ConfigError

_CONNECT_TIMEOUT_S = 30
# One block computes while another one reads or writes.
_THREADS_PER_WORKER = 2
# Dask makes workers give every freed megabyte back to the system, which costs a fifth of their time in page faults
# (docs/design/0004). With these they keep up to 128 MiB; larger arrays than 32 MiB still come and go.
_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": 128 << 20, "MALLOC_MMAP_THRESHOLD_": 32 << 20}


@document
@dataclass(frozen=True)
class LocalSpec:
    """Worker processes on this machine.

    Attributes:
        workers: processes; None takes one a core that this process may use.
        memory_per_worker: a size such as ``2 GiB``; None shares the machine's memory equally.
    """

    kind: Literal["local"]
    workers: int | None = None
    memory_per_worker: str | None = None


@document
@dataclass(frozen=True)
class ExistingSpec:
    """A cluster that somebody else started.

    Attributes:
        address: of its scheduler, for example ``tcp://10.0.0.5:8786``.
    """

    kind: Literal["existing"]
    address: str


ClusterSpec = LocalSpec | ExistingSpec
_KINDS: dict[str, type[LocalSpec | ExistingSpec]] = {
    "local": LocalSpec,
    "existing": ExistingSpec,
}


def read_cluster_file(path: Path) -> ClusterSpec:
    """The cluster that a YAML file describes.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the cluster file {path} can't be read: {error.strerror}") from error
    mapping = parse_yaml(content, str(path))
    kind = mapping.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigError(f"{path}: the kind of the cluster is {kind!r}, it must be one of {', '.join(_KINDS)}")
    return parse(_KINDS[kind], mapping, str(path))


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def on_demand(spec: ClusterSpec, workers: int | None) -> Iterator[Callable[[], Client]]:
    """A function that connects when it is first called; a run with nothing to do starts no cluster."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda: stack.enter_context(connect(spec, workers)))


@contextlib.contextmanager
def connect(spec: ClusterSpec, workers: int | None) -> Iterator[Client]:
    """A client of the cluster, closed afterwards; a local cluster ends with it.

    Args:
        spec: where to run.
        workers: overrides the number of workers of a local cluster.

    Raises:
        ConfigError: the scheduler can't be reached, or ``workers`` is set for a cluster that is not ours.
    """
    if isinstance(spec, ExistingSpec):
        if workers is not None:
            raise ConfigError("--workers can't change a cluster that is running already")
        try:
            # Raises ValueError if it is no address; a Client would only find out with its threads running.
            get_address_host_port(spec.address)
            client = Client(spec.address, timeout=_CONNECT_TIMEOUT_S)
        except (OSError, ValueError) as error:
            raise ConfigError(f"no Dask scheduler answers at {spec.address!r}: {error}") from error
        with client:
            yield client
        return
    count = next(each for each in (workers, spec.workers, available_cores()) if each is not None)
    if count < 1:
        raise ConfigError(f"{count} workers can't do any work; ask for at least one")
    memory = _memory_limit(spec)
    with (
        dask.config.set(_worker_config()),
        LocalCluster(
            n_workers=count,
            threads_per_worker=_THREADS_PER_WORKER,
            processes=True,
            memory_limit=memory,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _worker_config() -> dict[str, object]:
    """Dask's settings for workers of our own."""
    environment = dask.config.get("distributed.nanny.pre-spawn-environ")
    return {
        "distributed.worker.use-file-locking": False,
        "distributed.nanny.pre-spawn-environ": {**environment, **_ALLOCATOR},
    }


def _memory_limit(spec: LocalSpec) -> int | Literal["auto"]:
    if spec.memory_per_worker is None:
        return "auto"
    try:
        return int(parse_bytes(spec.memory_per_worker))
    except ValueError as error:
        raise ConfigError(
            f"`memory_per_worker` is {spec.memory_per_worker!r}, write it as '2 GiB' or '800 MB'"
        ) from error
