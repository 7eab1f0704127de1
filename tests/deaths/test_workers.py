"""Workers die, freeze and run out of memory at exact moments; the run goes on and its tables show nothing of it."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import pytest
from distributed import Client

from tests.deaths.work import BLOCKS, CLIP_TABLE, CLIPS_A_BLOCK, PART, SHARD, Work
from tests.support.mishaps import Moment, environment
from tests.support.processes import cluster, wait_until
from tests.support.program import birddask, tables

MOMENTS: dict[str, tuple[Moment, str]] = {
    "while it reads a recording": ("reading", r"site05/.*\.WAV"),
    "while it computes mels": ("computing", ""),
    "in the middle of a shard": ("half_written", SHARD),
    "between shard and clip table": ("writing", CLIP_TABLE),
    "between clip table and part": ("writing", PART),
    "in the middle of a part": ("half_written", PART),
}


@pytest.mark.parametrize("when", MOMENTS)
def test_a_worker_is_killed(when: str, work: Work) -> None:
    moment, file = MOMENTS[when]
    death = work.mishap(moment, "kill", file)
    with work.driver(death) as run:
        assert run.exit_code() == 0, run.said
        assert len(death.victims) == 1
        assert not run.broke_down, run.said
    halves = [path for path in work.output.rglob("*.partial") if path.stat().st_size]
    assert halves or moment != "half_written", "what it had begun should be left lying"
    work.require_done()


def test_a_worker_runs_out_of_memory(work: Work) -> None:
    cluster = work.folder / "cluster.yaml"
    cluster.write_text("kind: local\nworkers: 2\nmemory_per_worker: 800 MiB\n")
    hunger = work.mishap("computing", "exhaust")
    with work.driver(hunger, cluster=cluster) as run:
        assert run.exit_code() == 0, run.said
        assert "exceeded 95% memory budget" in run.said
    assert len(hunger.victims) == 1
    work.require_done()


# After so long without a sign of life a worker is given up; by default it is five minutes.
IMPATIENT = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s"}


def test_a_frozen_worker_is_replaced(work: Work) -> None:
    frost = work.mishap("half_written", "freeze", SHARD)
    with work.driver(frost, workers=2, variables=IMPATIENT) as run:
        assert run.exit_code() == 0, run.said
    (frozen,) = frost.victims
    assert not exists(frozen)
    work.require_done()


def test_a_frozen_worker_that_nobody_ends_does_no_harm_when_it_goes_on(work: Work) -> None:
    frost = work.mishap("half_written", "freeze", SHARD)
    with (
        cluster(work.folder / "cluster", IMPATIENT) as there,
        there.worker("frail", environment(frost), nanny=False) as frail,
        there.worker("sound"),
    ):
        there.wait_for("frail", "sound")
        with work.driver(cluster=there.file) as run:
            assert run.exit_code() == 0, run.said
        assert frost.victims == [frail.process.pid]
        assert there.dropped("frail")
        work.require_done()
        frail.signal_group(signal.SIGCONT)
        frail.exit_code()
        work.require_done()


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_recording_that_kills_every_worker_costs_its_own_block_only(work: Work, archive: Path) -> None:
    own_archive = work.folder / "archive"
    shutil.copytree(archive, own_archive)
    work = work.on_archive(own_archive)
    poison = "site05/20250201_040000.WAV"
    death = work.mishap("reading", "kill", poison, times=None)
    # Fewer deaths than usual are needed to convict it: each of them costs the start of a worker.
    with work.driver(death, workers=2, variables={"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}) as run:
        assert run.exit_code(patience_s=240) == 1, run.said
        assert not run.broke_down, run.said
        assert len(set(re.findall(r"block (\d+) failed", run.said))) == 1
        assert poison in run.said
    assert len(death.victims) > 1
    work.require_undone(1)
    there = set(tables(work.output))
    missing = {name for name in work.expected if name not in there}
    assert len(missing) == 2
    assert any("site=site05/month=2025-02" in name for name in missing)

    (own_archive / poison).unlink()
    ran = birddask("run", work.job)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"not there any more: 1 ({poison})" in ran.stdout
    work.require_undone(0)
    assert work.status()["scores"]["clips_quarantined"] == CLIPS_A_BLOCK
    now = tables(work.output)
    assert set(now) == set(work.expected)
    assert {name for name in now if now[name] != work.expected[name]} == missing


def test_a_worker_that_comes_later_gets_work(work: Work) -> None:
    wait = work.mishap("computing", "hold", times=None)
    with cluster(work.folder / "cluster") as there, there.worker("first", environment(wait)):
        there.wait_for("first")
        with work.driver(cluster=there.file) as run:
            work.wait_for(wait, run)
            with there.worker("second"):
                # All that is done now was done by the second one.
                wait_until(lambda: work.parts() > BLOCKS // 2, "work for the second worker")
                wait.release()
                assert run.exit_code() == 0, run.said
    work.require_done()


def test_a_worker_that_is_retired_loses_nothing(work: Work) -> None:
    wait = work.mishap("computing", "hold", times=None)
    with (
        cluster(work.folder / "cluster") as there,
        there.worker("first", environment(wait)),
        there.worker("second", environment(wait)),
    ):
        there.wait_for("first", "second")
        with work.driver(cluster=there.file) as run:
            work.wait_for(wait, run, processes=2)
            with Client(there.address) as client:
                client.retire_workers(names=["second"])
            assert there.dropped("second")
            wait.release()
            assert run.exit_code() == 0, run.said
            assert not run.broke_down, run.said
    work.require_done()
