"""What each way to store mels costs a job: its size, and what its rounding does to scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from birddask.mels.coding import Dtype, all_finite
from birddask.models.bundle import read_bundle
from birddask.models.ready import ready_classifier
from birddask.verbs.prepared import Prepared


@dataclass(frozen=True)
class Stored:
    """A job's mels stored with a dtype.

    Attributes:
        clip_bytes: mels of a clip, before compression.
        off: largest difference of a probability of the model's known clip from what its mels give as they are; None if
            the dtype can't hold them.
    """

    dtype: Dtype
    clip_bytes: int
    off: float | None


def stored_as_each(prepared: Prepared) -> tuple[Stored, ...]:
    """The mels of a job's model with each dtype, the smallest first; scored here and now.

    Raises:
        ConfigError: the model is not there any more.
        ModelError: it does not work on this machine.
    """
    classifier = ready_classifier(prepared.bundle)
    mels = read_bundle(prepared.bundle.folder).known_answer.mels[np.newaxis]
    exact = classifier.probabilities(mels)
    found = []
    for dtype in get_args(Dtype):
        coding = replace(prepared.card.mels, dtype=dtype).coding
        stored = coding.encode(mels)
        off = float(np.abs(classifier.probabilities(stored, coding) - exact).max()) if all_finite(stored) else None
        found.append(Stored(dtype, coding.stored_bytes(prepared.card.mels.shape), off))
    return tuple(found)
