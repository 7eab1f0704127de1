from __future__ import annotations

import os
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from birddask.clusters import ExistingSpec, LocalSpec, available_cores, connect, existing, on_demand, read_cluster_file
from birddask.errors import ConfigError


def cluster_file(folder: Path, text: str) -> Path:
    file = folder / "cluster.yaml"
    file.write_text(text)
    return file


def threads_of_each_worker(client: Client) -> list[int]:
    return list(client.nthreads().values())


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("kind: local\n", LocalSpec("local")),
        ("kind: local\nworkers: 3\nmemory_per_worker: 2 GiB\n", LocalSpec("local", 3, "2 GiB")),
        ("kind: existing\naddress: tcp://10.0.0.5:8786\n", ExistingSpec("existing", "tcp://10.0.0.5:8786")),
    ],
)
def test_a_cluster_file_says_where_to_run(text: str, spec: LocalSpec | ExistingSpec, tmp_path: Path) -> None:
    assert read_cluster_file(cluster_file(tmp_path, text)) == spec


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: cloud\n", "the kind of the cluster is 'cloud', it must be one of local, existing"),
        ("workers: 3\n", "the kind of the cluster is None"),
        ("kind: [local]\n", r"the kind of the cluster is \['local'\]"),
        ("kind: local\nworker: 3\n", "unknown key `worker`; did you mean `workers`"),
        ("kind: local\naddress: tcp://10.0.0.5:8786\n", "unknown key `address`"),
        ("kind: local\nworkers: many\n", "`workers`: Input should be a valid integer"),
        ("kind: existing\n", "the key `address` is missing"),
        ("local\n", "must hold `key: value` lines"),
    ],
)
def test_a_wrong_cluster_file_is_named_with_what_is_wrong(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        read_cluster_file(cluster_file(tmp_path, text))
    assert str(tmp_path / "cluster.yaml") in str(caught.value)


def test_a_cluster_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml can't be read: No such file"):
        read_cluster_file(tmp_path / "missing.yaml")


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
