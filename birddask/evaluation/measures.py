"""Measures of one label over clips; pure. Definitions are those of scikit-learn and torchmetrics, which BirdSet uses.

* **Average precision**: the mean of the precisions at each score, weighted by the recall that it adds; no interpolation
  (``sklearn.metrics.average_precision_score``, ``MultilabelAveragePrecision(thresholds=None)``).
* **AUROC**: the chance that a clip with the label has a higher score than one without; equal scores count half.
* **cmAP**: the plain mean of average precisions over the labels that at least one clip has; **cmAP5**: five clips
  (https://arxiv.org/abs/2403.10380, appendix on metrics; the code is ``birdset/modules/metrics/multilabel.py``).
* **Top-1 accuracy**: of the clips that have any label, the share whose highest score is one of their labels.
* **F1**: twice the hits over twice the hits, misses and false alarms together; a score counts from the threshold up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
"""(clip,), from 0 to 1."""
Truth = NDArray[np.bool_]
"""(clip,), whether the clip has the label."""


@dataclass(frozen=True)
class AtThreshold:
    """What a threshold makes of one label.

    Attributes:
        hits: clips with the label, from the threshold up.
        false_alarms: clips without it, from the threshold up.
        misses: clips with it, below the threshold.
    """

    threshold: float
    hits: int
    false_alarms: int
    misses: int

    @property
    def precision(self) -> float | None:
        """Share of what counts that is right; None if nothing counts."""
        return _ratio(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Share of the clips with the label that count; None if there are none."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float | None:
        """F1; None if the label is neither there nor heard."""
        return _ratio(2 * self.hits, 2 * self.hits + self.misses + self.false_alarms)


def average_precision(scores: Scores, truth: Truth) -> float | None:
    """Average precision; None if no clip has the label."""
    hits, counted = _cumulated(scores, truth)
    if not truth.any():
        return None
    return float(np.sum(np.diff(hits, prepend=0) / truth.sum() * (hits / counted)))


def auroc(scores: Scores, truth: Truth) -> float | None:
    """Area under the receiver operating characteristic; None if no clip or every clip has the label."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    hits, counted = _cumulated(scores, truth)
    alarms = counted - hits
    halves = np.concatenate([[0], hits[:-1]]) + hits
    return float(np.sum(np.diff(alarms, prepend=0) * halves) / (2 * positives * negatives))


def at_thresholds(scores: Scores, truth: Truth, thresholds: Sequence[float]) -> list[AtThreshold]:
    """What each threshold makes of the label, compared as float32."""
    counts = []
    for threshold in thresholds:
        counted = scores >= np.float32(threshold)
        hits = int((counted & truth).sum())
        counts.append(AtThreshold(threshold, hits, int(counted.sum()) - hits, int(truth.sum()) - hits))
    return counts


def mean(values: Sequence[float | None]) -> float | None:
    """The plain mean of those that are there; None if there are none."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _cumulated(scores: Scores, truth: Truth) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each distinct score from the highest down, clips with the label and clips at all that have at least it."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores = scores[order]
    last_of_equals = np.append(np.flatnonzero(np.diff(sorted_scores)), len(scores) - 1)
    return np.cumsum(truth[order])[last_of_equals], last_of_equals + 1


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
