"""Workers as jobs of a real SLURM with two nodes, and how they end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml

from birddask.clusters import Bounds, ExistingSpec, SlurmSpec, connect, existing
from birddask.errors import ConfigError
from tests.deaths.work import BLOCKS, Work
from tests.support.certificates import certificate
from tests.support.mishaps import Mishap, environment
from tests.support.processes import Running, driver, wait_until
from tests.support.slurm import Slurm

ROOT = Path(__file__).parents[2]


def settings(folder: Path) -> dict[str, object]:
    """The cluster file of most tests."""
    return {
        "kind": "slurm",
        "workers": 2,
        "memory_per_worker": "1 GiB",
        "walltime": "00:20:00",
        "driver_host": "127.0.0.1",
        "scratch": str(folder / "scratch"),
        "logs": str(folder / "logs"),
    }


def cluster_file(work: Work, **changed: object) -> Path:
    file = work.folder / "cluster.yaml"
    file.write_text(yaml.safe_dump({**settings(work.folder), **changed}))
    return file


def run_on(nodes: Slurm, work: Work, *mishaps: Mishap, **changed: object) -> AbstractContextManager[Running]:
    """``birddask run`` with jobs as workers, to which mishaps happen."""
    variables = {**nodes.environment, **environment(*mishaps), "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "3s"}
    file = cluster_file(work, **changed)
    log = work.folder / f"driver-{len(list(work.folder.glob('driver-*')))}.log"
    return driver("run", work.job, "--cluster", file, log=log, environment=variables)


def test_jobs_give_the_same_tables_as_one_machine(nodes: Slurm, work: Work) -> None:
    with run_on(nodes, work) as run:
        wait_until(lambda: len(nodes.jobs()) == 2 or run.ended, "two jobs")
        assert run.exit_code() == 0, run.said
    assert not nodes.jobs()
    work.require_done()


def test_the_same_encrypted(nodes: Slurm, work: Work) -> None:
    tls = certificate(work.folder)
    with run_on(nodes, work, tls={"ca": tls.ca, "certificate": tls.certificate, "key": tls.key}) as run:
        assert run.exit_code() == 0, run.said
    work.require_done()


def cancel(nodes: Slurm, job: str) -> None:
    nodes.call("scancel", job)


def pull_the_plug(nodes: Slurm, job: str) -> None:
    """Its node is down; SLURM takes it back when it hears from it again."""
    node = nodes.call("squeue", "--noheader", "--jobs", job, "--format", "%N")
    nodes.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")


def run_out_of_time(nodes: Slurm, job: str) -> None:
    """SLURM ends a job a minute after it began, and looks only now and then."""
    nodes.call("scontrol", "update", f"JobId={job}", "TimeLimit=1")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("end", [cancel, pull_the_plug, run_out_of_time])
def test_a_job_that_ends_in_mid_run_is_replaced(end: Callable[[Slurm, str], None], nodes: Slurm, work: Work) -> None:
    wait = work.mishap("computing", "hold", times=None)
    with run_on(nodes, work, wait) as run:
        wait_until(lambda: len(set(wait.victims)) == 2 or run.ended, "work for both workers")
        first, second = nodes.jobs()
        end(nodes, first)
        wait_until(lambda: first not in nodes.jobs(), "the end of a job", patience_s=200)
        wait_until(lambda: len(nodes.jobs()) == 2, "another job")
        wait_until(lambda: len(set(wait.victims)) == 3, "work for its worker")
        assert second in nodes.jobs()
        assert not run.ended
        wait.release()
        assert run.exit_code() == 0, run.said
    work.require_done()


@pytest.mark.timeout(600)
def test_workers_leave_before_their_time_is_up_and_are_replaced(nodes: Slurm, work: Work) -> None:
    wait = work.mishap("computing", "hold", times=None)
    with run_on(nodes, work, wait, walltime="00:02:00", workers=1) as run:
        wait_until(lambda: bool(nodes.jobs()), "a job")
        (first,) = nodes.jobs()
        wait_until(lambda: first not in nodes.jobs(), "the end of the job", patience_s=150)
        wait_until(lambda: len(set(wait.victims)) == 2, "work for another job's worker")
        wait.release()
        assert run.exit_code() == 0, run.said
    work.require_done()
    said = (work.folder / f"logs/birddask-{first}.err").read_text()
    assert "worker-lifetime-reached" in said
    assert "DUE TO TIME LIMIT" not in said


def test_jobs_end_with_a_driver_that_is_killed(nodes: Slurm, work: Work) -> None:
    with run_on(nodes, work) as run:
        wait_until(lambda: work.parts() > 0 or run.ended, "the first block")
        run.signal_group(signal.SIGKILL)
        wait_until(lambda: not nodes.jobs(), "the end of the jobs")
    work.require_finishing()


def test_a_queue_is_waited_for_and_said(nodes: Slurm, work: Work) -> None:
    with run_on(nodes, work, directives=["--begin=now+20"]) as run:
        assert run.exit_code() == 0, run.said
    assert "waiting for the first worker of the cluster" in run.said
    work.require_done()


def test_jobs_that_slurm_does_not_take_are_a_mistake_of_the_user(nodes: Slurm, work: Work) -> None:
    with run_on(nodes, work, partition="long") as run:
        assert run.exit_code() == 2, run.said
    assert "error: SLURM does not take the workers' jobs" in run.said
    assert "invalid partition specified: long" in run.said
    assert "Traceback" not in run.said


def submit_driver(nodes: Slurm, work: Work, monkeypatch: pytest.MonkeyPatch, *mishaps: Mishap) -> str:
    """The number of the driver's job, which is made as the guide says."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    for name, value in environment(*mishaps).items():
        monkeypatch.setenv(name, value)
    log = f"--output={work.folder}/driver.log"
    script = str(ROOT / "cluster/slurm/driver.sbatch")
    return nodes.call("sbatch", "--parsable", "--mem=1G", log, script, str(work.job), str(cluster_file(work)))


def test_the_driver_as_a_job(nodes: Slurm, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = work.mishap("computing", "hold", times=None)
    job = submit_driver(nodes, work, monkeypatch, wait)
    said = work.folder / "driver.log"
    wait_until(lambda: len(set(wait.victims)) == 2, "work for both workers")
    # As SLURM does two minutes before the time is up.
    nodes.call("scancel", "--batch", "--signal=TERM", job)
    wait_until(lambda: "stopping" in said.read_text(), "an answer to the signal")
    wait.release()
    wait_until(lambda: not nodes.jobs("birddask-driver"), "the driver's end")
    assert "stopped as asked" in said.read_text()
    assert not nodes.jobs()
    work.require_undone(BLOCKS - work.parts())
    assert 0 < work.parts() < BLOCKS
    job = submit_driver(nodes, work, monkeypatch)
    wait_until(lambda: bool(nodes.jobs("birddask-driver")), "the driver's second job")
    wait_until(lambda: not nodes.jobs("birddask-driver"), "its end")
    work.require_done()


@pytest.fixture
def at_hand(nodes: Slurm, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """SLURM for this process."""
    for name, value in nodes.environment.items():
        monkeypatch.setenv(name, value)
    return nodes


def test_the_number_of_jobs_follows_the_work(at_hand: Slurm, tmp_path: Path) -> None:
    logs = str(tmp_path / "logs")
    spec = SlurmSpec("slurm", "1 GiB", "00:20:00", adaptive=Bounds(1, 3), driver_host="127.0.0.1", logs=logs)
    with connect(spec, None) as client:
        assert len(at_hand.jobs()) == 1
        futures = client.map(time.sleep, [1] * 300, pure=False)
        wait_until(lambda: len(at_hand.jobs()) == 3, "the most jobs")
        wait_until(lambda: len(client.nthreads()) == 3, "their workers")
        client.cancel(futures)
        wait_until(lambda: len(at_hand.jobs()) == 1, "the least jobs")
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3


def test_an_encrypted_cluster_refuses_who_comes_without_the_files(
    at_hand: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing, "_CONNECT_TIMEOUT_S", 2)
    tls, logs = certificate(tmp_path), str(tmp_path / "logs")
    spec = SlurmSpec("slurm", "1 GiB", "00:20:00", workers=1, driver_host="127.0.0.1", logs=logs, tls=tls)
    with connect(spec, None) as client:
        address = client.scheduler_info()["address"]
        stranger = ExistingSpec("existing", address.replace("tls:", "tcp:"))
        with pytest.raises(ConfigError, match="no Dask scheduler answers"), connect(stranger, None):
            pass
