"""A clip that anyone can make again, and what a model says of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from birddask.mels.transform import prepare
from birddask.models.bundle import KnownAnswer
from birddask.models.card import ModelCard
from birddask.models.session import score_unsealed


def known_clip(sample_rate_hz: int, length_samples: int) -> NDArray[np.float32]:
    """Whistled syllables around 3.8 kHz over a hum, float32 (length,), in steps of 16-bit sound."""
    time_s = np.arange(length_samples) / sample_rate_hz
    syllable = np.clip(np.sin(2 * np.pi * 2.5 * time_s), 0, None) ** 2
    pitch_hz = 3800 + 700 * np.sin(2 * np.pi * 5 * time_s)
    whistle = syllable * np.sin(2 * np.pi * np.cumsum(pitch_hz) / sample_rate_hz)
    hum = np.sin(2 * np.pi * 180 * time_s) + 0.5 * np.sin(2 * np.pi * 1310 * time_s)
    steps = np.round(12_000 * whistle + 600 * hum)
    return (steps / 32_768).astype(np.float32)


def known_answer(
    card: ModelCard, labels: tuple[str, ...], network: bytes, front_end: Mapping[str, NDArray[np.float32]]
) -> KnownAnswer:
    """The known clip all the way through a model that has no known answer yet.

    Raises:
        ModelError: the network does not fit its card or its labels, or gives what is no probability.
    """
    waveform = known_clip(card.mels.clip.sample_rate_hz, card.mels.clip.length_samples)
    mels = prepare(card.mels, front_end).mels(waveform)
    return KnownAnswer(waveform, mels, score_unsealed(card, labels, network, mels))
