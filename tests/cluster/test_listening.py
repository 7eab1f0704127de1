"""What runs on one machine can't be reached from another one."""

from __future__ import annotations

import ipaddress

import psutil
import pytest

from birddask.clusters import ClusterSpec, LocalSpec, connect
from birddask.clusters.none import NoneSpec


@pytest.mark.parametrize("spec", [LocalSpec("local", workers=2), NoneSpec("none")], ids=lambda spec: spec.kind)
def test_scheduler_workers_and_dashboard_listen_on_this_machine_alone(spec: ClusterSpec) -> None:
    with connect(spec, None) as client:
        client.submit(abs, -1).result()
        here = psutil.Process()
        listening = [
            ipaddress.ip_address(connection.laddr.ip)
            for process in (here, *here.children(recursive=True))
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    assert len(listening) >= 2
    assert all(address.is_loopback for address in listening), listening
