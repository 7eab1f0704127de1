"""How to add a worker to a running cluster by hand."""

from __future__ import annotations

import shlex

from distributed import Client

from birddask.clusters.size import THREADS_PER_WORKER


def how_to_join(client: Client) -> str:
    """The command that starts one more worker, on any machine that reaches the scheduler and has what workers need."""
    keys = client.security.get_tls_config_for_role("worker")
    files = {"--tls-ca-file": keys.get("ca_file"), "--tls-cert": keys.get("cert"), "--tls-key": keys.get("key")}
    command = [
        *("dask", "worker", client.scheduler_info(n_workers=0)["address"]),
        *("--nthreads", str(THREADS_PER_WORKER), "--no-dashboard"),
        *(part for flag, file in files.items() if file for part in (flag, str(file))),
    ]
    return shlex.join(command)
