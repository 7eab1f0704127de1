"""What the answers of reviews tell about each label: its precision, and the threshold for a wanted probability; pure.

No threshold is given where the answers do not carry one: fewer than ``FEWEST_ANSWERS`` that decide, scores that do not
tell right from wrong, or none that is right so often. It is never below the lowest band in which somebody listened.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from birddask.documents import to_json
from birddask.review.answers import VERDICTS, Answer, Verdict
from birddask.review.logistic import Fit, fit
from birddask.review.precision import Band, Precision, precisions
from birddask.safe_text import printable, safe

FEWEST_ANSWERS = 10


@dataclass(frozen=True)
class Threshold:
    """A calibrated threshold and its 95 % interval."""

    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """What is known of one label.

    Attributes:
        answers: how many, by verdict.
        fitted: None if there is no curve.
        threshold: None if there is none.
        reason: why there is none.
        precisions: from each edge up, where somebody listened.
    """

    label: str
    answers: Mapping[Verdict, int]
    fitted: Fit | None
    threshold: Threshold | None
    reason: str
    precisions: Sequence[Precision]


def calibrate(answers: Iterable[Answer], probability: float) -> list[Calibration]:
    """Calibrate each label, ordered by its name.

    Args:
        answers: those that count, in the order in which they were given.
        probability: that a detection at the threshold is right.
    """
    # Sorting is stable: within a label they stay in the order in which they were given.
    by_label = itertools.groupby(sorted(answers, key=lambda each: each.drawn.label), key=lambda each: each.drawn.label)
    return [_calibration(label, list(own), probability) for label, own in by_label]


def calibration_lines(calibrations: Sequence[Calibration]) -> Iterator[str]:
    """What came of it, label by label."""
    for each in calibrations:
        said = ", ".join(f"{count} {verdict}" for verdict, count in each.answers.items() if count)
        yield f"{printable(each.label)}: {said}"
        for precision in each.precisions:
            point = "unknown" if precision.estimate is None else f"{precision.estimate:.2f}"
            yield (
                f"  from {precision.threshold:g}: precision {point} ({precision.low:.2f} to {precision.high:.2f}), "
                f"{precision.answers} of {precision.detections} detections heard"
            )
        if each.threshold is None:
            yield f"  no threshold: {each.reason}"
        else:
            yield f"  threshold {each.threshold.score:.3f} ({each.threshold.low:.3f} to {each.threshold.high:.3f})"


def threshold_table(calibrations: Sequence[Calibration]) -> Iterator[Sequence[object]]:
    """A header and a row for each label with a threshold, as ``detections --thresholds`` takes it."""
    yield ["label", "threshold", "threshold_low", "threshold_high", *VERDICTS, "intercept", "slope"]
    for each in calibrations:
        if each.threshold is not None and each.fitted is not None:
            threshold = [f"{value:.6f}" for value in (each.threshold.score, each.threshold.low, each.threshold.high)]
            counts = [each.answers[verdict] for verdict in VERDICTS]
            yield [safe(each.label), *threshold, *counts, f"{each.fitted.intercept:.6f}", f"{each.fitted.slope:.6f}"]


def calibration_file(calibrations: Sequence[Calibration], results: str, probability: float) -> bytes:
    """All of it as JSON."""
    about = {"results": results, "probability": probability, "labels": [asdict(each) for each in calibrations]}
    return to_json(about)


def _calibration(label: str, answers: Sequence[Answer], probability: float) -> Calibration:
    decided = [each for each in answers if each.verdict != "unsure"]
    counted = Counter(each.verdict for each in answers)
    scores = np.array([each.drawn.probability for each in decided], np.float64)
    fitted = fit(scores, np.array([each.verdict == "yes" for each in decided], np.bool_))
    bands = _bands(answers)
    found = _threshold(fitted, scores, bands[0].low, probability)
    threshold, reason = (None, found) if isinstance(found, str) else (found, "")
    counts = {verdict: counted[verdict] for verdict in VERDICTS}
    return Calibration(label, counts, fitted, threshold, reason, precisions(bands))


def _threshold(
    fitted: Fit | None, scores: np.ndarray[tuple[int], np.dtype[np.float64]], lowest: float, probability: float
) -> Threshold | str:
    """The threshold, or why there is none."""
    if len(scores) < FEWEST_ANSWERS:
        return f"{len(scores)} answers decide, {FEWEST_ANSWERS} are needed"
    if fitted is None or fitted.slope <= 0:
        return "higher scores are not right more often"
    if fitted.probability(float(scores.max())) < probability:
        return f"even the highest score, {scores.max():.2f}, is right less often than {probability:g}"
    score, low, high = fitted.score(probability)
    return Threshold(max(score, lowest), max(low, lowest), max(high, lowest))


def _bands(answers: Sequence[Answer]) -> list[Band]:
    """The bands in which somebody was asked; of each its size as it was when it was asked about last."""
    ordered = sorted(answers, key=lambda each: each.drawn.band_low)
    bands = []
    for low, own in itertools.groupby(ordered, key=lambda each: each.drawn.band_low):
        of_band = list(own)
        verdicts = Counter(each.verdict for each in of_band)
        detections = max(of_band[-1].drawn.band_detections, len(of_band))
        bands.append(Band(low, detections, verdicts["yes"], verdicts["no"] + verdicts["other"]))
    return bands
