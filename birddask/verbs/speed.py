"""How fast one worker is on this machine, from a moment of real work on the known clip."""

from __future__ import annotations

import time

import numpy as np

from birddask.models.known_clip import known_clip
from birddask.models.ready import ready_classifier, ready_front_end
from birddask.verbs.prepared import Prepared

_CLIPS = 32
# Reading, encoding and committing beside the kernels (tests/benchmarks/against_birdnetlib.py).
_KERNELS_SHARE = 0.9


def clips_per_s(prepared: Prepared) -> float:
    """Clips that one worker makes and scores in a second: about, the network and disk of the archive left out."""
    clip = prepared.card.mels.clip
    front_end, classifier = ready_front_end(prepared.bundle), ready_classifier(prepared.bundle)
    waveform = known_clip(clip.sample_rate_hz, clip.length_samples)
    began = time.perf_counter()
    mels = np.stack([front_end.mels(waveform) for _ in range(_CLIPS)])
    classifier.probabilities(mels)
    return _KERNELS_SHARE * _CLIPS / (time.perf_counter() - began)
