"""What one recorder did at one site: its recordings, clock, battery and schedule; pure."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

import numpy as np

from birddask.recordings.moments import US_PER_DAY, US_PER_MIN, US_PER_S
from birddask.recordings.recording import Scanned
from birddask.survey.schedule import Seconds, missing_after, usual_step_s

_BATTERY_LIMITS: tuple[Literal["below", "", "above"], ...] = ("below", "", "above")

T = TypeVar("T", int, float)


@dataclass(frozen=True, slots=True)
class Gap:
    """A break in a recorder's schedule.

    Attributes:
        last_before: start of the last recording before it, ISO 8601 in UTC, to the second.
        first_after: start of the first recording after it.
        missing: usable recordings that seem to be missing, at least one; damaged ones are among them.
    """

    last_before: str
    first_after: str
    missing: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """The usable recordings of one recorder at one site; times are ISO 8601 in UTC, None where nothing is known.

    Starts later than now are counted, and left out of the first and last start, the days, the step and the gaps.

    Attributes:
        recorder: serial number or prefix of the device, None where the files do not tell.
        models: kinds of recorder that were seen.
        hours: of real time.
        utc_offset_min: of the recorder's clock in minutes, the most common one; by it days begin, or else in UTC.
        days_recorded: days on which a recording begins.
        days_spanned: days from the first to the last of them.
        usual_step_s: between starts; None where there is no schedule, and then no gaps can be told.
        usual_length_s: the median.
        gaps: in order of time.
        lowest_battery_limit: ``below`` or ``above`` if the lowest voltage is the end of what the recorder can measure.
        latitude_deg: the median of all fixes.
        longitude_deg: the median of all fixes.
        without_time: recordings whose start is not known, those of clocks that were not set among them.
        clock_unset: recordings of a clock that was not set and that the job file does not correct.
        first_unset_clock: the earliest time that it showed.
        time_conflicts: recordings whose sources state different start times.
        starts_in_future: recordings that begin later than now.
        first_future_start: the earliest of them.
        interrupted: recordings that ended before their time.
        truncated: recordings with fewer samples than their headers declare.
    """

    site: str
    recorder: str | None
    models: tuple[str, ...]
    firmwares: tuple[str, ...]
    sample_rates_hz: tuple[int, ...]
    recordings: int
    hours: float
    utc_offset_min: int | None
    first_start: str | None
    last_start: str | None
    days_recorded: int
    days_spanned: int
    usual_step_s: int | None
    usual_length_s: float
    gaps: tuple[Gap, ...]
    lowest_battery_v: float | None
    lowest_battery_limit: Literal["below", "", "above"]
    lowest_temperature_c: float | None
    highest_temperature_c: float | None
    latitude_deg: float | None
    longitude_deg: float | None
    without_time: int
    clock_unset: int
    first_unset_clock: str | None
    time_conflicts: int
    starts_in_future: int
    first_future_start: str | None
    interrupted: int
    truncated: int


class Tally:
    """Running totals of one recorder at one site."""

    def __init__(self) -> None:
        self.frames: Counter[int] = Counter()
        self.flags: Counter[str] = Counter()
        self._lengths_us = array("q")
        self._starts_us = array("q")
        self._unset_us = array("q")
        self._latitudes_deg = array("d")
        self._longitudes_deg = array("d")
        self._offsets_min: Counter[int] = Counter()
        self._models: set[str] = set()
        self._firmwares: set[str] = set()
        self._batteries: set[tuple[float, int]] = set()
        self._temperatures_c: set[float] = set()

    def add(self, row: Scanned) -> None:
        """Count a usable recording."""
        recording, about = row.recording, row.about
        rate_hz = recording.sample_rate_hz
        self.frames[rate_hz] += recording.frames
        self._lengths_us.append(recording.frames * US_PER_S // rate_hz)
        self.flags.update(filter(None, recording.flags.split(",")))
        if recording.start_time_us is not None:
            self._starts_us.append(recording.start_time_us)
        elif about.other_time_us is not None:
            self._unset_us.append(about.other_time_us)
        if about.utc_offset_min is not None:
            self._offsets_min[about.utc_offset_min] += 1
        if about.model:
            self._models.add(about.model)
        if about.firmware:
            self._firmwares.add(about.firmware)
        if about.battery_v is not None:
            self._batteries.add((about.battery_v, _BATTERY_LIMITS.index(about.battery_limit)))
        if about.temperature_c is not None:
            self._temperatures_c.add(about.temperature_c)
        if about.latitude_deg is not None and about.longitude_deg is not None:
            self._latitudes_deg.append(about.latitude_deg)
            self._longitudes_deg.append(about.longitude_deg)

    def deployment(self, site: str, recorder: str | None, now_us: int) -> Deployment:
        """What was counted; no recording can begin later than ``now_us``."""
        starts_us = np.sort(np.array(self._starts_us, np.int64))
        past_us, future_us = starts_us[starts_us <= now_us], starts_us[starts_us > now_us]
        offset_min = min(self._offsets_min, key=lambda each: (-self._offsets_min[each], each), default=None)
        days = np.unique((past_us + (offset_min or 0) * US_PER_MIN) // US_PER_DAY)
        starts_s = np.unique((past_us + US_PER_S // 2) // US_PER_S)
        step_s = usual_step_s(starts_s)
        lowest_v, limit = min(self._batteries, default=(None, _BATTERY_LIMITS.index("")))
        return Deployment(
            site=site,
            recorder=recorder,
            models=tuple(sorted(self._models)),
            firmwares=tuple(sorted(self._firmwares)),
            sample_rates_hz=tuple(sorted(self.frames)),
            recordings=len(self._lengths_us),
            hours=hours(self.frames),
            utc_offset_min=offset_min,
            first_start=_first_iso(past_us),
            last_start=_first_iso(past_us[::-1]),
            days_recorded=days.size,
            days_spanned=int(days[-1] - days[0]) + 1 if days.size else 0,
            usual_step_s=step_s,
            usual_length_s=_median(self._lengths_us) / US_PER_S,
            gaps=() if step_s is None else tuple(_gaps(starts_s, step_s)),
            lowest_battery_v=lowest_v,
            lowest_battery_limit=_BATTERY_LIMITS[limit],
            lowest_temperature_c=min(self._temperatures_c, default=None),
            highest_temperature_c=max(self._temperatures_c, default=None),
            latitude_deg=_median(self._latitudes_deg) if self._latitudes_deg else None,
            longitude_deg=_median(self._longitudes_deg) if self._longitudes_deg else None,
            without_time=len(self._lengths_us) - len(self._starts_us),
            clock_unset=self.flags["clock_unset"],
            first_unset_clock=_first_iso(sorted(self._unset_us)),
            time_conflicts=self.flags["time_conflict"],
            starts_in_future=future_us.size,
            first_future_start=_first_iso(future_us),
            interrupted=self.flags["interrupted"],
            truncated=self.flags["truncated"],
        )


def _gaps(starts_s: Seconds, step_s: int) -> Iterator[Gap]:
    missing = missing_after(starts_s, step_s)
    for index in np.flatnonzero(missing):
        begin_s, end_s = starts_s[index : index + 2].tolist()
        yield Gap(_iso(begin_s * US_PER_S), _iso(end_s * US_PER_S), int(missing[index]))


def hours(frames_by_rate: Counter[int]) -> float:
    """How long so many frames of each sample rate last."""
    return sum(frames / rate_hz for rate_hz, frames in sorted(frames_by_rate.items())) / 3600


def _median(values: array[T]) -> T:
    """The lower one of two in the middle: a value that was really seen."""
    middle: T = np.sort(values)[(len(values) - 1) // 2].item()
    return middle


def _first_iso(moments_us: Iterable[int]) -> str | None:
    return next((_iso(int(moment_us)) for moment_us in moments_us), None)


def _iso(moment_us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us)).isoformat()
