from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from birddask.storage.ahead import ahead


def counting(name: str, count: int) -> Iterator[str]:
    for number in range(count):
        yield f"{name}{number}"


def test_values_come_in_the_order_of_their_iterators() -> None:
    lengths = [3, 0, 1, 7, 2, 5, 1]
    read = ahead(counting(f"{place}-", length) for place, length in enumerate(lengths))
    assert [list(each) for each in read] == [list(counting(f"{n}-", length)) for n, length in enumerate(lengths)]


def test_the_next_ones_are_begun_before_their_turn_but_not_all() -> None:
    begun = [threading.Event() for _ in range(10)]

    def steps(number: int) -> Iterator[int]:
        begun[number].set()
        yield number

    read = ahead(steps(number) for number in range(10))
    first = next(read)
    assert all(event.wait(5) for event in begun[:4])
    assert list(first) == [0]
    assert not any(event.is_set() for event in begun[4:])
    assert [list(each) for each in read] == [[number] for number in range(1, 10)]


def test_several_wait_at_the_same_time() -> None:
    together = threading.Barrier(3)

    def steps(number: int) -> Iterator[int]:
        together.wait(5)
        yield number

    assert [list(each) for each in ahead(steps(number) for number in range(3))] == [[0], [1], [2]]


def test_what_breaks_off_breaks_off_in_its_own_turn() -> None:
    def steps(number: int) -> Iterator[int]:
        yield number
        if number == 1:
            raise OSError("gone")

    read = ahead(steps(number) for number in range(3))
    assert list(next(read)) == [0]
    broken = next(read)
    assert next(broken) == 1
    with pytest.raises(OSError, match="gone"):
        next(broken)
    assert list(next(read)) == [2]
