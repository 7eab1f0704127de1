"""How a worker joins a cluster: the command line that starts it, wherever it is."""

from __future__ import annotations

import shlex

from distributed import Client, Security

from birddask.clusters.size import THREADS_PER_WORKER


def worker_options(security: Security | None) -> list[str]:
    """What ``dask worker`` is told beside the address of the scheduler."""
    files = security.get_tls_config_for_role("worker") if security else {}
    tls = {"--tls-ca-file": files.get("ca_file"), "--tls-cert": files.get("cert"), "--tls-key": files.get("key")}
    given = (part for flag, file in tls.items() if file for part in (flag, str(file)))
    return ["--nthreads", str(THREADS_PER_WORKER), "--no-dashboard", *given]


def how_to_join(client: Client) -> str:
    """The command that starts one more worker, on any machine that reaches the scheduler and has what workers need."""
    address = client.scheduler_info(n_workers=0)["address"]
    return shlex.join(["dask", "worker", address, *worker_options(client.security)])
