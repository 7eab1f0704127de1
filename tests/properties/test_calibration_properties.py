"""Precision and thresholds against other people's statistics, and against truth that is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from sklearn.linear_model import LogisticRegression

from birddask.review.logistic import expit, fit, logit
from birddask.review.precision import Band, precisions


def drawn_answers(seed: int, count: int, intercept: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.uniform(0.02, 0.999, count)
    return scores, random.uniform(size=count) < special.expit(intercept + slope * special.logit(scores))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.8, 0.95, 1.0]), st.booleans()), min_size=2, max_size=40
    ).filter(lambda answers: len({score for score, _ in answers}) > 1)
)
def test_the_fit_is_the_maximum_of_firths_likelihood(answers: list[tuple[float, bool]]) -> None:
    scores, right = np.array([each[0] for each in answers]), np.array([each[1] for each in answers])
    design = np.column_stack([np.ones(len(scores)), logit(scores)])

    def against(beta: np.ndarray) -> float:
        odds = design @ beta
        likelihood = -np.logaddexp(0, np.where(right, -odds, odds)).sum()
        weights = special.expit(odds) * special.expit(-odds)
        information = design.T @ (weights[:, None] * design)
        return -(likelihood + 0.5 * np.linalg.slogdet(information)[1])

    found = fit(scores, right)
    assert found is not None
    ours = np.array([found.intercept, found.slope])
    other = optimize.minimize(against, ours + 0.1, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert against(ours) <= other.fun + 1e-7
    assert ours == pytest.approx(other.x, abs=2e-3)


def test_with_many_answers_it_is_scikit_learns() -> None:
    scores, right = drawn_answers(1, 20_000, -1.0, 0.8)
    found = fit(scores, right)
    assert found is not None
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(scores)[:, None], right)
    assert (found.intercept, found.slope) == pytest.approx((theirs.intercept_[0], theirs.coef_[0, 0]), abs=1e-3)


def test_the_interval_of_a_threshold_holds_the_truth_as_often_as_it_says() -> None:
    intercept, slope, wanted = -1.0, 1.2, 0.8
    truth = float(special.expit((special.logit(wanted) - intercept) / slope))
    held = 0
    for seed in range(400):
        found = fit(*drawn_answers(seed, 150, intercept, slope))
        assert found is not None
        point, low, high = found.score(wanted)
        assert low <= point <= high
        assert found.probability(point) == pytest.approx(wanted)
        held += low <= truth <= high
    # 95 %, within four standard errors of a binomial count.
    assert 0.90 * 400 <= held <= 0.99 * 400


def test_no_curve_through_one_score() -> None:
    assert fit(np.array([0.5, 0.5]), np.array([True, False])) is None
    assert fit(np.array([]), np.array([], np.bool_)) is None


@given(st.floats(-30, 30))
def test_expit_is_scipys(odds: float) -> None:
    assert expit(np.array([odds]))[0] == pytest.approx(special.expit(odds), rel=1e-6, abs=1e-13)


BANDS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 500)).filter(sum),
    min_size=1,
    max_size=6,
)


@settings(max_examples=30)
@given(BANDS)
def test_the_estimate_weighs_bands_by_their_detections(counts: list[tuple[int, int, int]]) -> None:
    bands = [Band(0.1 * i, yes + no + unheard, yes, no) for i, (yes, no, unheard) in enumerate(counts)]
    for first, found in enumerate(precisions(bands)):
        own = bands[first:]
        assert (found.threshold, found.detections) == (own[0].low, sum(band.detections for band in own))
        assert found.answers == sum(band.yes + band.no for band in own)
        assert 0 <= found.low <= found.high <= 1
        if all(band.yes + band.no for band in own):
            right = sum(band.detections * band.yes / (band.yes + band.no) for band in own)
            assert found.estimate == pytest.approx(right / found.detections)
        else:
            assert found.estimate is None
        if all(band.yes + band.no == band.detections for band in own):
            assert (found.low, found.high) == pytest.approx((found.estimate, found.estimate))


def test_the_interval_of_a_large_band_is_jeffreys() -> None:
    (found,) = precisions([Band(0.1, 10_000_000, 17, 3)])
    expected = stats.beta(17.5, 3.5).ppf([0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.005)


def test_the_interval_of_a_precision_holds_the_truth_as_often_as_it_says() -> None:
    sizes, shares, heard = (400, 100, 60), (0.2, 0.6, 0.95), 20
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        populations = [random.uniform(size=size) < share for size, share in zip(sizes, shares, strict=True)]
        yes = [int(random.permutation(population)[:heard].sum()) for population in populations]
        bands = [Band(0.1 * i, sizes[i], yes[i], heard - yes[i]) for i in range(3)]
        found = precisions(bands)[0]
        held += found.low <= np.concatenate(populations).mean() <= found.high
    assert 0.89 * 200 <= held <= 0.995 * 200
