"""Items to outcomes: how many tasks fly at a time, which are tried again, and when a run is hopeless."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from birddask.engine.control import Control, crew_of, gone
from birddask.engine.events import Crew, Stalled
from birddask.engine.flight import Ended, Flight
from birddask.errors import BirddaskError, ModelError, PoisonBlock, Stopped, TransientStorageError

_LEAST_IN_FLIGHT = 64
_IN_FLIGHT_PER_THREAD = 4
# A task that reports a passing fault has repeated the operation for minutes already.
_ATTEMPTS = 2
# How soon a wish to stop is noticed, and how often the cluster is looked at.
_TICK_S, _LOOK_EVERY_S = 0.5, 5.0
# A block takes seconds, with a large model on a small machine minutes.
_STALLED_S, _GIVEN_UP_S = 600.0, 3600.0
_TIMES_THE_LONGEST = 20
# From so many failures on, a run that fails for more than this share of its tasks is given up.
_FAILURES_FOR_A_RULE, _FAILED_SHARE = 20, 0.2
_POISON = (
    "it ends the process of every worker that tries it, even alone; memory may be short, or a recording crash a library"
)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """A task that came back."""

    item: Item
    result: Result


@dataclass(frozen=True)
class Failed(Generic[Item]):
    """A task that will not come back."""

    item: Item
    error: Exception

    @property
    def message(self) -> str:
        """What happened, for the user."""
        if isinstance(self.error, BirddaskError):
            return str(self.error)
        return f"{type(self.error).__name__}: {self.error}"


Outcome = Done[Item, Result] | Failed[Item]


def run_tasks(
    control: Control, name: str, task: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Outcome[Item, Result]]:
    """Outcomes of ``task`` on every item, in the order in which they end.

    Tasks that ran into a passing fault of storage are tried again; items are taken only as fast as tasks end, so
    ``items`` may be endless. Dask blames a worker's death on every task that the worker held: those are tried once
    more at the end, one by one. A task that runs for ever is reported, and after an hour given up.

    Raises:
        ModelError: the model can't be trusted on a worker; tasks that were not started are given up.
        TransientStorageError: storage is away: as many tasks failed so as run at a time, and none came through between.
        Stopped: somebody asked for it; the outcomes of tasks that ran at the time came before.
        BirddaskError: the cluster is gone, or too large a share of the tasks fails.
    """
    run = _Run(control, name, task)
    try:
        yield from run.together(iter(items))
        yield from run.one_by_one()
    finally:
        run.flight.give_up_all()
    if run.braked:
        raise Stopped("stopped as asked; what is done is kept, start the same command again to go on")


class _Run(Generic[Item, Result]):
    """What is known of a run on the way."""

    def __init__(self, control: Control, name: str, task: Callable[[Item], Result]) -> None:
        self._control = control
        self._client = control.connect()
        self.flight = Flight(self._client, name, task)
        self.braked = False
        self._suspects: list[Item] = []
        self._away = 0
        self._ended = 0
        self._failed = 0
        self._crew = Crew(0, 0)
        self._next_look_s = 0.0
        self._since_s: dict[str, float] = {}
        self._stalled: set[str] = set()
        self._longest_s = 0.0

    def together(self, waiting: Iterator[Item]) -> Iterator[Outcome[Item, Result]]:
        """All items, many at a time."""
        return self._work(waiting, alone=False)

    def one_by_one(self) -> Iterator[Outcome[Item, Result]]:
        """Those whose workers died, each without company that could be to blame."""
        return self._work(iter(self._suspects), alone=True)

    def _work(self, waiting: Iterator[Item], *, alone: bool) -> Iterator[Outcome[Item, Result]]:
        while True:
            if self._control.stopping():
                self._brake()
            yield from self._look()
            if not self.braked:
                window = 1 if alone else max(_LEAST_IN_FLIGHT, _IN_FLIGHT_PER_THREAD * self._crew.threads)
                for item in islice(waiting, max(0, window - len(self.flight))):
                    self.flight.submit(item)
            if not len(self.flight):
                return
            ended = self.flight.next_ended(_TICK_S)
            if ended is not None:
                yield from self._settle(ended, alone=alone)

    def _brake(self) -> None:
        if not self.braked:
            self.braked = True
            self.flight.give_up_waiting()

    def _look(self) -> Iterator[Outcome[Item, Result]]:
        """Now and then: how many workers there are, and which tasks run for too long."""
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + _LOOK_EVERY_S
        crew = crew_of(self._client)
        if crew != self._crew:
            self._crew = crew
            self._control.watch(crew)
        held = self.flight.on_workers()
        self._since_s = {key: self._since_s.get(key, now_s) for key in held}
        for key, since_s in self._since_s.items():
            running_s = now_s - since_s
            if running_s > max(_GIVEN_UP_S, _TIMES_THE_LONGEST * self._longest_s):
                item = self.flight.item(key)
                self.flight.give_up([key])
                yield from self._count(Failed(item, _given_up(running_s, held[key])))
            elif running_s > _STALLED_S and key not in self._stalled:
                self._stalled.add(key)
                self._control.watch(Stalled(str(self.flight.item(key)), held[key], running_s))

    def _settle(self, ended: Ended[Item, Result], *, alone: bool) -> Iterator[Outcome[Item, Result]]:
        """What came of a task: an outcome, another attempt, or a place among the suspects."""
        since_s = self._since_s.pop(ended.key, None)
        if since_s is not None:
            self._longest_s = max(self._longest_s, time.monotonic() - since_s)
        outcome = _outcome(ended, alone=alone)
        error = outcome.error if isinstance(outcome, Failed) else None
        if isinstance(error, KilledWorker):
            self._suspects.append(ended.item)
            self._require_hope()
            return
        if not isinstance(error, TransientStorageError):
            self._away = 0
        else:
            self._away += 1
            if self._away >= max(1, self._crew.threads):
                raise TransientStorageError(f"storage is away; start the same command again to go on: {error}")
            if ended.attempt < _ATTEMPTS and not self.braked:
                self.flight.submit(ended.item, ended.attempt + 1)
                return
        yield from self._count(outcome)

    def _count(self, outcome: Outcome[Item, Result]) -> Iterator[Outcome[Item, Result]]:
        """Pass an outcome on, and end a run in which too many fail."""
        yield outcome
        self._ended += 1
        self._failed += isinstance(outcome, Failed)
        self._require_hope()

    def _require_hope(self) -> None:
        failed, ended = self._failed + len(self._suspects), self._ended + len(self._suspects)
        if failed >= _FAILURES_FOR_A_RULE and failed > _FAILED_SHARE * ended:
            raise BirddaskError(
                f"the run was given up after {failed} of {ended} tasks failed; mend what is wrong and start the same "
                "command again"
            )


def _given_up(running_s: float, worker: str) -> BirddaskError:
    return BirddaskError(
        f"given up after {running_s / 60:.0f} minutes on {worker}, which may wait for storage that does not answer"
    )


def _outcome(ended: Ended[Item, Result], *, alone: bool) -> Outcome[Item, Result]:
    try:
        return Done(ended.item, ended.future.result())
    except FutureCancelledError as error:
        raise gone(error) from error
    except ModelError:
        raise
    except KilledWorker as error:
        return Failed(ended.item, PoisonBlock(_POISON) if alone else error)
    except Exception as error:  # noqa: BLE001 - whatever a task may raise
        return Failed(ended.item, error)
