"""How many workers a cluster has and how large they are: what all kinds that we start have in common."""

from __future__ import annotations

from dataclasses import dataclass

from dask.utils import parse_bytes
from distributed.deploy.cluster import Cluster

from birddask.documents import document
from birddask.errors import ConfigError

# One block computes while another one reads or writes (docs/design/0006).
THREADS_PER_WORKER = 2


@document
@dataclass(frozen=True)
class Adaptive:
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


def bounds(override: int | None, workers: int | None, adaptive: Adaptive | None, default: int) -> Adaptive:
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
    return Adaptive(count, count)


def keep_size(cluster: Cluster, size: Adaptive) -> None:
    """Let a running cluster follow the work between these bounds, and replace workers that are lost for good."""
    cluster.adapt(minimum=size.minimum, maximum=size.maximum)


def memory_bytes(memory: str) -> int:
    """A worker's memory as a number of bytes.

    Raises:
        ConfigError: not a size.
    """
    try:
        return int(parse_bytes(memory))
    except ValueError as error:
        raise ConfigError(f"`memory_per_worker` is {memory!r}, write it as '2 GiB' or '800 MB'") from error
