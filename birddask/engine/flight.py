"""Tasks in flight: submitted, and not yet back."""

from __future__ import annotations

import queue
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from distributed import Client, Future

from birddask.engine.control import asking

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Ended(Generic[Item, Result]):
    """A task that ended, well or not."""

    key: str
    item: Item
    attempt: int
    future: Future[Result]


class Flight(Generic[Item, Result]):
    """The tasks of one run on the cluster, and the item that each of them is for."""

    def __init__(self, client: Client, name: str, task: Callable[[Item], Result]) -> None:
        self._client = client
        # A key that was used before would bring back the old result, or the old error.
        self._keys = f"{name}-{uuid.uuid4().hex[:8]}"
        self._task = task
        self._submitted = 0
        self._flying: dict[str, Ended[Item, Result]] = {}
        self._landed: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self._flying)

    def submit(self, item: Item, attempt: int = 1) -> None:
        """Send a task to the cluster."""
        key = f"{self._keys}-{self._submitted}"
        self._submitted += 1
        future = self._client.submit(self._task, item, key=key, pure=False)
        self._flying[key] = Ended(key, item, attempt, future)
        future.add_done_callback(lambda _future: self._landed.put(key))

    def next_ended(self, timeout_s: float) -> Ended[Item, Result] | None:
        """The next task that ended; None if there was none in so many seconds."""
        while True:
            try:
                key = self._landed.get(timeout=timeout_s)
            except queue.Empty:
                return None
            # One that was given up meanwhile has landed, too.
            ended = self._flying.pop(key, None)
            if ended is not None:
                return ended

    def on_workers(self) -> dict[str, str]:
        """The keys of the tasks that were given to a worker, with its address.

        Raises:
            BirddaskError: the scheduler does not answer.
        """
        with asking():
            held = self._client.processing()
        return {key: worker for worker, keys in held.items() for key in keys if key in self._flying}

    def item(self, key: str) -> Item:
        """What a task in flight is for."""
        return self._flying[key].item

    def give_up(self, keys: list[str]) -> None:
        """Forget tasks; one that runs already runs to its end, unheard."""
        self._client.cancel([self._flying.pop(key).future for key in keys])

    def give_up_waiting(self) -> None:
        """Forget the tasks that have not begun: a worker has one or two more than it has threads.

        Raises:
            BirddaskError: the scheduler does not answer.
        """
        held = self.on_workers()
        with asking():
            threads = self._client.nthreads()
        waiting = []
        # In the order in which workers begin them.
        for key, flying in self._flying.items():
            worker = held.get(key)
            if worker is not None and threads.get(worker, 0) > 0:
                threads[worker] -= 1
            elif not flying.future.done():
                waiting.append(key)
        self.give_up(waiting)

    def give_up_all(self) -> None:
        """Forget all tasks."""
        self.give_up(list(self._flying))
