"""What was listened to and what was not, for people: sites, gaps, files that could not be used; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from birddask.effort import FATES, Effort, clock_offset_min, hours
from birddask.recordings.recording import UNKNOWN
from birddask.survey.survey import Survey


@dataclass(frozen=True)
class Clock:
    """By which clock the page tells times.

    Attributes:
        local_offset_min: None for UTC. Else times are those of the recorders' clocks, and this is the offset from UTC
            of those that do not say it.
    """

    local_offset_min: int | None

    @property
    def words(self) -> str:
        """What is to be said of it."""
        if self.local_offset_min is None:
            return "Times are UTC."
        sign, size_min = "-" if self.local_offset_min < 0 else "+", abs(self.local_offset_min)
        return (
            "Times are those of the recorders' clocks; of those that do not state their offset from UTC, the job file "
            f"does: {sign}{size_min // 60:02d}:{size_min % 60:02d}."
        )

    def minute(self, iso: str, own_offset_min: int | None) -> str:
        """A moment of UTC, as ``yyyy-mm-dd hh:mm`` on this clock."""
        shifted = timedelta(minutes=clock_offset_min(own_offset_min, self.local_offset_min))
        return f"{datetime.fromisoformat(iso) + shifted:%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class Effects:
    """What became of time that was recorded; ``hours`` and ``clips`` are by fate."""

    hours: Mapping[str, float]
    clips: Mapping[str, int]
    files_quarantined: int


@dataclass(frozen=True)
class Site:
    """A site.

    Attributes:
        days: on which something was scored, where the day is known.
        first_day: of these; empty if there is none.
        last_day: of these; empty if there is none.
    """

    name: str
    recorders: Sequence[str]
    recordings: int
    days: int
    first_day: str
    last_day: str
    total: Effects


@dataclass(frozen=True)
class Gap:
    """A break in the schedule of a recorder."""

    site: str
    recorder: str
    begins: str
    ends: str
    missing: int


def all_of(efforts: Iterable[Effort]) -> Effects:
    """The sum of efforts."""
    time_us, clips = Counter[str](), Counter[str]()
    files = 0
    for each in efforts:
        time_us.update(each.time_us)
        clips.update(each.clips)
        files += each.files_quarantined
    return Effects({fate: hours(time_us[fate]) for fate in FATES}, {fate: clips[fate] for fate in FATES}, files)


def sites_of(efforts: Iterable[Effort], survey: Survey) -> list[Site]:
    """The sites, that with most scored time first."""
    by_site = defaultdict[str, list[Effort]](list)
    for each in efforts:
        by_site[each.site].append(each)
    recorders = defaultdict[str, list[str]](list)
    recordings = Counter[str]()
    for deployment in survey.deployments:
        recordings[deployment.site] += deployment.recordings
        if deployment.recorder is not None:
            recorders[deployment.site].append(deployment.recorder)
    sites = []
    for name, own in by_site.items():
        days = sorted(each.day for each in own if each.day != UNKNOWN and each.clips["scored"])
        first, last = (days[0], days[-1]) if days else ("", "")
        sites.append(Site(name, recorders[name], recordings[name], len(days), first, last, all_of(own)))
    return sorted(sites, key=lambda site: (-site.total.hours["scored"], site.name))


def gaps_of(survey: Survey, clock: Clock) -> Iterator[Gap]:
    """The gaps of all recorders that have a schedule."""
    for deployment in survey.deployments:
        for gap in deployment.gaps:
            begins, ends = (
                clock.minute(each, deployment.utc_offset_min) for each in (gap.last_before, gap.first_after)
            )
            yield Gap(deployment.site, deployment.recorder or UNKNOWN, begins, ends, gap.missing)
