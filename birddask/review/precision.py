"""How many detections from a threshold up are right, from answers about a sample drawn by bands of scores; pure.

The estimate is the stratified one: each band's share of right answers, weighed by the detections in the band (Cochran,
Sampling Techniques, 1977, chapter 5). Its interval comes from what the answers leave open about the detections that
nobody heard: in each band their share has the distribution that Jeffreys' prior, Beta(1/2, 1/2), and the answers give,
so that ten right answers of ten are not taken for certainty; a band in which all were heard leaves nothing open.
Answers ``unsure`` count as not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS = 20_000
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Band:
    """The answers about one band of scores of a label.

    Attributes:
        low: lower edge.
        detections: how many are in the band.
        yes: how many were heard and are right.
        no: how many were heard and are wrong.
    """

    low: float
    detections: int
    yes: int
    no: int


@dataclass(frozen=True)
class Precision:
    """The share of right ones among all detections from a threshold up.

    Attributes:
        threshold: the lower edge of a band.
        detections: how many there are.
        answers: how many of them were heard and decided on.
        estimate: None if there is a band without an answer.
        low: lower end of the 95 % interval.
        high: upper end.
    """

    threshold: float
    detections: int
    answers: int
    estimate: float | None
    low: float
    high: float


def precisions(bands: Sequence[Band]) -> list[Precision]:
    """The precision from each band's lower edge up; bands ordered by it."""
    return [_precision(bands[first:]) for first in range(len(bands))]


def _precision(bands: Sequence[Band]) -> Precision:
    detections = np.array([band.detections for band in bands])
    yes, no = (np.array([getattr(band, name) for band in bands]) for name in ("yes", "no"))
    # Always the same numbers: the same answers give the same interval.
    random = np.random.default_rng(0)
    shares = random.beta(yes + 0.5, no + 0.5, (_DRAWS, len(bands)))
    right = yes + random.binomial(detections - yes - no, shares)
    low, high = np.quantile(right.sum(axis=1) / detections.sum(), _INTERVAL).tolist()
    heard = yes + no
    estimate = float((detections * yes / heard).sum() / detections.sum()) if heard.all() else None
    return Precision(bands[0].low, int(detections.sum()), int(heard.sum()), estimate, low, high)
