"""Reading ahead of whoever computes, and writing behind."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

# For short recordings in a bucket: so many answers are waited for at the same time.
_AHEAD = 3

T = TypeVar("T")


@functools.cache
def _helpers() -> ThreadPoolExecutor:
    """The threads that read and write, kept for good: to some servers each new thread is a new connection."""
    return ThreadPoolExecutor(2 * _AHEAD, "helper")


def behind(write: Callable[[], None]) -> Future[None]:
    """Begin to write while the caller goes on computing; whoever depends on it waits for its result."""
    return _helpers().submit(write)


def ahead(iterators: Iterable[Iterator[T]]) -> Iterator[Iterator[T]]:
    """The same iterators in their order, each one step ahead, and a few of them begun before it is their turn.

    An iterator is never in two threads at a time, but its steps may be made by several, one after the other.
    """
    begun: deque[Iterator[T]] = deque()
    for iterator in iterators:
        begun.append(_one_step_ahead(iterator, _step(iterator)))
        if len(begun) > _AHEAD:
            yield begun.popleft()
    while begun:
        yield begun.popleft()


def _one_step_ahead(iterator: Iterator[T], first: Future[T | None]) -> Iterator[T]:
    step = first
    while (value := step.result()) is not None:
        step = _step(iterator)
        yield value


def _step(iterator: Iterator[T]) -> Future[T | None]:
    return _helpers().submit(next, iterator, None)
