"""A recorder's schedule, and what is missing in it, found from nothing but the starts of its recordings; pure.

A rule of thumb that rather says nothing than something wrong:

* The usual step is the most common difference between one start and the next. It counts if four of five differences
  are about as long (within a tenth), or if half of the recordings come back at the same second of the next day.
  Recordings that begin when something is heard do neither: they have no schedule, and no gaps.
* A break is a difference of more than one and a half usual steps. It is a pause of the schedule if the recorder pauses
  in the same hours on at least half of the days around it: up to four before the break and four after it, each 24 hours
  long. Else it is a gap, and as many recordings are missing as the recorder made in the same hours of those days (their
  median). A break of several days is held against each of those days, repeated as often as the break is long.
* Schedules that follow the sun move by minutes a day, or by half an hour now and then. A recording of another day that
  is within half an hour of an end of the break (within a quarter of the break, if that is less) is therefore no sign of
  a gap, and up to half an hour lost beside a pause goes unseen.
* In a deployment too short for such days a break is a gap if no more than three recordings are missing, else a pause.
* A break of more than half a year lies between two seasons, or comes from a clock that was wrong: it is no gap.
* A schedule that leaves out whole days is understood if it leaves out at least every second one; fewer look like gaps.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.int64]
"""Whole seconds since 1970 UTC, one dimension."""

_DAY_S = 86_400
_STARTS_AT_LEAST = 3
_ALIKE_SHARE = 0.8
_RETURNING_SHARE = 0.5
_DAYS_EACH_SIDE = 4
# Sunrise moves by up to 4 minutes a day at 60 degrees of latitude; AudioMoth can round it, to half an hour for example.
_SUN_MOVES_S = 1800
_MISSING_UNCOMPARED = 3
_LONGEST_BREAK_S = 183 * _DAY_S
_NO_DAYS = -1


def usual_step_s(starts: Seconds) -> int | None:
    """The usual seconds from one start to the next; None where there is no schedule or fewer than three starts.

    Args:
        starts: ascending, none twice.
    """
    if starts.size < _STARTS_AT_LEAST:
        return None
    steps = np.diff(starts)
    lengths, counts = np.unique(steps, return_counts=True)
    step = int(lengths[counts.argmax()])
    alike = np.mean(np.abs(steps - step) <= step / 10)
    next_day = starts[starts <= starts[-1] - _DAY_S] + _DAY_S
    # Clocks and cards take a second more or less to begin.
    returning = np.searchsorted(starts, next_day + 1, "right") > np.searchsorted(starts, next_day - 1)
    scheduled = alike >= _ALIKE_SHARE or (next_day.size and np.mean(returning) >= _RETURNING_SHARE)
    return step if scheduled else None


def missing_after(starts: Seconds, step_s: int) -> NDArray[np.int64]:
    """How many recordings are missing between each start and the next: 0 but for gaps, shape (starts - 1).

    Args:
        starts: ascending, none twice.
        step_s: the usual step.
    """
    missing = np.zeros(max(starts.size - 1, 0), np.int64)
    steps = np.diff(starts)
    is_break = (steps > 1.5 * step_s) & (steps <= _LONGEST_BREAK_S)
    begins, ends = starts[:-1][is_break], starts[1:][is_break]
    lengths = ends - begins
    margin_s = np.full(lengths.shape, (step_s + 1) // 2)
    sun_margin_s = np.maximum(margin_s, np.minimum(_SUN_MOVES_S, lengths // 4))
    usual = _usual_between(starts, begins, ends, margin_s)
    usual_inside = _usual_between(starts, begins, ends, sun_margin_s)
    by_step = (lengths + step_s // 2) // step_s - 1
    short_and_alone = (usual == _NO_DAYS) & (by_step <= _MISSING_UNCOMPARED)
    missing[is_break] = np.select([usual_inside > 0, short_and_alone], [usual, by_step], 0)
    return missing


def _usual_between(starts: Seconds, begins: Seconds, ends: Seconds, margin_s: Seconds) -> NDArray[np.int64]:
    """Median of the recordings that the days around each break have in its hours, without a margin at both ends."""
    if not begins.size:
        return begins
    found = np.stack([*_on_days_around(starts, begins, ends, margin_s)])
    found.sort(axis=0)
    days = np.count_nonzero(found != _NO_DAYS, axis=0)
    middle = len(found) - days + (days - 1) // 2
    usual: NDArray[np.int64] = np.take_along_axis(found, middle[None], axis=0)[0]
    return usual


def _on_days_around(starts: Seconds, begins: Seconds, ends: Seconds, margin_s: Seconds) -> Iterator[NDArray[np.int64]]:
    """For one day after the other, its recordings in the hours of each break; -1 where the deployment lacks the day."""
    for days in range(1, _DAYS_EACH_SIDE + 1):
        # Either day holds the recording at its end of the break.
        before, after = begins + 1 - days * _DAY_S, ends + (days - 1) * _DAY_S
        for day, within in ((before, before >= starts[0]), (after, after + _DAY_S <= starts[-1])):
            repeated = _repeated_until(starts, day, ends - margin_s) - _repeated_until(starts, day, begins + margin_s)
            yield np.where(within, repeated, _NO_DAYS)


def _repeated_until(starts: Seconds, day: Seconds, moment: Seconds) -> NDArray[np.int64]:
    """Recordings up to a moment if the 24 hours from ``day`` on were repeated for ever, less than 0 before ``day``."""
    times, rest = np.divmod(moment - day, _DAY_S)
    before = np.searchsorted(starts, day)
    each_time = np.searchsorted(starts, day + _DAY_S) - before
    until: NDArray[np.int64] = times * each_time + np.searchsorted(starts, day + rest) - before
    return until
