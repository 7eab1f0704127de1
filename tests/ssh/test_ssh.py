"""Workers on three hosts, started by SSH: real logins, real processes."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import dask
import pytest
import yaml
from distributed import Client

from birddask.clusters import ExistingSpec, SshSpec, connect, existing
from birddask.errors import ConfigError
from tests.deaths.work import Work
from tests.support.certificates import certificate
from tests.support.processes import Running, driver, wait_until
from tests.support.ssh import SshHosts


def run_on(there: SshHosts, work: Work, **settings: object) -> AbstractContextManager[Running]:
    """``birddask run`` on the hosts."""
    file = work.folder / "cluster.yaml"
    file.write_text(yaml.safe_dump({"kind": "ssh", "hosts": list(there.names), **settings}))
    log = work.folder / f"driver-{len(list(work.folder.glob('driver-*')))}.log"
    return driver("run", work.job, "--cluster", file, log=log, environment={"HOME": str(there.home)})


def worker_processes(hosts: SshHosts) -> list[str]:
    """Workers and their nannies on the hosts."""
    mark = f"DASK_TEMPORARY_DIRECTORY={hosts.scratch}".encode()
    return [
        folder.name for folder in Path("/proc").glob("[0-9]*") if is_python(folder) and mark in read(folder / "environ")
    ]


def is_python(process: Path) -> bool:
    return read(process / "cmdline").startswith(sys.executable.encode())


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return b""


def test_three_hosts_give_the_same_tables_as_one_machine(hosts: SshHosts, work: Work) -> None:
    with run_on(hosts, work) as run:
        assert run.exit_code() == 0, run.said
    assert "workers: 3," in run.said
    work.require_done()
    assert not worker_processes(hosts)


def test_the_same_encrypted(hosts: SshHosts, work: Work) -> None:
    tls = certificate(work.folder)
    files = {"ca": tls.ca, "certificate": tls.certificate, "key": tls.key}
    with run_on(hosts, work, tls=files, workers=2) as run:
        assert run.exit_code() == 0, run.said
    work.require_done()
    assert not worker_processes(hosts)


@pytest.fixture
def at_home(hosts: SshHosts, monkeypatch: pytest.MonkeyPatch) -> SshHosts:
    """The hosts, for logins from this process."""
    monkeypatch.setenv("HOME", str(hosts.home))
    return hosts


def test_an_encrypted_cluster_refuses_who_comes_without_the_files(
    at_home: SshHosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing, "_CONNECT_TIMEOUT_S", 2)
    with connect(SshSpec("ssh", at_home.names, tls=certificate(tmp_path)), 1) as client:
        address = client.scheduler_info()["address"]
        assert client.submit(sum, [1, 2]).result() == 3
        stranger = ExistingSpec("existing", address.replace("tls:", "tcp:"))
        with pytest.raises(ConfigError, match="no Dask scheduler answers"), connect(stranger, None):
            pass


def test_workers_are_dealt_out_to_the_hosts(at_home: SshHosts) -> None:
    def logins(client: Client) -> list[str]:
        # Address and port of both ends.
        return sorted(client.run(lambda: os.environ["SSH_CONNECTION"].split()[2]).values())

    with connect(SshSpec("ssh", at_home.names[:2], memory_per_worker="700 MiB"), 3) as client:
        assert logins(client) == ["127.0.0.1", "127.0.0.1", "127.0.0.2"]
        assert set(client.nthreads().values()) == {2}
        limits = [worker["memory_limit"] for worker in client.scheduler_info()["workers"].values()]
        assert limits == [700 << 20] * 3


def test_a_worker_that_is_lost_comes_back_with_its_host(at_home: SshHosts) -> None:
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}),
        connect(SshSpec("ssh", at_home.names), None) as client,
    ):
        before = client.run(os.getpid)
        at_home.server.kill()  # with all logins
        wait_until(lambda: not client.nthreads(), "the end of all workers")
        at_home.server.start()
        wait_until(lambda: len(client.nthreads()) == 3, "three new workers")
        assert not set(client.run(os.getpid).values()) & set(before.values())
        assert client.submit(sum, [1, 2]).result() == 3


def test_workers_end_with_a_driver_that_is_killed(hosts: SshHosts, work: Work) -> None:
    with run_on(hosts, work) as run:
        wait_until(lambda: work.parts() > 0, "the first block")
        run.signal_group(signal.SIGKILL)
        wait_until(lambda: not worker_processes(hosts), "the end of the workers")
    work.require_finishing()


def test_a_host_that_is_not_there_is_named(hosts: SshHosts, work: Work) -> None:
    with run_on(hosts, work, hosts=["127.0.0.1", "127.0.0.9"]) as run:
        assert run.exit_code() == 2
    assert "error: no worker can be started on 127.0.0.9 by SSH" in run.said
    assert "Traceback" not in run.said
    assert not worker_processes(hosts)


def test_a_host_without_birddask_is_named_with_what_it_says(hosts: SshHosts, work: Work) -> None:
    with run_on(hosts, work, python="/opt/nothing/bin/python") as run:
        assert run.exit_code() == 2
    assert "ended before it joined; it said:" in run.said
    assert "/opt/nothing/bin/python" in run.said
    assert "Traceback" not in run.said
