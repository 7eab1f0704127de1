"""Bands of scores, in each of which detections are drawn at random; pure.

Few detections have the scores at which a model goes from wrong to right, and plain chance would draw few of them. Drawn
by bands, each answer stands for ``band_detections / band_drawn`` detections, and an estimate that weighs them so is as
honest as one from plain chance, and narrower.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EDGES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""A band holds the scores from one edge up to, but without, the next; the last one has both. Always the same, so that
the answers of one review count in the next."""


def band_of(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Int64, the index of the lower edge of each score's band."""
    return np.searchsorted(np.array(EDGES[1:-1], np.float32), scores, side="right")


def lowest_edge(threshold: float) -> float:
    """The lower edge of the band that holds a threshold."""
    return EDGES[int(band_of(np.array([threshold], np.float32))[0])]
