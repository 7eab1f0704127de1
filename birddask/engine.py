"""Tasks on a Dask cluster, a bounded number in flight; what fails is sorted, never dropped.

Together with ``clusters`` the only ``distributed`` importer.
"""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from distributed import Client, Future, as_completed
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from birddask.errors import BirddaskError, ModelError, TransientStorageError

_LEAST_IN_FLIGHT = 64
_IN_FLIGHT_PER_THREAD = 4
# A task that reports a passing fault has repeated the operation for minutes already.
_ATTEMPTS = 2

Connect = Callable[[], Client]
"""Gives the client of the cluster that a verb runs on; starts it where need be."""

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
        if isinstance(self.error, KilledWorker):
            return "the workers that tried it died; memory may be short, or its data crash a library"
        if isinstance(self.error, BirddaskError):
            return str(self.error)
        return f"{type(self.error).__name__}: {self.error}"


Outcome = Done[Item, Result] | Failed[Item]


def run_tasks(
    client: Client,
    name: str,
    task: Callable[[Item], Result],
    items: Iterable[Item],
) -> Iterator[Outcome[Item, Result]]:
    """Outcomes of ``task`` on every item, in the order in which they end.

    Tasks that ran into a passing fault of storage are tried again; items are taken only as fast as tasks end, so
    ``items`` may be endless.
    Dask blames a worker's death on every task that the worker held: those are tried once more at the end, one by one.

    Raises:
        ModelError: the model can't be trusted on a worker; tasks that were not started are given up.
        TransientStorageError: storage is away: as many tasks failed so as run at a time, and none came through between.
        BirddaskError: the cluster is gone.
    """
    run = uuid.uuid4().hex[:8]
    waiting = iter(items)
    flight: dict[Future[Result], tuple[Item, int]] = {}
    suspects: list[Item] = []
    alone = False
    away = 0
    completed = as_completed(loop=client.loop)
    numbers = iter(range(1 << 62))

    def submit(item: Item, attempt: int) -> None:
        key = f"{name}-{run}-{next(numbers)}"
        future = client.submit(task, item, key=key, pure=False)
        flight[future] = (item, attempt)
        completed.add(future)

    try:
        for _, item in zip(range(_window(client)), waiting, strict=False):
            submit(item, 1)
        while flight or suspects:
            if not flight:
                alone = True
                submit(suspects.pop(0), 1)
            future = next(completed)
            item, attempt = flight.pop(future)
            outcome = _outcome(item, future)
            error = outcome.error if isinstance(outcome, Failed) else None
            if isinstance(error, TransientStorageError):
                away += 1
                if away >= threads_in_all(client):
                    raise TransientStorageError(f"storage is away; start the same command again to go on: {error}")
                if attempt < _ATTEMPTS:
                    submit(item, attempt + 1)
                    continue
            else:
                away = 0
            if isinstance(error, KilledWorker) and not alone:
                suspects.append(item)
            else:
                yield outcome
            for following in waiting:
                submit(following, 1)
                break
    finally:
        client.cancel(list(flight))


def _outcome(item: Item, future: Future[Result]) -> Outcome[Item, Result]:
    try:
        return Done(item, future.result())
    except FutureCancelledError as error:
        raise BirddaskError(f"the cluster is gone; start the same command again to go on: {error}") from error
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a task may raise
        return Failed(item, error)


def _window(client: Client) -> int:
    return max(_LEAST_IN_FLIGHT, _IN_FLIGHT_PER_THREAD * threads_in_all(client))


def threads_in_all(client: Client) -> int:
    """How many tasks run at a time."""
    return int(sum(client.nthreads().values()))


def threads_per_worker(client: Client) -> int:
    """How many tasks one worker process runs at a time, the least of all workers."""
    return int(min(client.nthreads().values(), default=1))


def dashboard_link(client: Client) -> str | None:
    """Where Dask's dashboard is served; None without the package ``bokeh``, which draws it."""
    return client.dashboard_link if importlib.util.find_spec("bokeh") else None
