"""The probability that a detection is right, as a logistic function of its score; pure.

``log(p / (1 - p)) = intercept + slope * log(score / (1 - score))``, as Wood and Kahl propose (Journal of Ornithology
165, 2024, https://doi.org/10.1007/s10336-024-02144-5). Scores decide who is drawn and not the answers, so that the fit
needs no weights. It is Firth's (Biometrika 80, 1993): likelihood times Jeffreys' prior, which has a maximum even where
scores part right and wrong without overlap, or all answers are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Scores of exactly 0 and 1 have no logit; this is near what float32 can tell from 1.
_EDGE = 1e-6
_ITERATIONS = 200
# Of the logarithm of the likelihood: far below what an answer tells, far above rounding.
_CONVERGED = 1e-9
_SHARE_OF_GAIN = 0.25
_OF_95_PERCENT = 1.959963984540054


@dataclass(frozen=True)
class Fit:
    """A fitted curve.

    Attributes:
        covariance: of intercept and slope: variance, covariance, variance.
    """

    intercept: float
    slope: float
    covariance: tuple[float, float, float]

    def probability(self, score: float) -> float:
        """The probability that a detection with this score is right."""
        return float(expit(self.intercept + self.slope * logit(np.array([score], np.float64)))[0])

    def score(self, probability: float) -> tuple[float, float, float]:
        """The score at which a detection is right with this probability, and its 95 % interval (delta method)."""
        at = (float(logit(np.array([probability]))[0]) - self.intercept) / self.slope
        of_intercept, of_both, of_slope = self.covariance
        error = np.sqrt(of_intercept + 2 * at * of_both + at * at * of_slope) / abs(self.slope)
        point, low, high = expit(np.array([at, at - _OF_95_PERCENT * error, at + _OF_95_PERCENT * error])).tolist()
        return point, low, high


def logit(scores: Floats) -> Floats:
    """The logarithm of the odds."""
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    odds: Floats = np.log(inside) - np.log1p(-inside)
    return odds


def expit(odds: Floats) -> Floats:
    """The inverse of ``logit``."""
    probability: Floats = 0.5 * (1 + np.tanh(0.5 * odds))
    return probability


def fit(scores: Floats, right: NDArray[np.bool_]) -> Fit | None:
    """Fit the curve; None if there are not two different scores, or there is no maximum.

    Args:
        scores: (answer,), from 0 to 1.
        right: (answer,).
    """
    design = np.column_stack([np.ones(len(scores)), logit(scores)])
    if len(np.unique(design[:, 1])) < 2:
        return None
    beta = np.zeros(2)
    for _ in range(_ITERATIONS):
        expected = expit(design @ beta)
        weights = expected * (1 - expected)
        covariance = np.linalg.inv(_information(design, beta))
        # Firth's: each answer is drawn towards one half by its leverage.
        leverage = weights * np.einsum("ij,jk,ik->i", design, covariance, design)
        gradient = design.T @ (right - expected + leverage * (0.5 - expected))
        step = covariance @ gradient
        if gradient @ step < _CONVERGED:
            variances = float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])
            return Fit(float(beta[0]), float(beta[1]), variances)
        # A step that gains much less than the gradient promises is too long; with few answers they would swing forever.
        now = _objective(design, right, beta)
        while _objective(design, right, beta + step) < now + _SHARE_OF_GAIN * (gradient @ step):
            step = step / 2
        beta = beta + step
    return None


def _information(design: Floats, beta: Floats) -> Floats:
    expected = expit(design @ beta)
    information: Floats = design.T @ ((expected * (1 - expected))[:, None] * design)
    return information


def _objective(design: Floats, right: NDArray[np.bool_], beta: Floats) -> float:
    """The logarithm of likelihood times prior; minus infinity where it can't be told from it."""
    odds = design @ beta
    determinant = float(np.linalg.det(_information(design, beta)))
    if determinant <= 0:
        return -np.inf
    return float(-np.logaddexp(0, np.where(right, -odds, odds)).sum() + 0.5 * np.log(determinant))
