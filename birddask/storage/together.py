"""Several operations on storage at a time: most of their time is waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AT_ONCE = 8

S = TypeVar("S")
T = TypeVar("T")


def in_order(action: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """The results of an action on each item, in the order of the items, a few of them begun before their turn.

    What the action raises for an item is raised in the turn of that item.
    """
    begun: deque[Future[T]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, "storage") as pool:
        for item in items:
            begun.append(pool.submit(action, item))
            if len(begun) == 2 * _AT_ONCE:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
