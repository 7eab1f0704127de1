"""The page from results: counted, drawn, laid out."""

from __future__ import annotations

import importlib.metadata
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from birddask.clips.picture import time_marks
from birddask.detections.found import Found, scored_store
from birddask.detections.rules import Rules
from birddask.effort import count_effort
from birddask.job import Job
from birddask.outputs import read_scans
from birddask.page.analysed import Clock, all_of, gaps_of, sites_of
from birddask.page.best import clip_maker
from birddask.page.charts import Axis, Chart, Row, bars, heat_map
from birddask.page.content import Content
from birddask.page.days import DayColumns, columns_of_days
from birddask.page.heard import HOURS, SCORE_STEPS, Counted, Heard, Species, count_heard
from birddask.recordings.moments import to_microseconds
from birddask.storage import in_order
from birddask.survey.survey import survey

Marks = Sequence[tuple[float, str]]


def build(job: Job, found: Found, rules: Rules, clock: Clock) -> Content:
    """The content of the page.

    Raises:
        ConfigError: the store of the results is not there, or the rules ask for what they can't give.
        BirddaskError: the disk for temporary files is full.
    """
    made = datetime.now(UTC)
    store = scored_store(found)
    scans = read_scans(job.output_folder)
    heard, unanswered = count_heard(found, rules, clock.local_offset_min)
    efforts = count_effort(found, clock.local_offset_min)
    surveyed = survey(scans.scanned(), to_microseconds(made))
    gaps = list(gaps_of(surveyed, clock))
    wanted = [best for species in heard.species for best in species.best]
    maker = clip_maker(job, store, wanted)
    clips = iter(list(in_order(maker, wanted)))
    columns = columns_of_days(heard.by_day.scored)
    return Content(
        found=found,
        rules=rules,
        unanswered=unanswered,
        heard=heard,
        survey=surveyed,
        clock=clock,
        total=all_of(efforts),
        sites=sites_of(efforts, surveyed),
        gaps=gaps,
        clips={species.label: list(itertools.islice(clips, len(species.best))) for species in heard.species},
        time_marks=time_marks(store.spec),
        sounds=maker.sounds,
        by_hour=_activity("hour", _hours(), heard.by_hour, heard.species),
        by_day=_by_day(heard, columns),
        columns_of_days=columns.words,
        by_score=_by_score(heard),
        best_scores=bars("best", Axis(_scores(0), heard.by_score.scored), _mark(rules)),
        made=made,
        version=importlib.metadata.version("birddask"),
    )


def _activity(name: str, marks: Marks, counted: Counted, species: Sequence[Species]) -> Chart | None:
    """Of each column the share of its scored clips in which each species was heard; None if there is none at all."""
    rows = []
    for each, heard in zip(species, counted.heard, strict=True):
        if heard.any():
            shares = np.full(heard.shape, np.nan)
            np.divide(heard, counted.scored, out=shares, where=counted.scored > 0)
            rows.append(Row(each.names.common, shares, _percent(float(np.nanmax(shares)))))
    return heat_map(name, Axis(marks, counted.scored), rows) if rows else None


def _by_day(heard: Heard, columns: DayColumns) -> Chart | None:
    """As ``_activity``; None if all is of one day."""
    scored = heard.by_day.scored
    if scored.size < 2:
        return None
    counted = Counted(columns.summed(scored), columns.summed(heard.by_day.heard))
    return _activity("day", columns.marks(heard.first_day or 0, scored), counted, heard.species)


def _by_score(heard: Heard) -> Chart | None:
    """How the probabilities of each species are distributed, from the lowest one that counts."""
    all_scores = heard.by_score.heard.sum(axis=0)
    if not heard.species:
        return None
    lowest = int(np.flatnonzero(all_scores)[0])
    rows = [
        Row(species.names.common, counts[lowest:] / species.clips, str(species.clips))
        for species, counts in zip(heard.species, heard.by_score.heard, strict=True)
    ]
    return heat_map("score", Axis(_scores(lowest), all_scores[lowest:]), rows)


def _hours() -> Marks:
    return [(hour, f"{hour}:00") for hour in range(0, HOURS + 1, 3)]


def _scores(lowest: int) -> Marks:
    """From the lowest column to 1, at tenths."""
    return [(step - lowest, f"{step / SCORE_STEPS:.1f}") for step in range(lowest + lowest % 2, SCORE_STEPS + 1, 2)]


def _mark(rules: Rules) -> float | None:
    """Where the threshold lies, if there is one for all."""
    thresholds = rules.thresholds
    return None if thresholds.others is None or thresholds.by_name else thresholds.others * SCORE_STEPS


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"
