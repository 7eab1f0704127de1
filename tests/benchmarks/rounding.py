"""What rounding stored mels does to BirdNET's scores of real recordings.

    python -m tests.benchmarks.rounding ARCHIVE

ARCHIVE is a folder of recordings; up to 340 clips of it are scored as they are, as each dtype keeps them, and as 8-bit
steps between the lowest and the highest value of ever smaller pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from birddask.mels.coding import Coding, Dtype
from birddask.models.bundle import read_bundle
from birddask.models.cache import find_bundle
from birddask.models.session import start_classifier
from tests.benchmarks.codecs import mels_of
from tests.benchmarks.rows import Row, parser_with_rows, say

_HEARD = 0.1
_PIECES = {
    "all clips": (0, 1, 2, 3),
    "a clip": (1, 2, 3),
    "a channel of a clip": (2, 3),
    "a mel of all clips": (0, 3),
    "a mel of a clip": (3,),
}

Array32 = NDArray[np.float32]


def in_steps(mels: Array32, axes: tuple[int, ...]) -> Array32:
    """Mels rounded to 255 steps of pieces that extend over some axes."""
    lowest, highest = mels.min(axis=axes, keepdims=True), mels.max(axis=axes, keepdims=True)
    step = (highest - lowest) / np.float32(255)
    return lowest + step * np.rint((mels - lowest) / step)


def ways(mels: Array32, float16_offset: float) -> Iterator[tuple[str, Array32]]:
    """Mels as they come back, one way after the other."""
    for dtype in get_args(Dtype):
        coding = Coding(dtype, float16_offset)
        yield f"dtype {dtype}", coding.decoded(coding.encode(mels))
    for piece, axes in _PIECES.items():
        yield f"8-bit steps of {piece}", in_steps(mels, axes)


def main() -> None:
    arguments = parser_with_rows(__doc__)
    arguments.add_argument("archive", type=Path)
    options = arguments.parse_args()
    bundle = read_bundle(find_bundle("birdnet-v2.4"))
    classifier = start_classifier(bundle)
    mels = mels_of(bundle, options.archive)
    exact = classifier.probabilities(mels)
    heard = exact.max(axis=1) >= _HEARD
    rows = []
    for name, rounded in ways(mels, bundle.card.mels.float16_offset):
        found = classifier.probabilities(rounded)
        off = np.abs(found - exact).max(axis=1)
        other = found.argmax(axis=1) != exact.argmax(axis=1)
        rows.append(
            Row(
                name,
                f"scores off by {off.max():.4f} at most, {off.mean():.4f} in the mean clip; another likeliest label in "
                f"{other.sum()} of {len(mels)} clips, {other[heard].sum()} of the {heard.sum()} heard at {_HEARD}",
            )
        )
    say(rows, options.rows)


if __name__ == "__main__":
    main()
