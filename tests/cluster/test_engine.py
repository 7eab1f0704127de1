from __future__ import annotations

import functools
import importlib.util
import itertools
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster
from distributed import client as distributed_client

from birddask.clusters import ExistingSpec, LocalSpec, connect
from birddask.engine import Control, Done, Failed, dashboard_link, run, run_tasks
from birddask.engine.events import Crew, Event, Stalled
from birddask.errors import BirddaskError, ModelError, PoisonBlock, RecordingError, Stopped, TransientStorageError

WINDOW = 64


def square(number: int) -> int:
    return number * number


def tasks_on_scheduler(client: Client) -> int:
    return int(client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))


def unfinished(client: Client) -> int:
    ended = ("memory", "erred", "forgotten")
    states = client.run_on_scheduler(lambda dask_scheduler: [each.state for each in dask_scheduler.tasks.values()])
    return sum(state not in ended for state in states)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Counted:
    """Endless numbers, and how many of them were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        for number in itertools.count():
            self.taken += 1
            yield number


def test_every_item_comes_back_once_with_its_result(client: Client) -> None:
    outcomes = list(run_tasks(Control(lambda: client), "square", square, range(200)))
    assert {outcome.item for outcome in outcomes} == set(range(200))
    assert len(outcomes) == 200
    assert all(isinstance(outcome, Done) and outcome.result == outcome.item**2 for outcome in outcomes)


def test_nothing_to_do_is_no_trouble(client: Client) -> None:
    assert list(run_tasks(Control(lambda: client), "square", square, [])) == []


def test_equal_items_are_not_mistaken_for_one_another(client: Client) -> None:
    assert [outcome.item for outcome in run_tasks(Control(lambda: client), "square", square, [3, 3, 3])] == [3, 3, 3]


def test_endless_items_are_taken_only_as_fast_as_tasks_end(client: Client) -> None:
    items = Counted()
    outcomes = run_tasks(Control(lambda: client), "square", square, items)
    for ended, _ in enumerate(itertools.islice(outcomes, 300), start=1):
        assert items.taken - ended < WINDOW
        if ended % 50 == 0:
            assert tasks_on_scheduler(client) <= WINDOW + 1
    outcomes.close()
    wait_until(lambda: tasks_on_scheduler(client) == 0)


@dataclass(frozen=True)
class Trial:
    """A task that leaves a trace of each attempt and fails on the first few."""

    traces: str
    name: str
    failures: int = 0
    error: Exception | None = None

    def attempts(self) -> int:
        return len(list(Path(self.traces).glob(f"{self.name}.*")))


def attempt(trial: Trial) -> int:
    (Path(trial.traces) / f"{trial.name}.{uuid.uuid4().hex}").touch()
    if trial.attempts() <= trial.failures:
        raise trial.error or TransientStorageError("the network is gone")
    return trial.attempts()


def test_transient_faults_are_repeated_and_then_reported(client: Client, tmp_path: Path) -> None:
    trials = [Trial(str(tmp_path), f"fails-{failures}", failures) for failures in (0, 1, 2)]
    outcomes = {
        outcome.item.failures: outcome for outcome in run_tasks(Control(lambda: client), "attempt", attempt, trials)
    }
    assert {failures: type(outcome) for failures, outcome in outcomes.items()} == {
        0: Done,
        1: Done,
        2: Failed,
    }
    assert [trial.attempts() for trial in trials] == [1, 2, 2]
    reported = outcomes[2]
    assert isinstance(reported, Failed)
    assert reported.message == "the network is gone"


def test_a_run_ends_when_storage_is_away_for_everybody(client: Client, tmp_path: Path) -> None:
    trials = [Trial(str(tmp_path), str(number), 99) for number in range(300)]
    with pytest.raises(TransientStorageError, match="storage is away; start the same command again"):
        list(run_tasks(Control(lambda: client), "attempt", attempt, trials))
    assert sum(trial.attempts() for trial in trials) < 300


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("seven"), "ValueError: seven"),
        (KeyError("seven"), "KeyError: 'seven'"),
        (MemoryError(), "MemoryError: "),
        (RecordingError("short_read", "3 of 4 frames"), "short_read: 3 of 4 frames"),
        (BirddaskError("as it stands"), "as it stands"),
    ],
)
def test_another_error_fails_its_own_item_at_once(
    error: Exception, message: str, client: Client, tmp_path: Path
) -> None:
    trials = [Trial(str(tmp_path), str(number), 99 if number == 7 else 0, error) for number in range(20)]
    outcomes = list(run_tasks(Control(lambda: client), "attempt", attempt, trials))
    assert sorted(int(outcome.item.name) for outcome in outcomes) == list(range(20))
    (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert failed.item.name == "7"
    assert failed.message == message
    assert failed.item.attempts() == 1


def distrust(traces: Path, number: int) -> None:
    (traces / str(number)).touch()
    if number == 5:
        raise ModelError("the known clip is off")
    time.sleep(0.02)


def test_a_model_error_stops_the_run_and_gives_up_what_waits(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the known clip is off"):
        list(run_tasks(Control(lambda: client), "distrust", functools.partial(distrust, tmp_path), itertools.count()))
    wait_until(lambda: unfinished(client) == 0)
    assert len(list(tmp_path.iterdir())) < WINDOW


def test_items_that_break_off_give_up_what_waits(client: Client) -> None:
    def items() -> Iterator[int]:
        yield from range(WINDOW)
        raise OSError("the listing broke off")

    with pytest.raises(OSError, match="the listing broke off"):
        list(run_tasks(Control(lambda: client), "square", square, items()))
    wait_until(lambda: unfinished(client) == 0)


def test_the_client_at_hand_is_used_whichever_is_the_default(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_default() -> Client:
        raise AssertionError("another client")

    monkeypatch.setattr(distributed_client, "default_client", no_default)
    assert len(list(run_tasks(Control(lambda: client), "square", square, range(3)))) == 3


def kill_the_worker(fatal: frozenset[int], number: int) -> int:
    if number in fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number


def test_a_task_that_kills_its_worker_fails_alone() -> None:
    task = functools.partial(kill_the_worker, frozenset({3, 8}))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        connect(LocalSpec("local", workers=2), None) as client,
    ):
        outcomes = list(run_tasks(Control(lambda: client), "kill", task, range(12)))
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert sorted(outcome.item for outcome in failed) == [3, 8]
    assert all("ends the process of every worker" in outcome.message for outcome in failed)
    assert sorted(outcome.item for outcome in outcomes) == list(range(12))


def slowly(number: int) -> int:
    time.sleep(0.05)
    return number


def test_a_cluster_that_goes_away_ends_the_run_with_a_message() -> None:
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp://"
    )
    with cluster, connect(ExistingSpec("existing", cluster.scheduler_address), None) as client:
        outcomes = run_tasks(Control(lambda: client), "slowly", slowly, itertools.count())
        next(outcomes)
        cluster.close()
        with pytest.raises(BirddaskError, match="the cluster is gone"):
            list(outcomes)


@pytest.mark.parametrize("bokeh", [True, False])
def test_the_dashboard_is_linked_only_where_it_is_served(
    bokeh: bool,  # noqa: FBT001
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if bokeh and name == "bokeh" else None)
    assert dashboard_link(client) == (client.dashboard_link if bokeh else None)


def test_asked_to_stop_running_tasks_end_and_waiting_ones_are_given_up(client: Client) -> None:
    outcomes: list[int] = []
    items = Counted()
    control = Control(lambda: client, stopping=lambda: len(outcomes) >= 10)
    with pytest.raises(Stopped, match="start the same command again"):
        outcomes.extend(outcome.item for outcome in run_tasks(control, "slowly", slowly, items))
    # Those that ran, but not all that had been submitted.
    assert 10 <= len(outcomes) < WINDOW
    assert items.taken > len(outcomes)
    wait_until(lambda: unfinished(client) == 0)


def test_a_run_that_mostly_fails_is_given_up(client: Client, tmp_path: Path) -> None:
    trials = (Trial(str(tmp_path), str(number), 99, ValueError("always")) for number in itertools.count())
    ended = []
    with pytest.raises(BirddaskError, match=r"given up after 20 of 20 tasks failed"):
        ended.extend(run_tasks(Control(lambda: client), "attempt", attempt, trials))
    trials = (Trial(str(tmp_path), f"{n} again", 99 * (n % 6 == 0), ValueError("now and then")) for n in range(180))
    assert len(list(run_tasks(Control(lambda: client), "attempt", attempt, trials))) == 180


def sleep_if_first(number: int) -> int:
    time.sleep(3 if number == 0 else 0.01)
    return number


def test_a_task_that_runs_for_too_long_is_reported_and_then_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(run, "_STALLED_S", 0.5)
    events: list[Event] = []
    outcomes = list(run_tasks(Control(lambda: client, events.append), "sleep", sleep_if_first, range(20)))
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    (stalled,) = [event for event in events if isinstance(event, Stalled)]
    assert (stalled.what, stalled.running_s >= 0.5) == ("0", True)
    assert stalled.worker in client.scheduler_info()["workers"]
    monkeypatch.setattr(run, "_GIVEN_UP_S", 1.0)
    outcomes = list(run_tasks(Control(lambda: client), "sleep", sleep_if_first, range(20)))
    (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert (failed.item, len(outcomes)) == (0, 20)
    assert "given up after" in failed.message


def test_whoever_watches_is_told_how_many_workers_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_LOOK_EVERY_S", 0.1)
    events: list[Event] = []
    with connect(LocalSpec("local", workers=1), None) as client:
        outcomes = run_tasks(Control(lambda: client, events.append), "slowly", slowly, itertools.count())
        next(outcomes)
        assert client.cluster is not None
        client.cluster.scale(2)
        for _ in outcomes:
            if Crew(2, 4) in events:
                break
        outcomes.close()
    assert [event for event in events if isinstance(event, Crew)] == [Crew(1, 2), Crew(2, 4)]


def test_in_a_crowd_of_deaths_a_run_is_given_up() -> None:
    task = functools.partial(kill_the_worker, frozenset(range(1000)))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        connect(LocalSpec("local", workers=2), None) as client,
        pytest.raises(BirddaskError, match="tasks failed"),
    ):
        list(run_tasks(Control(lambda: client), "kill", task, itertools.count()))


def test_what_kills_even_alone_is_called_so() -> None:
    task = functools.partial(kill_the_worker, frozenset({3}))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        connect(LocalSpec("local", workers=1), None) as client,
    ):
        outcomes = list(run_tasks(Control(lambda: client), "kill", task, range(5)))
    assert {outcome.item: type(outcome) for outcome in outcomes} == {0: Done, 1: Done, 2: Done, 3: Failed, 4: Done}
    assert isinstance(next(each for each in outcomes if isinstance(each, Failed)).error, PoisonBlock)


def test_a_crew_that_shrinks_gets_its_work_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(run, "_LEAST_IN_FLIGHT", 1)
    with connect(LocalSpec("local", workers=2), None) as client:
        outcomes = []
        for outcome in run_tasks(Control(lambda: client), "slowly", slowly, range(100)):
            outcomes.append(outcome.item)
            if len(outcomes) == 20:
                client.retire_workers([min(client.scheduler_info()["workers"])])
    assert sorted(outcomes) == list(range(100))
