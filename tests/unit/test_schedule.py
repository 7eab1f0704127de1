from __future__ import annotations

import math
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birddask.survey.schedule import missing_after, usual_step_s

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = datetime(2025, 5, 3, tzinfo=UTC)
MIN = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def seconds(moments: Iterable[datetime]) -> np.ndarray:
    return np.array(sorted({(moment - EPOCH) // timedelta(seconds=1) for moment in moments}), np.int64)


def every(step: timedelta, first: datetime, count: int) -> list[datetime]:
    return [first + number * step for number in range(count)]


def days(count: int, *times: timedelta, sun: timedelta = timedelta(0)) -> list[datetime]:
    """Recordings at some times of each day, all later by ``sun`` on each next day."""
    return [FIRST_DAY + day * (DAY + sun) + time for day in range(count) for time in times]


def times(first: timedelta, last: timedelta, step: timedelta) -> list[timedelta]:
    return [first + number * step for number in range((last - first) // step + 1)]


def gaps(moments: Iterable[datetime]) -> list[tuple[str, str, int]]:
    """Day of May and time around each gap, and the number of missing recordings."""
    starts = seconds(moments)
    step_s = usual_step_s(starts)
    assert step_s is not None
    shown = [f"{EPOCH + timedelta(seconds=int(start)):%d %H:%M}" for start in starts]
    missing = missing_after(starts, step_s).tolist()
    assert len(missing) == len(starts) - 1
    return [(shown[at], shown[at + 1], count) for at, count in enumerate(missing) if count]


def step_of(moments: Iterable[datetime]) -> int | None:
    return usual_step_s(seconds(moments))


DAY_AND_NIGHT = every(15 * MIN, FIRST_DAY, 96 * 20)
MORNINGS = days(20, *times(4 * HOUR, 10 * HOUR, 5 * MIN))
DAWN = times(5 * HOUR, 7 * HOUR, 5 * MIN)
DUSK = times(18 * HOUR, 20 * HOUR, 5 * MIN)


def without(moments: Iterable[datetime], first: datetime, end: datetime) -> list[datetime]:
    return [moment for moment in moments if not first <= moment < end]


def may(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2025, 5, day, hour, minute, tzinfo=UTC)


def test_the_usual_step_is_the_most_common_one() -> None:
    assert step_of(DAY_AND_NIGHT) == 900
    assert step_of(MORNINGS) == 300
    assert step_of(every(DAY, FIRST_DAY, 3)) == 86_400


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_recordings_have_no_step(count: int) -> None:
    assert step_of(every(HOUR, FIRST_DAY, count)) is None


@pytest.mark.parametrize(("odd_one", "step"), [(4, 600), (3, None)])
def test_four_of_five_steps_must_be_alike(odd_one: int, step: int | None) -> None:
    moments = [*every(10 * MIN, FIRST_DAY, odd_one + 1), FIRST_DAY + 5 * HOUR]
    assert step_of(moments) == step


def test_steps_within_a_tenth_are_alike() -> None:
    moments = [FIRST_DAY + timedelta(seconds=each) for each in (0, 100, 200, 310, 400, 505)]
    assert step_of(moments) == 100


@pytest.mark.parametrize("mean_s", [10, 60, 600, 7200])
def test_recordings_at_random_have_no_schedule(mean_s: int) -> None:
    chance = random.Random(mean_s)
    moment, moments = FIRST_DAY, []
    for _ in range(3000):
        moment += timedelta(seconds=1 + round(chance.expovariate(1 / mean_s)))
        moments.append(moment)
    assert step_of(moments) is None


def test_calls_that_follow_each_other_at_night_are_no_schedule() -> None:
    chance = random.Random(1)
    moments = [
        FIRST_DAY + night * DAY + 20 * HOUR + timedelta(seconds=passing + 6 * call)
        for night in range(20)
        for passing in chance.sample(range(8 * 3600), 80)
        for call in range(chance.choice([1, 1, 1, 2, 3, 6]))
    ]
    assert step_of(moments) is None


def test_a_schedule_of_few_recordings_is_known_by_their_return() -> None:
    assert step_of(days(4, 5 * HOUR, 6 * HOUR, 12 * HOUR, 18 * HOUR, 21 * HOUR)) == 6 * 3600
    assert gaps(without(days(8, 5 * HOUR, 6 * HOUR, 12 * HOUR, 18 * HOUR, 21 * HOUR), may(6, 12), may(6, 13))) == [
        ("06 06:00", "06 18:00", 1)
    ]


def test_recordings_that_begin_a_second_late_still_return() -> None:
    punctual = days(6, 5 * HOUR, 6 * HOUR, 12 * HOUR, 18 * HOUR, 21 * HOUR)
    late = [moment + timedelta(seconds=number // 5 % 2) for number, moment in enumerate(punctual)]
    assert step_of(late) == 6 * 3600
    later = [moment + timedelta(seconds=number // 5 % 2 * 2) for number, moment in enumerate(punctual)]
    assert step_of(later) is None


@pytest.mark.parametrize(
    "moments",
    [
        DAY_AND_NIGHT,
        MORNINGS,
        MORNINGS[: 73 * 3],
        MORNINGS[: 73 * 2],
        days(20, *DAWN, *DUSK),
        days(1, *DAWN, *DUSK),
        days(20, *times(20 * HOUR, 28 * HOUR, 10 * MIN)),
        days(20, *times(timedelta(0), 23 * HOUR, HOUR), *times(5 * MIN, 23 * HOUR + 5 * MIN, HOUR)),
        [*every(5 * MIN, FIRST_DAY, 288 * 10), *every(10 * MIN, may(13), 144 * 8)],
        [*every(5 * MIN, FIRST_DAY, 288 * 10), *every(10 * MIN, may(13), 144 * 40)],
        [*every(10 * MIN, FIRST_DAY, 144 * 10), *every(5 * MIN, may(13), 288 * 10)],
    ],
    ids=[
        "day and night",
        "mornings",
        "three mornings",
        "two mornings",
        "dawn and dusk",
        "dawn and dusk of one day",
        "nights",
        "two an hour",
        "changed to fewer",
        "changed to fewer for long",
        "changed to more",
    ],
)
def test_pauses_of_a_schedule_are_no_gaps(moments: list[datetime]) -> None:
    assert gaps(moments) == []


@pytest.mark.parametrize("dawn_moves_s", [-240, -170, 0, 90, 240])
@pytest.mark.parametrize("dusk_moves_s", [-240, -90, 0, 170, 240])
@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_dawn_and_dusk_that_move_are_no_gaps(dawn_moves_s: int, dusk_moves_s: int, count: int) -> None:
    dawn = days(count, *DAWN, sun=timedelta(seconds=dawn_moves_s))
    assert gaps(dawn) == []
    assert gaps([*dawn, *days(count, *DUSK, sun=timedelta(seconds=dusk_moves_s))]) == []


@pytest.mark.parametrize("moves", [-3 * MIN, 2 * MIN])
@pytest.mark.parametrize("rounded", [10 * MIN, 15 * MIN, 30 * MIN])
def test_dawn_that_is_rounded_and_jumps_is_no_gap(moves: timedelta, rounded: timedelta) -> None:
    moments = [FIRST_DAY + day * DAY + day * moves // rounded * rounded + time for day in range(60) for time in DAWN]
    assert gaps(moments) == []


@pytest.mark.parametrize(("on", "off"), [(1, 1), (1, 2), (1, 3), (1, 6)])
def test_days_that_the_schedule_leaves_out_are_no_gaps(on: int, off: int) -> None:
    hours = times(timedelta(0), 23 * HOUR, HOUR)
    moments = [moment for moment in days(60, *hours) if (moment - FIRST_DAY).days % (on + off) < on]
    assert gaps(moments) == []


@pytest.mark.parametrize(
    ("first", "end", "missing"),
    [
        (may(8, 5), may(8, 5, 1), [("08 04:45", "08 05:15", 1)]),
        (may(8, 5), may(8, 17), [("08 04:45", "08 17:00", 48)]),
        (may(8), may(13), [("07 23:45", "13 00:00", 480)]),
        (may(3, 5), may(3, 6), [("03 04:45", "03 06:00", 4)]),
        (may(22, 5), may(22, 6), [("22 04:45", "22 06:00", 4)]),
        (may(4, 1), may(22), [("04 00:45", "22 00:00", 17 * 96 + 92)]),
    ],
    ids=["one recording", "half a day", "five days", "on the first day", "on the last day", "almost all"],
)
def test_what_is_lost_of_day_and_night_is_counted(
    first: datetime, end: datetime, missing: list[tuple[str, str, int]]
) -> None:
    assert gaps(without(DAY_AND_NIGHT, first, end)) == missing


@pytest.mark.parametrize(
    ("first", "end", "missing"),
    [
        (may(10, 4), may(10, 7), [("09 10:00", "10 07:00", 36)]),
        (may(10, 8), may(10, 11), [("10 07:55", "11 04:00", 25)]),
        (may(10, 6), may(10, 6, 10), [("10 05:55", "10 06:10", 2)]),
        (may(10), may(11), [("09 10:00", "11 04:00", 73)]),
        (may(10), may(13), [("09 10:00", "13 04:00", 219)]),
    ],
    ids=["the beginning", "the end", "two recordings", "a whole morning", "three mornings"],
)
def test_what_is_lost_of_mornings_is_counted_without_the_pauses(
    first: datetime, end: datetime, missing: list[tuple[str, str, int]]
) -> None:
    assert gaps(without(MORNINGS, first, end)) == missing


def test_half_an_hour_lost_beside_a_pause_is_not_told_from_the_sun() -> None:
    assert gaps(without(MORNINGS, may(10, 4), may(10, 4, 30))) == []
    assert gaps(without(MORNINGS, may(10, 4), may(10, 4, 40))) == [("09 10:00", "10 04:40", 8)]


def test_a_morning_lost_while_dawn_moves_is_counted_but_for_the_edges() -> None:
    lost = without(days(30, *DAWN, sun=timedelta(seconds=-200)), may(12), may(14))
    [(last, first, missing)] = gaps(lost)
    assert (last[:2], first[:2]) == ("11", "14")
    assert missing == pytest.approx(2 * len(DAWN), abs=4)


def test_files_of_an_hour_that_begin_some_seconds_late_have_a_schedule() -> None:
    moments = [FIRST_DAY]
    for number in range(24 * 10):
        moments.append(moments[-1] + HOUR + timedelta(seconds=(0, 1, 1, 2)[number % 4]))
    assert gaps(moments) == []
    assert gaps([*moments[:100], *moments[103:]]) == [("07 03:01", "07 07:01", 3)]


def test_a_card_that_is_swapped_may_begin_another_rhythm() -> None:
    moments = [*every(15 * MIN, FIRST_DAY, 96 * 5), *every(15 * MIN, may(8, 12, 7), 96 * 5)]
    assert gaps(moments) == [("07 23:45", "08 12:07", 48)]


def test_one_lost_day_of_a_recording_a_day_is_found() -> None:
    noons = every(DAY, may(3, 12), 20)
    assert gaps(without(noons, may(9), may(11))) == [("08 12:00", "11 12:00", 2)]


def test_losses_at_random_do_not_become_a_schedule() -> None:
    chance = random.Random(7)
    kept = [moment for moment in DAY_AND_NIGHT if chance.random() > 0.1]
    lost = sum(1 for moment in DAY_AND_NIGHT if kept[0] < moment < kept[-1]) - (len(kept) - 2)
    assert sum(count for _, _, count in gaps(kept)) == pytest.approx(lost, rel=0.1)


@pytest.mark.parametrize(("lost_min", "missing"), [(15, 1), (30, 2), (45, 3), (60, 0), (360, 0)])
def test_a_single_day_shows_only_short_gaps(lost_min: int, missing: int) -> None:
    kept = without(DAY_AND_NIGHT[:96], may(3, 8), may(3, 8) + lost_min * MIN)
    assert sum(count for _, _, count in gaps(kept)) == missing


@pytest.mark.parametrize("earlier", [datetime(2000, 1, 1, tzinfo=UTC), datetime(2024, 9, 1, tzinfo=UTC)])
def test_another_season_or_a_wrong_clock_is_no_gap(earlier: datetime) -> None:
    assert gaps([*every(15 * MIN, earlier, 300), *DAY_AND_NIGHT]) == []


def test_a_gap_in_a_real_day_is_found(shared: Path) -> None:
    names = sorted(path.stem for path in (shared / "sm4-day").glob("*.wav"))
    moments = [datetime.strptime(name, "S4A03895_%Y%m%d_%H%M%S").replace(tzinfo=UTC) for name in names]
    assert len(moments) == 96
    assert step_of(moments) == 900
    assert gaps(moments) == []
    assert gaps([*moments[:40], *moments[42:]]) == [("22 09:45", "22 10:30", 2)]


PATTERNS = st.sets(st.integers(0, 1439), min_size=1, max_size=40)


@settings(deadline=None)
@given(minutes=PATTERNS, count=st.integers(3, 12))
def test_no_daily_schedule_has_gaps(minutes: set[int], count: int) -> None:
    moments = days(count, *(minute * MIN for minute in minutes))
    assert step_of(moments) is not None
    assert gaps(moments) == []


@settings(deadline=None)
@given(
    step_min=st.sampled_from([1, 2, 5, 10, 15, 20, 30, 60, 120, 180]),
    hole=st.tuples(st.floats(0.01, 0.99), st.floats(0.0, 3.0)),
    moved_s=st.integers(-(10**8), 10**8),
)
def test_what_is_taken_out_of_a_regular_recorder_is_what_is_missing(
    step_min: int, hole: tuple[float, float], moved_s: int
) -> None:
    moments = [
        moment + timedelta(seconds=moved_s) for moment in every(step_min * MIN, FIRST_DAY, 12 * 1440 // step_min)
    ]
    place, length_days = hole
    begin = max(1, math.floor(place * len(moments)))
    lost = moments[begin : begin + 1 + math.floor(length_days * 1440 / step_min)]
    kept = moments[:begin] + moments[begin + len(lost) :]
    at_the_end = lost[-1] == moments[-1]
    found = gaps(kept)
    assert sum(count for _, _, count in found) == (0 if at_the_end else len(lost))
    assert len(found) == (0 if at_the_end else 1)


@settings(deadline=None)
@given(st.sets(st.integers(0, 40 * 86_400), min_size=2, max_size=200), st.integers(1, 90_000))
def test_any_starts_give_counts(starts: set[int], step_s: int) -> None:
    moments = np.array(sorted(starts), np.int64)
    missing = missing_after(moments, step_s)
    assert missing.shape == (len(starts) - 1,)
    assert (missing >= 0).all()
    assert not missing[np.diff(moments) <= 1.5 * step_s].any()
