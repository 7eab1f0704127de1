"""From a description of a cluster to a client of it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import dask
from distributed import Client

from birddask.clusters.cluster_file import ClusterSpec
from birddask.clusters.existing import ExistingSpec, reach_existing
from birddask.clusters.local import start_local

# Dask makes workers give every freed megabyte back to the system, which costs a fifth of their time in page faults
# (docs/design/0004). With these they keep up to 128 MiB; larger arrays than 32 MiB still come and go.
_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": 128 << 20, "MALLOC_MMAP_THRESHOLD_": 32 << 20}


@contextlib.contextmanager
def on_demand(spec: ClusterSpec, workers: int | None) -> Iterator[Callable[[], Client]]:
    """A function that connects when it is first called; a run with nothing to do starts no cluster."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda: stack.enter_context(connect(spec, workers)))


@contextlib.contextmanager
def connect(spec: ClusterSpec, workers: int | None) -> Iterator[Client]:
    """A client of the cluster, closed afterwards; a cluster that we started ends with it.

    Args:
        spec: where to run.
        workers: overrides the number of workers of a cluster that we start.

    Raises:
        ConfigError: the cluster can't be as it is described, or can't be reached.
    """
    with dask.config.set(_settings()), _opened(spec, workers) as client:
        yield client


def _opened(spec: ClusterSpec, workers: int | None) -> contextlib.AbstractContextManager[Client]:
    match spec:
        case ExistingSpec():
            return reach_existing(spec, workers)
        case _:
            return start_local(spec, workers)


def _settings() -> dict[str, object]:
    """Dask's settings for workers of our own."""
    environment = dask.config.get("distributed.nanny.pre-spawn-environ")
    return {
        "distributed.worker.use-file-locking": False,
        "distributed.nanny.pre-spawn-environ": {**environment, **_ALLOCATOR},
    }
