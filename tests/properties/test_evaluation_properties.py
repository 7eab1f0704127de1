"""Measures against scikit-learn's, on any scores; the overlap rule against a literal loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from birddask.evaluation.measures import at_thresholds, auroc, average_precision
from birddask.evaluation.truth import clips_of_annotation

# Few distinct values: equal scores are the difficult case.
SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1, width=32))


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    clips = draw(st.integers(1, 40))
    return draw(arrays(np.float32, clips, elements=SCORES)), draw(arrays(np.bool_, clips))


@given(scored())
def test_measures_are_those_of_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, truth = case
    if truth.any():
        assert average_precision(scores, truth) == pytest.approx(metrics.average_precision_score(truth, scores))
    else:
        assert average_precision(scores, truth) is None
    if truth.any() and not truth.all():
        assert auroc(scores, truth) == pytest.approx(metrics.roc_auc_score(truth, scores))
    else:
        assert auroc(scores, truth) is None


@given(scored(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
def test_thresholds_are_those_of_scikit_learn(case: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    scores, truth = case
    heard = scores >= np.float32(threshold)
    (at,) = at_thresholds(scores, truth, [threshold])
    _, false_alarms, misses, hits = metrics.confusion_matrix(truth, heard, labels=[False, True]).ravel()
    assert (at.hits, at.false_alarms, at.misses) == (hits, false_alarms, misses)
    for ours, measure in (
        (at.f1, metrics.f1_score),
        (at.precision, metrics.precision_score),
        (at.recall, metrics.recall_score),
    ):
        expected = measure(truth, heard, zero_division=np.nan)
        assert expected == pytest.approx(np.nan if ours is None else ours, nan_ok=True)


@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 100),
    st.integers(0, 60),
    st.integers(0, 40),
)
def test_the_overlap_rule_is_a_loop_over_microseconds(
    hop_us: int, length_us: int, begin_us: int, annotated_us: int, least_us: int
) -> None:
    starts_us = np.arange(8, dtype=np.int64) * hop_us
    span = range(begin_us, begin_us + annotated_us)
    expected = []
    for index, start_us in enumerate(starts_us.tolist()):
        clip = range(start_us, start_us + length_us)
        overlap = len(set(clip) & set(span))
        enough = overlap and overlap >= min(least_us, len(span), length_us)
        if enough or (not span and begin_us in clip):
            expected.append(index)
    found = clips_of_annotation(starts_us, length_us, (begin_us, begin_us + annotated_us), least_us)
    assert found.tolist() == expected
