"""Workers as jobs of SLURM."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from distributed import Client
from distributed.core import Status

from birddask.clusters.driver_host import require_own_host
from birddask.clusters.extras import require_extra
from birddask.clusters.size import MEMORY_BESIDE_BYTES, THREADS_PER_WORKER, Bounds, keep_size, memory_bytes, size_of
from birddask.clusters.tls import Tls, security_of
from birddask.documents import document
from birddask.errors import ConfigError

if TYPE_CHECKING:
    from dask_jobqueue import SLURMCluster

_WALLTIME = re.compile(r"(?:(\d+)-)?(\d{1,2}):([0-5]\d):([0-5]\d)")
_LEAST_WALLTIME_S = 120
# A worker leaves this share of the walltime before its job's end, and up to as much earlier again, so that not all of
# them leave at once. A job's walltime runs already while its worker still starts.
_EARLY_SHARE, _LEAST_EARLY_S, _MOST_EARLY_S = 0.05, 40, 600


@document
@dataclass(frozen=True)
class SlurmSpec:
    """Workers of one core, each a job of SLURM, reporting to this machine, which must be one of the cluster's.

    A worker whose job has ended is replaced by a new job for as long as the run lasts.

    Attributes:
        memory_per_worker: a size such as ``2 GiB``; SLURM is asked for a little more, for the process that watches.
        walltime: of a job, as ``hours:minutes:seconds`` or ``days-hours:minutes:seconds``; workers leave a bit earlier.
        workers: jobs at the same time; None takes one.
        adaptive: bounds instead of a fixed number.
        partition: to submit to; None takes SLURM's default.
        account: to charge; None takes SLURM's default.
        directives: more options of ``sbatch``, such as ``--constraint=avx512``.
        prologue: lines of shell before the worker starts, such as ``module load python``.
        python: path of the Python on the nodes that has birddask; None takes the path of the one that runs here.
        scratch: folder on the nodes for what workers put aside; None takes the nodes' temporary folder.
        logs: folder for the output of jobs; None leaves it to SLURM: ``slurm-<job>.out`` in the current folder.
        driver_host: name or address under which the nodes reach this machine, if Dask doesn't find the right one.
        tls: files for encrypted connections; None leaves them open.
    """

    kind: Literal["slurm"]
    memory_per_worker: str
    walltime: str
    workers: int | None = None
    adaptive: Bounds | None = None
    partition: str | None = None
    account: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    python: str | None = None
    scratch: str | None = None
    logs: str | None = None
    driver_host: str | None = None
    tls: Tls | None = None

    def __post_init__(self) -> None:
        if _seconds(self.walltime) < _LEAST_WALLTIME_S:
            raise ConfigError(f"`walltime` is {self.walltime}; give a job {_LEAST_WALLTIME_S} s at least")


def lifetime_s(walltime: str) -> tuple[int, int]:
    """How long a worker lives, and by how much that varies from worker to worker, in seconds.

    Raises:
        ConfigError: not a walltime.
    """
    total = _seconds(walltime)
    early = round(min(max(_EARLY_SHARE * total, _LEAST_EARLY_S), _MOST_EARLY_S))
    varies = round(min(_EARLY_SHARE * total, _MOST_EARLY_S))
    return total - early - varies, varies


@contextlib.contextmanager
def start_slurm(spec: SlurmSpec, workers: int | None) -> Iterator[Client]:
    """A scheduler in this process with workers as jobs, all of which end with the client.

    Raises:
        ConfigError: a size or `driver_host` that can't be, SLURM refuses the first jobs, or an extra is missing.
    """
    require_extra("slurm", "dask_jobqueue")
    require_own_host(spec.driver_host)
    size = size_of(workers, spec.workers, spec.adaptive, 1)
    with slurm_cluster(spec) as cluster, Client(cluster) as client:
        for _ in range(max(1, size.minimum)):
            cluster.worker_spec.update(cluster.new_worker_spec())
        try:
            cluster.sync(_submitted, cluster)
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"SLURM does not take the workers' jobs: {error}") from error
        keep_size(cluster, size)
        yield client


def slurm_cluster(spec: SlurmSpec) -> SLURMCluster:
    """A scheduler in this process, and what its jobs will be like; none is submitted yet."""
    from dask_jobqueue import SLURMCluster  # noqa: PLC0415 - an extra
    from dask_jobqueue.slurm import SLURMJob  # noqa: PLC0415 - an extra

    class Job(SLURMJob):  # type: ignore[misc]
        """One that says when it was closed, by which the cluster knows that it is rid of it."""

        async def close(self) -> None:
            await super().close()
            self.status = Status.closed

    security = security_of(spec.tls)
    memory = memory_bytes(spec.memory_per_worker)
    lives_s, varies_s = lifetime_s(spec.walltime)
    return SLURMCluster(
        job_cls=Job,
        name="birddask",
        job_name="birddask",
        queue=spec.partition,
        account=spec.account,
        walltime=spec.walltime,
        cores=THREADS_PER_WORKER,
        processes=1,
        job_cpu=1,
        memory=str(memory),
        job_mem=f"{-(-(memory + MEMORY_BESIDE_BYTES) // (1 << 20))}M",
        job_extra_directives=list(spec.directives),
        job_script_prologue=["export DASK_DISTRIBUTED__WORKER__USE_FILE_LOCKING=False", *spec.prologue],
        python=spec.python or sys.executable,
        local_directory=spec.scratch,
        log_directory=spec.logs,
        worker_extra_args=[
            "--no-dashboard",
            *("--memory-limit", str(memory)),  # dask-jobqueue gives a rounded one
            *("--lifetime", f"{lives_s}s", "--lifetime-stagger", f"{varies_s}s"),
        ],
        scheduler_options={"host": spec.driver_host, "port": 0, "dashboard_address": ":0"},
        security=security,
        silence_logs="warning",
    )


async def _submitted(cluster: SLURMCluster) -> None:
    await cluster


def _seconds(walltime: str) -> int:
    match = _WALLTIME.fullmatch(walltime)
    if match is None:
        raise ConfigError(f"`walltime` is {walltime!r}, write it as '02:30:00' or '1-12:00:00', in quotes")
    days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
