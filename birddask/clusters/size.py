"""How many workers a cluster has and how large they are: what all kinds that we start have in common."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from dask.utils import parse_bytes
from distributed.core import Status
from distributed.deploy.adaptive import Adaptive
from distributed.deploy.spec import SpecCluster

from birddask.documents import document
from birddask.errors import BirddaskError, ConfigError

# One block computes while another one reads or writes (docs/design/0006).
THREADS_PER_WORKER = 2
# For the nanny and what started it, which a batch system or a container counts, too.
MEMORY_BESIDE_BYTES = 256 << 20
_LOOK_EVERY_S = 2


_log = logging.getLogger(__name__)


@document
@dataclass(frozen=True)
class Bounds:
    """Bounds between which the number of workers follows the work.

    Attributes:
        minimum: workers that stay even when there is nothing to do.
        maximum: workers at most.
    """

    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1:
            raise ConfigError(
                f"`adaptive`: {self.minimum} to {self.maximum} workers can't be; "
                "`minimum` is 0 or more, `maximum` is 1 or more and not below `minimum`"
            )


def size_of(override: int | None, workers: int | None, adaptive: Bounds | None, default: int) -> Bounds:
    """The number of workers to start, equal bounds for a fixed one.

    Args:
        override: ``--workers``, which counts before the cluster file.
        workers: of the cluster file.
        adaptive: of the cluster file.
        default: where nothing is said.

    Raises:
        ConfigError: no worker at all, or the file says two things.
    """
    if workers is not None and adaptive is not None:
        raise ConfigError("the cluster file has both `workers` and `adaptive`; keep one of them")
    if override is None and adaptive is not None:
        return adaptive
    count = next(each for each in (override, workers, default) if each is not None)
    if count < 1:
        raise ConfigError(f"{count} workers can't do any work; ask for at least one")
    return Bounds(count, count)


def keep_size(cluster: SpecCluster, size: Bounds) -> None:
    """Let a cluster follow the work between these bounds, and replace workers that are gone for good."""
    cluster.adapt(_Keeper, minimum=size.minimum, maximum=size.maximum, interval=_LOOK_EVERY_S)


class _Keeper(Adaptive):
    """Dask's own, which replaces what was lost, and here also what could not be started: a host may come back."""

    cluster: SpecCluster
    _said = ""

    async def adapt(self) -> None:
        for name, worker in list(self.cluster.workers.items()):
            if worker.status != Status.running:
                await worker.close()
                del self.cluster.workers[name]
        try:
            await super().adapt()
        except (BirddaskError, OSError, RuntimeError) as error:
            if str(error) != self._said:
                self._said = str(error)
                _log.warning("a worker can't be started, trying again: %s", error)


def memory_bytes(memory: str) -> int:
    """A worker's memory as a number of bytes.

    Raises:
        ConfigError: not a size.
    """
    try:
        return int(parse_bytes(memory))
    except ValueError as error:
        raise ConfigError(f"`memory_per_worker` is {memory!r}, write it as '2 GiB' or '800 MB'") from error
