"""What workers are given, and which are sent away."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import logging
import os
import resource
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

from birddask.clusters import ExistingSpec, LocalSpec, connect, how_to_join, require_memory
from birddask.errors import ConfigError
from tests.support.processes import Running, started, wait_until

ROOT = Path(__file__).parents[2]
ELSEWHERE = "1.2.3"


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A scheduler without workers, in this process."""
    with LocalCluster(n_workers=0, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


def worker(
    cluster: LocalCluster, folder: Path, *options: str, **other_versions: str
) -> contextlib.AbstractContextManager[Running]:
    """A worker process, started by hand, that finds some packages of other versions in its folder."""
    folder.mkdir(exist_ok=True)
    for package, version in other_versions.items():
        info = folder / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--nthreads", "2"]
    # The folder comes before the one that this process was started in.
    environment = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1", "TMPDIR": str(folder)}
    return started([*command, "--no-dashboard", "--name", folder.name, *options], folder / "log", environment)


def names(client: Client) -> set[str]:
    return {info["name"] for info in client.scheduler_info(n_workers=-1)["workers"].values()}


def slowly(_number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def fresh_pages(count: int) -> int:
    """Pages that the system had to give anew for arrays that come and go."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        np.ones(4 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _log_two_failures(told: logging.Handler) -> None:
    log = logging.getLogger("distributed.worker")
    log.addHandler(told)
    closed = ConnectionResetError("closed")
    log.error("Failed to communicate with scheduler during heartbeat.", exc_info=closed)
    log.error("Something else.", exc_info=closed)
    log.removeHandler(told)


def test_a_heartbeat_into_nothing_is_told_without_a_traceback(client: Client, tmp_path: Path) -> None:
    def told() -> str:
        text = io.StringIO()
        _log_two_failures(logging.StreamHandler(text))
        return text.getvalue()

    for said in client.run(told).values():
        heartbeat, other = said.split("Something else.")
        assert heartbeat.strip() == "Failed to communicate with scheduler during heartbeat."
        assert "ConnectionResetError" in other


def test_workers_keep_freed_memory(client: Client) -> None:
    client.submit(fresh_pages, 20, pure=False).result()
    # 4 MiB are 1024 pages; given back each time, they would have to come 50 times.
    assert client.submit(fresh_pages, 50, pure=False).result() < 10 * 1024


def test_an_interrupt_of_the_terminal_does_not_reach_what_workers_do(client: Client) -> None:
    pids = client.run(os.getpid)
    running = client.map(slowly, range(40), pure=False)
    for pid in pids.values():
        os.kill(pid, signal.SIGINT)
    assert set(client.gather(running)) <= set(pids.values())
    assert client.run(os.getpid) == pids


@pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")
def test_a_worker_with_other_versions_is_named_before_the_first_task(cluster: LocalCluster, tmp_path: Path) -> None:
    spec = ExistingSpec("existing", cluster.scheduler_address)
    with worker(cluster, tmp_path / "alike"), worker(cluster, tmp_path / "old", numpy=ELSEWHERE, zarr=ELSEWHERE):
        with Client(cluster) as client:
            client.wait_for_workers(2, timeout=60)
            old = next(address for address, info in client.scheduler_info()["workers"].items() if info["name"] == "old")
        with pytest.raises(ConfigError) as caught, connect(spec, None):
            pass
    message = str(caught.value)
    here = importlib.metadata.version
    assert f"worker {old}: " in message
    assert f"numpy {ELSEWHERE} there, {here('numpy')} here; zarr {ELSEWHERE} there, {here('zarr')} here" in message
    assert "pyarrow" not in message


def test_a_worker_without_birddask_is_named(cluster: LocalCluster, tmp_path: Path) -> None:
    (tmp_path / "birddask").mkdir()
    (tmp_path / "birddask/__init__.py").write_text("raise ImportError('not installed on this host')\n")
    with (
        worker(cluster, tmp_path),
        pytest.raises(ConfigError, match=r"birddask can't be used there: .*not installed on this host"),
        connect(ExistingSpec("existing", cluster.scheduler_address), None),
    ):
        pass


@pytest.mark.parametrize("package", ["birddask", "onnxruntime", "distributed"])
def test_a_worker_that_joins_with_other_versions_gets_no_task_and_ends_nothing(
    package: str, cluster: LocalCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = ExistingSpec("existing", cluster.scheduler_address)
    with worker(cluster, tmp_path / "alike") as alike, connect(spec, None) as client:
        pids = client.run(os.getpid)
        running = client.map(slowly, range(400), pure=False)
        with worker(cluster, tmp_path / "old", **{package: ELSEWHERE}) as old:
            assert old.exit_code() == 0
            assert f"not used, because it differs from the driver: {package} {ELSEWHERE} there" in old.said
            assert not all(future.done() for future in running), "it came too late to be refused"
        assert set(client.gather(running)) == set(pids.values())
        assert names(client) == {"alike"}
        assert not alike.ended
        wait_until(lambda: f"was sent away, because it differs: {package} {ELSEWHERE} there" in caplog.text, "a word")


@pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")
def test_a_cluster_of_others_is_left_as_it_was(cluster: LocalCluster, tmp_path: Path) -> None:
    with worker(cluster, tmp_path / "alike"), connect(ExistingSpec("existing", cluster.scheduler_address), None):
        pass
    with Client(cluster) as client, worker(cluster, tmp_path / "old", numpy=ELSEWHERE):
        wait_until(lambda: names(client) == {"old"}, "a worker that nobody refuses any more")
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3


def test_memory_that_is_short_is_said_with_what_to_set() -> None:
    with connect(LocalSpec("local", 1, "500 MiB"), None) as client:
        require_memory(client, 500 << 20)
        with pytest.raises(
            ConfigError, match=r"needs 0.98 GiB .* use only 500.00 MiB; set `memory_per_worker: 1001 MiB`"
        ):
            require_memory(client, (1000 << 20) + 1)


def test_a_worker_without_a_limit_has_memory_enough(cluster: LocalCluster, tmp_path: Path) -> None:
    with (
        worker(cluster, tmp_path, "--memory-limit", "0"),
        connect(ExistingSpec("existing", cluster.scheduler_address), None) as client,
    ):
        require_memory(client, 1 << 50)


def test_a_worker_started_as_shown_gets_work_and_leaves_without_loss(tmp_path: Path) -> None:
    with connect(LocalSpec("local", 1), None) as client:
        command = shlex.split(how_to_join(client))
        assert command[:2] == ["dask", "worker"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
        running = client.map(slowly, range(600), pure=False)
        (own,) = client.scheduler_info()["workers"]
        with started(command, tmp_path / "log", environment):
            wait_until(lambda: len(client.nthreads()) == 2, "a second worker")
            (joined,) = set(client.nthreads()) - {own}
            assert client.nthreads()[joined] == 2
            (pid,) = client.run(os.getpid, workers=[joined]).values()
            wait_until(lambda: any(future.done() and future.result() == pid for future in running), "its first task")
            client.retire_workers([joined])
            assert not all(future.done() for future in running), "it left too late to lose anything"
            assert len(client.gather(running)) == 600


def test_a_frozen_worker_is_given_up_after_two_minutes_unless_the_user_has_set_another_time() -> None:
    def ttl_s(client: Client) -> float:
        return float(client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.worker_ttl))

    with connect(LocalSpec("local", 1), None) as client:
        assert ttl_s(client) == 120
    with dask.config.set({"distributed.scheduler.worker-ttl": "7s"}), connect(LocalSpec("local", 1), None) as client:
        assert ttl_s(client) == 7
