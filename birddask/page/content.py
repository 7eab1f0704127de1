"""All that is on the page; the template lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from birddask.clips.picture import Mark
from birddask.detections.found import Found
from birddask.detections.labels import names_of
from birddask.detections.rules import Rules
from birddask.page.analysed import Clock, Effects, Gap, Site
from birddask.page.best import Clip
from birddask.page.charts import Chart
from birddask.page.heard import Heard
from birddask.survey.survey import Survey

SITES_SHOWN = 12


@dataclass(frozen=True)
class Cell:
    """Clips of a species at a site; ``shade``, from 0 to 1, grows with their share of the site's clips."""

    clips: int
    shade: float


@dataclass(frozen=True)
class Content:
    """The page.

    Attributes:
        unanswered: names in the rules that no label answers to.
        total: what became of all that was recorded.
        clips: by label.
        time_marks: below each spectrogram.
        sounds: whether the archive could be reached.
        by_hour: None where nothing was heard at a known time; likewise ``by_day``, and where all is of one day.
        columns_of_days: how to read those of ``by_day``.
    """

    found: Found
    rules: Rules
    unanswered: Sequence[str]
    heard: Heard
    survey: Survey
    clock: Clock
    total: Effects
    sites: Sequence[Site]
    gaps: Sequence[Gap]
    clips: Mapping[str, Sequence[Clip]]
    time_marks: Sequence[Mark]
    sounds: bool
    by_hour: Chart | None
    by_day: Chart | None
    columns_of_days: str
    by_score: Chart | None
    best_scores: Chart
    made: datetime
    version: str

    @property
    def species_heard(self) -> int:
        """Labels heard that are species."""
        return sum(names_of(label).taxon is not None for label in self.heard.labels)

    @property
    def one_threshold(self) -> bool:
        """Whether all labels have the same one."""
        return self.rules.thresholds.others is not None and not self.rules.thresholds.by_name

    @property
    def clip_s(self) -> str:
        """The length of a clip."""
        clip = self.found.clip
        return f"{clip.length_samples / clip.sample_rate_hz:g}"

    @property
    def days_in_words(self) -> str:
        """From the first to the last day on which something was listened to; empty if none is known."""
        first = min((site.first_day for site in self.sites if site.first_day), default="")
        last = max((site.last_day for site in self.sites), default="")
        return f"{first} to {last}" if last > first else first

    def site_clips(self) -> list[int]:
        """Scored clips of the sites that are shown, and of all others together if there are others."""
        return _with_others(self.heard.by_site.scored)

    def site_rows(self) -> list[list[Cell]]:
        """For each species its cells for the same sites."""
        clips = np.array([_with_others(row) for row in self.heard.by_site.heard])
        shares = clips / np.array(self.site_clips())
        # A root, so that rare species show beside common ones.
        shades = np.sqrt(shares / shares.max())
        return [list(map(Cell, *row)) for row in zip(clips.tolist(), shades.tolist(), strict=True)]


def _with_others(clips: NDArray[np.int64]) -> list[int]:
    shown: list[int] = clips[:SITES_SHOWN].tolist()
    return shown + [int(clips[SITES_SHOWN:].sum())] * (clips.size > SITES_SHOWN)
