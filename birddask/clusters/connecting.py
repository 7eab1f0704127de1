"""From a description of a cluster to a client of it."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping

import dask
from distributed import Client

from birddask.clusters.cluster_file import ClusterSpec
from birddask.clusters.existing import ExistingSpec, reach_existing
from birddask.clusters.kubernetes import KubernetesSpec, start_kubernetes
from birddask.clusters.local import LocalSpec, start_local
from birddask.clusters.none import NoneSpec, start_none
from birddask.clusters.outfit import equipped
from birddask.clusters.slurm import SlurmSpec, start_slurm
from birddask.clusters.ssh import SshSpec, start_ssh
from birddask.clusters.versions import require_same_versions

# A worker that is frozen or cut off is given up after this time, and others do its tasks; Dask waits for 5 minutes.
# Locks in scratch folders don't work on all disks.
_SETTINGS = {"distributed.scheduler.worker-ttl": "2 minutes", "distributed.worker.use-file-locking": False}
_PATIENCE_S = 10

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def on_demand(spec: ClusterSpec, workers: int | None = None) -> Iterator[Callable[[], Client]]:
    """A function that connects as ``connect`` when it is first called; a run with nothing to do starts no cluster."""
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
    # What it would say of a scheduler that is gone, with a traceback, the engine says in one line.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with dask.config.set(_unless_set(_SETTINGS)), _opened(spec, workers) as client:
        _await_first_worker(client)
        require_same_versions(client)
        with equipped(client, taken_back=isinstance(spec, ExistingSpec)):
            yield client


def _opened(spec: ClusterSpec, workers: int | None) -> contextlib.AbstractContextManager[Client]:
    match spec:
        case LocalSpec():
            return start_local(spec, workers)
        case NoneSpec():
            return start_none(workers)
        case SshSpec():
            return start_ssh(spec, workers)
        case SlurmSpec():
            return start_slurm(spec, workers)
        case KubernetesSpec():
            return start_kubernetes(spec, workers)
        case ExistingSpec():
            return reach_existing(spec, workers)


def _await_first_worker(client: Client) -> None:
    """Wait for as long as a queue may take. A task makes clusters start a worker that have none when idle."""
    first = client.submit(os.getpid, pure=False)
    try:
        first.result(timeout=_PATIENCE_S)
    except TimeoutError:
        _log.warning(
            "waiting for the first worker of the cluster; it may be queued, or not able to reach %s",
            client.scheduler_info(n_workers=0)["address"],
        )
        first.result()


def _unless_set(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings without those that the user has changed."""
    defaults = dask.config.merge(*dask.config.defaults)
    return {
        key: value for key, value in settings.items() if dask.config.get(key) == dask.config.get(key, config=defaults)
    }
