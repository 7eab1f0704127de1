"""The scheduler or the driver dies, two drivers meet, somebody presses ^C: the same command finishes."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from distributed import Client

from tests.deaths.work import BLOCKS, Work
from tests.support.mishaps import Mishap, environment
from tests.support.processes import Running, cluster, wait_until
from tests.support.program import birddask

# Of two workers with two threads each.
AT_A_TIME = 4


def test_the_scheduler_is_killed(work: Work) -> None:
    wait = work.mishap("computing", "hold", times=None)
    with (
        cluster(work.folder / "cluster") as there,
        there.worker("first", environment(wait)),
        there.worker("second", environment(wait)),
    ):
        there.wait_for("first", "second")
        with work.driver(cluster=there.file) as run:
            work.wait_for(wait, run, processes=2)
            there.scheduler.signal_group(signal.SIGKILL)
            assert run.exit_code() == 1, run.said
            assert "error: the cluster is gone" in run.said
            assert "start the same command again" in run.said
            assert not run.broke_down, run.said
        wait.release()
    work.require_undone(BLOCKS - work.parts())
    assert work.parts() < BLOCKS
    with (
        cluster(work.folder / "other cluster") as there,
        there.worker("third"),
        work.driver(cluster=there.file) as run,
    ):
        assert run.exit_code() == 0, run.said
    work.require_done()


def test_the_driver_is_killed_and_its_workers_live_on(work: Work) -> None:
    wait = work.mishap("computing", "hold", times=None)
    with (
        cluster(work.folder / "cluster") as there,
        there.worker("first", environment(wait)) as first,
        there.worker("second", environment(wait)) as second,
        Client(there.address) as client,
    ):
        there.wait_for("first", "second")
        with work.driver(cluster=there.file) as run:
            work.wait_for(wait, run, processes=2)
            run.signal_group(signal.SIGKILL)
        wait.release()
        wait_until(lambda: tasks_on_scheduler(client) == 0, "the end of the tasks of a driver that is gone")
        assert work.parts() < BLOCKS - AT_A_TIME, "what had not begun should have been given up"
        with work.driver(cluster=there.file) as run:
            assert run.exit_code() == 0, run.said
        assert not first.ended
        assert not second.ended
    work.require_done()


def tasks_on_scheduler(client: Client) -> int:
    return int(client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))


def test_two_drivers_at_once(work: Work) -> None:
    with work.driver(workers=1) as one, work.driver(workers=1) as other:
        for run in (one, other):
            assert run.exit_code() in (0, 1), run.said
            assert not run.broke_down, run.said
    ran = birddask("run", work.job)
    assert ran.returncode == 0
    assert "nothing is left to do" in ran.stdout
    work.require_done()


@pytest.fixture
def held(work: Work) -> Iterator[tuple[Running, Mishap]]:
    """A run of which all workers are in mid-block, and what holds them there."""
    wait = work.mishap("computing", "hold", times=None)
    with ExitStack() as stack:
        run = stack.enter_context(work.driver(wait, workers=2))
        work.wait_for(wait, run, processes=2)
        yield run, wait


@pytest.mark.parametrize("stop", ["^C", "SIGTERM"])
def test_a_run_that_is_asked_to_stop_ends_what_it_has_begun(
    stop: str, held: tuple[Running, Mishap], work: Work
) -> None:
    run, wait = held
    ask_to_stop(run, stop)
    wait_until(lambda: "\nstopping" in run.said, "an answer to the wish to stop")
    with Client(address_of_scheduler(run)) as client:
        wait_until(lambda: tasks_on_scheduler(client) <= AT_A_TIME, "the end of what has not begun", 20)
    wait.release()
    assert run.exit_code() == 1, run.said
    assert "stopped as asked" in run.said
    assert "`birddask run` goes on with them" in run.said
    assert not run.broke_down, run.said
    assert 0 < work.parts() <= AT_A_TIME
    work.require_undone(BLOCKS - work.parts())
    work.require_finishing()


def address_of_scheduler(run: Running) -> str:
    """As the program tells it to whoever wants to add a worker."""
    found = re.search(r"dask worker (\S+)", run.said)
    assert found, run.said
    return found[1]


def ask_to_stop(run: Running, how: str) -> None:
    """As a terminal does, to all processes of the group; or as a batch system does, to the driver."""
    if how == "^C":
        run.signal_group(signal.SIGINT)
    else:
        run.process.send_signal(signal.SIGTERM)


def test_a_second_wish_to_stop_is_met_at_once(held: tuple[Running, Mishap], work: Work) -> None:
    run, _ = held
    run.signal_group(signal.SIGINT)
    wait_until(lambda: "\nstopping" in run.said, "an answer to the wish to stop")
    run.signal_group(signal.SIGINT)
    assert run.exit_code(patience_s=30) != 0
    assert not run.broke_down, run.said
    assert work.parts() == 0, "its blocks are still held"
    work.require_finishing()
