from __future__ import annotations

import json
import os
import time
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

from birddask.clusters import (
    Bounds,
    ExistingSpec,
    LocalSpec,
    NoneSpec,
    available_cores,
    connect,
    existing,
    local,
    on_demand,
)
from birddask.errors import ConfigError
from tests.support.certificates import certificate
from tests.support.processes import wait_until


def threads_of_each_worker(client: Client) -> list[int]:
    return list(client.nthreads().values())


def test_workers_are_processes_of_two_threads_and_end_with_the_cluster() -> None:
    with connect(LocalSpec("local", workers=1, memory_per_worker="700 MB"), 2) as client:
        pids = client.run(os.getpid)
        assert threads_of_each_worker(client) == [2, 2]
        assert os.getpid() not in pids.values()
        limits = [worker["memory_limit"] for worker in client.scheduler_info()["workers"].values()]
        assert limits == [700_000_000, 700_000_000]
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_share_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(LocalSpec("local"), 3) as client:
        limits = [worker["memory_limit"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()]
    assert limits == [local.MEMORY_LIMIT // 3] * 3
    monkeypatch.setattr(local, "MEMORY_LIMIT", 2 << 30)
    monkeypatch.setattr(local, "available_cores", lambda: 4)
    with connect(LocalSpec("local"), None) as client:
        assert len(client.nthreads()) == 1


@pytest.mark.parametrize(
    ("spec", "workers", "problem"),
    [
        (LocalSpec("local", workers=0), None, "0 workers"),
        (LocalSpec("local", workers=-2), None, "-2 workers"),
        (LocalSpec("local", workers=2), 0, "0 workers"),
        (LocalSpec("local", memory_per_worker="much"), None, "`memory_per_worker` is 'much'"),
        (LocalSpec("local", memory_per_worker="2 GX"), None, "`memory_per_worker` is '2 GX'"),
        (ExistingSpec("existing", "10.0.0.5"), None, "no Dask scheduler answers at '10.0.0.5'"),
        (ExistingSpec("existing", "smoke://10.0.0.5:1"), None, "unknown address scheme 'smoke'"),
        (ExistingSpec("existing", "tcp://127.0.0.1:1"), 2, "--workers can't change a cluster"),
    ],
)
def test_a_cluster_that_can_not_be_is_refused_before_it_starts(
    spec: LocalSpec | ExistingSpec, workers: int | None, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem), connect(spec, workers):
        pass


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(existing, "_CONNECT_TIMEOUT_S", 0.5)
    with (
        pytest.raises(ConfigError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:1'"),
        connect(ExistingSpec("existing", "tcp://127.0.0.1:1"), None),
    ):
        pass


def test_an_existing_cluster_is_used_and_left_running() -> None:
    with LocalCluster(
        n_workers=1, threads_per_worker=3, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0"
    ) as mine:
        spec = ExistingSpec("existing", mine.scheduler_address)
        for _ in range(2):
            with connect(spec, None) as client:
                assert threads_of_each_worker(client) == [3]
                assert client.submit(sum, [1, 2]).result() == 3


def test_a_scheduler_file_stands_for_the_address(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    with LocalCluster(n_workers=1, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0") as mine:
        file.write_text(json.dumps(mine.scheduler.identity()))
        with connect(ExistingSpec("existing", scheduler_file=str(file)), None) as client:
            assert client.submit(sum, [1, 2]).result() == 3


@pytest.mark.parametrize("content", [None, "", "[]", '{"workers": {}}'])
def test_a_wrong_scheduler_file_is_named(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    if content is not None:
        file.write_text(content)
    with (
        pytest.raises(ConfigError, match=r"the scheduler file .*scheduler\.json can't be read"),
        connect(ExistingSpec("existing", scheduler_file=str(file)), None),
    ):
        pass


def test_the_number_of_workers_follows_the_work() -> None:
    with connect(LocalSpec("local", adaptive=Bounds(0, 3)), None) as client:
        futures = client.map(time.sleep, [0.5] * 120, pure=False)
        wait_until(lambda: len(client.nthreads()) == 3, "the most workers")
        client.cancel(futures)
        wait_until(lambda: not client.nthreads(), "no more worker than needed")
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3


def test_a_worker_whose_nanny_died_is_replaced() -> None:
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}),
        connect(LocalSpec("local", 2), None) as client,
    ):
        before = set(client.nthreads())
        victim = client.cluster.workers[0]
        client.cluster.sync(victim.close)
        wait_until(lambda: len(set(client.nthreads()) - before) == 1 and len(client.nthreads()) == 2, "another worker")


def test_an_encrypted_cluster_refuses_who_comes_without_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing, "_CONNECT_TIMEOUT_S", 2)
    (tmp_path / "others").mkdir()
    tls, of_others = certificate(tmp_path), certificate(tmp_path / "others")
    with connect(LocalSpec("local", 1, tls=tls), None) as client:
        address = client.scheduler_info()["address"]
        assert address.startswith("tls://")
        assert all(worker.startswith("tls://") for worker in client.nthreads())
        with connect(ExistingSpec("existing", address, tls=tls), None) as other:
            assert other.submit(sum, [3, 4]).result() == 7
        for url, files, problem in (
            (address, None, "takes encrypted connections only"),
            (address.replace("tls:", "tcp:"), None, "no Dask scheduler answers"),
            (address, of_others, "no Dask scheduler answers"),
        ):
            stranger = ExistingSpec("existing", url, tls=files)
            with pytest.raises(ConfigError, match=problem), connect(stranger, None):
                pass


def test_no_cluster_starts_before_it_is_needed_and_only_one_then() -> None:
    with on_demand(ExistingSpec("existing", "tcp://127.0.0.1:1"), None):
        pass
    with on_demand(LocalSpec("local"), 1) as connect_now:
        client = connect_now()
        assert connect_now() is client
        assert threads_of_each_worker(client) == [2]
    assert client.status == "closed"


def test_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_without_a_cluster_tasks_run_in_this_process() -> None:
    with connect(NoneSpec("none"), None) as client:
        assert client.submit(os.getpid, pure=False).result() == os.getpid()
        assert threads_of_each_worker(client) == [2]
        assert client.dashboard_link.startswith("http://127.0.0.1:")
    with pytest.raises(ConfigError, match="`kind: none`, which has no workers"), connect(NoneSpec("none"), 2):
        pass
