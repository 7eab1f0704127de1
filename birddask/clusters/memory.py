"""Whether workers have the memory that a plan needs."""

from __future__ import annotations

from dask.utils import format_bytes
from distributed import Client

from birddask.errors import ConfigError

_MIB = 1 << 20


def require_memory(client: Client, needed_bytes: int) -> None:
    """Compare the plan's need with the limit of each worker.

    Args:
        client: of the cluster.
        needed_bytes: what one worker needs at most.

    Raises:
        ConfigError: a worker may use less; Dask would end it again and again.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    # None and 0 stand for no limit.
    limits = {worker: limit for worker, info in workers.items() if (limit := info["memory_limit"])}
    least = min(limits, key=lambda worker: limits[worker], default=None)
    if least is not None and limits[least] < needed_bytes:
        raise ConfigError(
            f"a worker needs {format_bytes(needed_bytes)} for this plan, but {least} may use only "
            f"{format_bytes(limits[least])}; set `memory_per_worker: {-(-needed_bytes // _MIB)} MiB` or more in the "
            "cluster file (workers of an existing cluster are started with `--memory-limit`), take fewer workers, or, "
            "if no mels were made yet, set a smaller `block_mib` in the job file"
        )
