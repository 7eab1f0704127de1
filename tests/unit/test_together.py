from __future__ import annotations

import threading

import pytest

from birddask.storage import in_order


def test_several_at_a_time_come_in_order() -> None:
    together = threading.Barrier(4)

    def wait_for_others(number: int) -> int:
        together.wait(timeout=30)
        return number

    assert list(in_order(wait_for_others, range(12))) == list(range(12))


def test_what_goes_wrong_with_one_of_several_is_told() -> None:
    def invert(number: int) -> float:
        return 1 / number

    results = in_order(invert, [2, 4, 0, 8])
    assert [next(results), next(results)] == [0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        next(results)
