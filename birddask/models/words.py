"""Words of a model's card that the command line offers, too; whatever shows help imports nothing else of models."""

from __future__ import annotations

from typing import Literal

Layout = Literal[
    "channel_mel_frame",
    "mel_frame_channel",
    "channel_frame_mel",
    "frame_mel_channel",
    "mel_frame",
    "frame_mel",
]
"""Order of the axes of a network's input behind that of clips; without ``channel`` where it has no such axis."""

Activation = Literal["sigmoid", "softmax", "none"]
"""What turns a network's scores into probabilities; ``none`` if it has done so."""
