"""The numbers of the page: counted in the database of the query, site by site, so that only sums come into memory."""

# ruff: noqa: S608 - of whole numbers and names of ours
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.detections.found import Found
from birddask.detections.labels import Names, names_of
from birddask.detections.query import Query, opened
from birddask.detections.rules import Rules
from birddask.recordings.moments import US_PER_MIN

SPECIES_SHOWN = 30
BEST_SHOWN = 3
SCORE_STEPS = 20
HOURS = 24


Counts = NDArray[np.int64]

_TABLES = (
    "CREATE TABLE heard (site VARCHAR, label VARCHAR, day INTEGER, hour INTEGER, score INTEGER, clips BIGINT)",
    "CREATE TABLE listened (site VARCHAR, day INTEGER, hour INTEGER, score INTEGER, clips BIGINT)",
    """CREATE TABLE best (
        label VARCHAR, site VARCHAR, recording VARCHAR, start_us BIGINT, local_us BIGINT, clip BIGINT, probability FLOAT
    )""",
)
_SUREST_FIRST = "ORDER BY probability DESC, recording"
_BEST_OF_LABEL = f"QUALIFY row_number() OVER (PARTITION BY label {_SUREST_FIRST}) <= {BEST_SHOWN}"
# Sites and species get the places that they have on the page.
_PLACES = (
    """CREATE TABLE sites AS SELECT site, row_number() OVER (ORDER BY sum(clips) DESC, site) - 1 AS place
        FROM listened GROUP BY site""",
    f"""CREATE TABLE shown AS SELECT label, row_number() OVER (ORDER BY sum(clips) DESC, label) - 1 AS place,
        CAST(sum(clips) AS BIGINT) AS in_clips, count(DISTINCT site) AS at_sites
        FROM heard GROUP BY label ORDER BY place LIMIT {SPECIES_SHOWN}""",
)


@dataclass(frozen=True)
class Best:
    """A clip in which a label is as sure as anywhere.

    Attributes:
        start_us: in the recording.
        local_us: when it begins, in microseconds since 1970 on the clock of the page; None where unknown.
        clip: its row in the store.
    """

    site: str
    recording: str
    start_us: int
    local_us: int | None
    clip: int
    probability: float


@dataclass(frozen=True)
class Species:
    """A label that was heard.

    Attributes:
        clips: in which it counts.
        sites: at how many sites.
        best: the best clip of each of the recordings in which it is surest, the surest first.
    """

    label: str
    clips: int
    sites: int
    best: tuple[Best, ...]

    @property
    def names(self) -> Names:
        """What it is called."""
        return names_of(self.label)


@dataclass(frozen=True)
class Counted:
    """Clips counted in one way; those are left out of which is not known where they belong.

    Attributes:
        scored: int64 (place,), all scored clips.
        heard: int64 (species, place), those in which a species was heard.
    """

    scored: Counts
    heard: Counts


@dataclass(frozen=True)
class Heard:
    """What was heard, and in how many scored clips it could have been.

    Attributes:
        species: those heard in most clips, at most ``SPECIES_SHOWN``.
        labels: all that were heard.
        detections: of all labels.
        sites: that were listened to, the one with most clips first.
        first_day: the first one with a scored clip, in days since 1970; None where no time is known.
        by_hour: places are the hours of the day.
        by_day: places are the days from the first to the last one.
        by_site: places are the sites.
        by_score: places are probabilities in steps of 0.05; a scored clip has that of its likeliest label.
    """

    species: tuple[Species, ...]
    labels: tuple[str, ...]
    detections: int
    sites: tuple[str, ...]
    first_day: int | None
    by_hour: Counted
    by_day: Counted
    by_site: Counted
    by_score: Counted

    @property
    def scored(self) -> int:
        """All scored clips."""
        return int(self.by_site.scored.sum())

    @property
    def without_time(self) -> int:
        """Scored clips of recordings whose start is not known."""
        return self.scored - int(self.by_hour.scored.sum())


def count_heard(found: Found, rules: Rules, local_offset_min: int | None) -> tuple[Heard, list[str]]:
    """The numbers, and names in the rules that no label answers to.

    Args:
        found: the results.
        rules: by which a probability counts; without merging.
        local_offset_min: None for times of UTC. Else times are those of the recorders' clocks, and this is the offset
            from UTC of those that do not say it.

    Raises:
        ConfigError: the rules ask for what these results can't give, or a part was withdrawn meanwhile.
        BirddaskError: the disk for temporary files is full.
    """
    with opened(found, rules, with_clips=True) as query:
        for statement in _TABLES:
            query.ask(statement)
        for _, parts in found.sites():
            query.work_off(parts, _per_batch(local_offset_min))
        for statement in _PLACES:
            query.ask(statement)
        return _heard(query), query.unanswered()


def _per_batch(local_offset_min: int | None) -> list[str]:
    offset_min = "0::BIGINT" if local_offset_min is None else f"coalesce(utc_offset_min, {local_offset_min}::BIGINT)"
    local_us = f"(start_time_us + {offset_min} * {US_PER_MIN})"
    day, hour = f"{local_us} // {1440 * US_PER_MIN}", f"{local_us} // {60 * US_PER_MIN} % {HOURS}"
    score = f"least(floor(CAST(probability AS DOUBLE) * {SCORE_STEPS}), {SCORE_STEPS - 1})"
    return [
        f"INSERT INTO heard SELECT site, label, {day}, {hour}, {score}, count(*) FROM detections GROUP BY ALL",
        f"INSERT INTO listened SELECT site, {day}, {hour}, {score}, count(*) FROM clips GROUP BY ALL",
        f"""INSERT INTO best SELECT * FROM (
            SELECT label, site, recording, start_us, {local_us}, clip, probability FROM detections
            QUALIFY row_number() OVER (PARTITION BY label, recording ORDER BY probability DESC, start_us) = 1
        ) {_BEST_OF_LABEL}""",
    ]


def _heard(query: Query) -> Heard:
    sites = [site for (site,) in query.ask("SELECT site FROM sites ORDER BY place")]
    ((first, last),) = query.ask("SELECT min(day), max(day) FROM listened")
    labels = query.ask("SELECT label, sum(clips) FROM heard GROUP BY label ORDER BY label")
    shown = query.ask("SELECT label, in_clips, at_sites FROM shown ORDER BY place")
    best = defaultdict[str, list[Best]](list)
    for label, *values in query.ask(
        f"SELECT best.* FROM best SEMI JOIN shown USING (label) {_BEST_OF_LABEL} {_SUREST_FIRST}"
    ):
        best[label].append(Best(*values))

    def counted(column: str, places: int) -> Counted:
        selected = f"SELECT {{}}, {column}, CAST(sum(clips) AS BIGINT) FROM {{}} JOIN sites USING (site)"
        only_known = f"WHERE {column} IS NOT NULL GROUP BY ALL"
        heard = query.ask(f"{selected.format('shown.place', 'heard JOIN shown USING (label)')} {only_known}")
        scored = query.ask(f"{selected.format('0', 'listened')} {only_known}")
        return Counted(_matrix(scored, 1, places)[0], _matrix(heard, len(shown), places))

    return Heard(
        species=tuple(Species(label, clips, count, tuple(best[label])) for label, clips, count in shown),
        labels=tuple(label for label, _ in labels),
        detections=sum(int(clips) for _, clips in labels),
        sites=tuple(sites),
        first_day=first,
        by_hour=counted("hour", HOURS),
        by_day=counted(f"day - {first or 0}", 0 if first is None else last - first + 1),
        by_site=counted("sites.place", len(sites)),
        by_score=counted("score", SCORE_STEPS),
    )


def _matrix(rows: Iterable[tuple[int, int, int]], species: int, places: int) -> Counts:
    matrix = np.zeros((species, places), np.int64)
    for row, place, clips in rows:
        matrix[row, place] = clips
    return matrix
