"""Which labels a clip has; pure.

An annotation gives its labels to each clip that it overlaps for at least ``least_us``, or for its whole length if it is
shorter than that. With 0 any overlap counts. To touch is not to overlap; an annotation without length belongs to
the clips that it lies in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Micros = NDArray[np.int64]


def clips_of_annotation(starts_us: Micros, length_us: int, annotation_us: tuple[int, int], least_us: int) -> Micros:
    """The indices of the clips that an annotation gives its labels to.

    Args:
        starts_us: of the clips of one recording, in order.
        length_us: of a clip.
        annotation_us: begin and end of the annotation.
        least_us: the smallest overlap that counts.
    """
    begin_us, end_us = annotation_us
    if begin_us == end_us:
        return np.flatnonzero((starts_us <= begin_us) & (begin_us < starts_us + length_us))
    overlap_us = np.minimum(starts_us + length_us, end_us) - np.maximum(starts_us, begin_us)
    # Never more than the annotation or the clip can give, and at least a microsecond.
    wanted_us = max(1, min(least_us, end_us - begin_us, length_us))
    return np.flatnonzero(overlap_us >= wanted_us)
