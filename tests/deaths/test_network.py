"""Hosts whose cables are pulled: the others do the work of those that are out of reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deaths.work import BLOCKS, Work
from tests.support.hosts import CARD, Host, hosts
from tests.support.mishaps import environment
from tests.support.processes import cluster, wait_until

# Dask takes no shorter time for a connection on which nothing is answered.
IMPATIENT = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s", "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}


@pytest.fixture
def four_hosts() -> Iterator[list[Host]]:
    with hosts(4) as there:
        yield there


def test_a_worker_is_cut_off_and_comes_back(four_hosts: list[Host], work: Work) -> None:
    head, near, far, desk = four_hosts
    stay, wait = work.mishap("computing", "hold", times=None), work.mishap("computing", "hold", times=None)
    with (
        cluster(work.folder / "cluster", IMPATIENT, head.inside, head.address) as there,
        there.worker("near", {**IMPATIENT, **environment(stay)}, near.inside, CARD),
        there.worker("far", {**IMPATIENT, **environment(wait)}, far.inside, CARD),
    ):
        there.wait_for("near", "far")
        with work.driver(cluster=there.file, inside=desk.inside) as run:
            work.wait_for(stay, run)
            work.wait_for(wait, run)
            far.unplug()
            wait_until(lambda: there.dropped("far"), "the loss of the worker that is cut off")
            stay.release()
            wait_until(lambda: work.parts() > BLOCKS // 2, "the work of the other one")
            far.plug_in()
            wait.release()
            assert run.exit_code() == 0, run.said
            assert not run.broke_down, run.said
        work.require_done()
    work.require_done()


def test_a_driver_that_is_cut_off_ends_with_a_message(four_hosts: list[Host], work: Work) -> None:
    head, near, _, desk = four_hosts
    wait = work.mishap("computing", "hold", times=None)
    with (
        cluster(work.folder / "cluster", IMPATIENT, head.inside, head.address) as there,
        there.worker("near", {**IMPATIENT, **environment(wait)}, near.inside, CARD),
    ):
        there.wait_for("near")
        with work.driver(cluster=there.file, inside=desk.inside, variables=IMPATIENT) as run:
            work.wait_for(wait, run)
            desk.unplug()
            assert run.exit_code() == 1, run.said
            assert "error: the cluster is gone" in run.said
            assert not run.broke_down, run.said
            desk.plug_in()
            wait.release()
        with work.driver(cluster=there.file, inside=desk.inside) as run:
            assert run.exit_code() == 0, run.said
    work.require_done()
