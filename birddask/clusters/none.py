"""No cluster: the tasks run in this process, for a machine with little memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from distributed import Client, LocalCluster

from birddask.clusters.size import THREADS_PER_WORKER
from birddask.documents import document
from birddask.errors import ConfigError


@document
@dataclass(frozen=True)
class NoneSpec:
    """No worker processes; what ends the process of a task ends the run."""

    kind: Literal["none"]


@contextlib.contextmanager
def start_none(workers: int | None) -> Iterator[Client]:
    """Dask's scheduler and one worker as threads of this process, without a limit of memory.

    Raises:
        ConfigError: ``workers`` is set.
    """
    if workers is not None:
        raise ConfigError("--workers can't be set for `kind: none`, which has no workers; use `kind: local`")
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=THREADS_PER_WORKER,
            processes=False,
            memory_limit=0,
            # Without a protocol that has addresses Dask would serve its pages to the whole network.
            protocol="tcp://",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
