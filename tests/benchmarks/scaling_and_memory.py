"""Speed of one and two workers, and the peak memory of a worker for recordings of any length.

    python tests/benchmarks/scaling_and_memory.py SOUND.wav [--hours 12] [--rounds 2]

SOUND.wav (16-bit) is repeated to make one recording of 30 s, one of so many hours, and an archive of half-hour files
for the speed. Driver and workers share the machine; start-up of the cluster is not counted. The speed is that of small
blocks (16 MiB), for an archive as short as this would else have its workers wait for the last block.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import wave
from pathlib import Path

from birddask import Job, LocalSpec, prepare, run
from birddask.clusters import connect
from birddask.engine import Control


def repeat(sound: Path, target: Path, seconds: float) -> None:
    """Write ``sound`` again and again, up to a length."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(sound)) as source, wave.open(str(target), "wb") as sink:
        sink.setparams(source.getparams())
        left = round(seconds * source.getframerate())
        while left > 0:
            source.rewind()
            frames = min(left, source.getnframes())
            sink.writeframes(source.readframes(frames))
            left -= frames


def measure(archive: Path, workers: int, block_mib: float) -> tuple[float, float]:
    """Seconds of audio a second of a first pass, and the largest peak memory of a worker in MiB."""
    with tempfile.TemporaryDirectory() as output, connect(LocalSpec("local"), workers) as client:
        prepared = prepare(Job(str(archive), output, "birdnet-v2.4", block_mib=block_mib))
        ended = run(prepared, Control(lambda: client))
        peaks = client.run(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return ended.audio_s / ended.wall_s, max(peaks.values())


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("sound", type=Path)
    arguments.add_argument("--hours", type=float, default=12)
    arguments.add_argument("--rounds", type=int, default=2)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        short, long, many = (Path(folder) / name for name in ("short", "long", "many"))
        repeat(options.sound, short / "site/20250101_000000.WAV", 30)
        repeat(options.sound, long / "site/20250101_000000.WAV", 3600 * options.hours)
        for number in range(14):
            repeat(options.sound, many / f"site/20250101_{number:02d}0000.WAV", 1800)
        speeds: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(options.rounds):
            for workers, measured in speeds.items():
                measured.append(measure(many, workers, 16)[0])
        one, two = (statistics.median(measured) for measured in speeds.values())
        print(f"1 worker {one:.0f}x real time, 2 workers {two:.0f}x: {two / one:.2f} times as fast")
        for name, archive in (("30 s", short), (f"{options.hours:g} h", long)):
            print(f"peak memory of a worker, one recording of {name}: {measure(archive, 2, 64)[1]:.0f} MiB")


if __name__ == "__main__":
    main()
