"""Codecs, types and chunks of the store of mels, on BirdNET's mels of real recordings, on one core.

    python -m tests.benchmarks.codecs ARCHIVE [--rounds 5]

ARCHIVE is a folder of recordings; up to 340 clips of it make a shard. Sizes are shares of those clips as 16-bit sound
at 48 kHz; speeds are times real time, medians of rounds that alternate.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402 - after the core was chosen
import soundfile  # noqa: E402
import soxr  # noqa: E402
import zarr  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from zarr.codecs import BloscCodec, Crc32cCodec  # noqa: E402
from zarr.storage import MemoryStore  # noqa: E402

from birddask.mels.coding import Coding, Dtype, Stored  # noqa: E402
from birddask.mels.transform import prepare  # noqa: E402
from birddask.models.bundle import Bundle, read_bundle  # noqa: E402
from birddask.models.cache import find_bundle  # noqa: E402
from tests.benchmarks.rows import Row, parser_with_rows, say, spread  # noqa: E402

_RATE_HZ, _CLIP = 48_000, 144_000
_CLIPS_AT_MOST = 340


@dataclass(frozen=True)
class Way:
    """A way to store mels."""

    dtype: Dtype
    codec: Literal["lz4", "zstd"] | None
    shuffle: Literal["noshuffle", "shuffle", "bitshuffle"]
    clips_per_chunk: int

    def __str__(self) -> str:
        codec = f"{self.codec}, {self.shuffle}" if self.codec else "as it is"
        return f"{self.dtype}, {codec}, {self.clips_per_chunk} clips a chunk"

    def array(self, store: MemoryStore, mels: Stored) -> zarr.Array[object]:
        """An empty array of one shard for mels."""
        blosc = [BloscCodec(cname=self.codec, clevel=5, shuffle=self.shuffle)] if self.codec else []
        return zarr.create_array(
            store,
            shape=mels.shape,
            shards=mels.shape,
            chunks=(self.clips_per_chunk, *mels.shape[1:]),
            dtype=self.dtype,
            fill_value=Coding(self.dtype).blank,
            compressors=[*blosc, Crc32cCodec()],
        )


WAYS = (
    Way("float16", "lz4", "bitshuffle", 5),
    Way("float16", "lz4", "shuffle", 5),
    Way("float16", "lz4", "noshuffle", 5),
    Way("float16", "zstd", "bitshuffle", 5),
    Way("float16", "zstd", "shuffle", 5),
    Way("float16", None, "noshuffle", 5),
    Way("float32", "lz4", "bitshuffle", 5),
    Way("float16", "lz4", "bitshuffle", 1),
    Way("float16", "lz4", "bitshuffle", 20),
    Way("uint8", "lz4", "bitshuffle", 10),
    Way("uint8", "lz4", "noshuffle", 10),
    Way("uint8", "zstd", "bitshuffle", 10),
    Way("uint8", None, "noshuffle", 10),
)


def mels_of(bundle: Bundle, archive: Path) -> NDArray[np.float32]:
    """BirdNET's mels of the first clips of an archive."""
    front_end = prepare(bundle.card.mels, bundle.front_end)
    clips = (
        clip
        for path in sorted(archive.rglob("*"))
        if path.suffix.lower() in (".wav", ".flac")
        for sound, rate in [soundfile.read(path, dtype="float32", always_2d=True)]
        for mono in [soxr.resample(sound.mean(axis=1), rate, _RATE_HZ, quality="HQ")]
        for clip in mono[: len(mono) // _CLIP * _CLIP].reshape(-1, _CLIP)
    )
    return np.stack([front_end.mels(clip) for clip in islice(clips, _CLIPS_AT_MOST)])


def main() -> None:
    arguments = parser_with_rows(__doc__)
    arguments.add_argument("archive", type=Path)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    bundle = read_bundle(find_bundle("birdnet-v2.4"))
    mels = mels_of(bundle, options.archive)
    mels = mels[: len(mels) // 20 * 20]
    written: dict[Way, list[float]] = {way: [] for way in WAYS}
    read: dict[Way, list[float]] = {way: [] for way in WAYS}
    sizes: dict[Way, int] = {}
    for number in range(options.rounds + 1):
        for way in WAYS:
            store, stored = MemoryStore(), Coding(way.dtype, bundle.card.mels.float16_offset).encode(mels)
            array = way.array(store, stored)
            began = time.perf_counter()
            array[:] = stored
            between = time.perf_counter()
            np.testing.assert_array_equal(array[:1], stored[:1])
            began_reading = time.perf_counter()
            _ = array[:]
            ended = time.perf_counter()
            sizes[way] = sum(len(value) for key, value in store._store_dict.items() if "/" in key)  # noqa: SLF001
            if number:
                written[way].append(between - began)
                read[way].append(ended - began_reading)
    seconds = len(mels) * _CLIP / _RATE_HZ
    rows = [
        Row(
            str(way),
            f"{sizes[way] / (2 * _CLIP * len(mels)):.2f} of the sound, written at "
            f"{seconds / statistics.median(written[way]):,.0f}, read at {seconds / statistics.median(read[way]):,.0f}",
            max(spread(written[way]), spread(read[way])),
        )
        for way in WAYS
    ]
    say(rows, options.rows)


if __name__ == "__main__":
    main()
