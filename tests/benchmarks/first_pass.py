"""A first pass against the sum of its parts, one core; how it grows with workers; the memory of a worker.

    python -m tests.benchmarks.first_pass SOUND.wav [--hours 4] [--rounds 3]

SOUND.wav (16-bit, 48 kHz) is repeated to half-hour files. Each part is timed by itself, over the same clips, in one
process; then a first pass runs with one and with two workers. Driver, scheduler and workers share the machine; start-up
is not counted. Blocks are small (8 MiB), for an archive as short as this would else have its workers wait for the last
one. The memory is that of workers with full blocks (64 MiB), for a recording of 30 s and one of so many hours.
"""

from __future__ import annotations

import heapq
import os
import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from birddask import Job, LocalSpec, prepare, run
from birddask.clusters import connect
from birddask.clusters.outfit import keep_freed_memory
from birddask.engine import Control, run_tasks
from birddask.mels.waveform import read_pieces
from birddask.models.ready import ready_classifier, ready_front_end
from birddask.outputs import read_scans
from birddask.plan import Block
from birddask.scanning.scan import scan
from birddask.table.clip_table import ClipRow
from birddask.tasks import MelWork, ScoreWork, both
from birddask.verbs.pending import plan
from birddask.verbs.prepared import Prepared
from tests.benchmarks.rows import Row, parser_with_rows, ratio, say, spread
from tests.benchmarks.sounds import repeat

_BLOCK_MIB = 8
# In one process only every so many blocks are worked off.
_EVERY = 4
_FILES, _FILE_S = 4, 1800
_CLIP_BYTES = 3 * 48_000 * 2
_SIMULATED = (2, 8, 16, 32, 64)
_SIMULATED_BLOCKS = 20_000


def parts_of(prepared: Prepared, block: Block) -> Counter[str]:
    """Seconds of each part of the work on a block, one part after the other."""
    store, results = prepared.store(), prepared.results
    front_end, classifier = ready_front_end(prepared.bundle), ready_classifier(prepared.bundle)
    seconds: Counter[str] = Counter()
    clock = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[name] += now - clock
        clock = now

    pieces = [
        piece for stretch in block.stretches for piece in read_pieces(prepared.job.archive_folder, stretch, store.spec)
    ]
    lap("read")
    sounds = [sound for piece in pieces for sound in piece.sounds()]
    lap("resample and measure")
    mels = store.blank(block.clips)
    lap("other")
    for sound, target in zip(sounds, mels, strict=True):
        target[:] = store.to_stored(front_end.mels(sound.waveform))
    lap("mels")
    store.write_shard(block.number, mels)
    lap("encode and write mels")
    scores = classifier.scores(mels, store.spec.coding)
    lap("network")
    rows = [
        ClipRow(clip, "card/recording.WAV", block.site, "recorder", clip * 3_000_000, None, "ok")
        for clip in range(block.clips)
    ]
    results.write(block, rows, scores.probabilities, classifier.labels, scores.embeddings)
    lap("tables")
    return seconds


def in_process(job: Job, rounds: int) -> tuple[list[Row], float, list[float]]:
    """Rows on one core, seconds of all parts of one clip, seconds of each block."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    keep_freed_memory()  # as workers do
    prepared = prepare(job)
    with connect(LocalSpec("local"), 1) as client:
        scan(job, Control(lambda: client))
    store = prepared.store()
    store.create()
    planned = plan(read_scans(job.output_folder), store)
    store.grow(len(planned.sizes))
    blocks = list(planned.blocks())[::_EVERY]
    clips = sum(block.clips for block in blocks)
    mel_work = MelWork(job.archive_folder, store, prepared.bundle)
    score_work = ScoreWork(store, prepared.results, prepared.bundle)
    whole: list[float] = []
    parts: list[Counter[str]] = []
    each: list[float] = []
    for number in range(rounds + 1):
        sums: Counter[str] = Counter()
        for block in blocks:
            sums += parts_of(prepared, block)
        each = [both(mel_work, score_work, block).wall_s for block in blocks]
        if number:
            parts.append(sums)
            whole.append(sum(each))
    kernels = [sums.total() for sums in parts]
    shares = {name: statistics.median(sums[name] / sums.total() for sums in parts) for name in parts[0]}
    rows = [
        Row(f"share of {name} in the parts of a first pass", f"{100 * share:.1f} %") for name, share in shares.items()
    ]
    overhead = [a / b for a, b in zip(whole, kernels, strict=True)]
    rows.append(
        Row("first pass on one core, to the sum of its parts", f"{statistics.median(overhead):.2f}", spread(overhead))
    )
    stored = sum(file.stat().st_size for file in Path(job.output, "mels").glob("*/mels.zarr/mel/c/*/0/0/0"))
    rows.append(Row("stored mels, to the 16-bit recordings that they are of", f"{stored / (clips * _CLIP_BYTES):.2f}"))
    return rows, statistics.median(kernels) / clips, each


def on_workers(job: Job, workers: int, first: Path) -> tuple[float, float]:
    """Seconds of a first pass, and the largest peak memory of a worker in MiB.

    Before that the same workers get an archive of so many blocks that each of them has made its model ready.
    """
    with tempfile.TemporaryDirectory() as output, connect(LocalSpec("local"), workers) as client:
        control = Control(lambda: client)
        run(prepare(Job(str(first), f"{output}/first", job.model, block_mib=1)), control)
        ended = run(prepare(Job(job.archive, f"{output}/then", job.model, block_mib=job.block_mib)), control)
        assert ended.complete
        peaks = client.run(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return ended.wall_s, max(peaks.values())


def driver_seconds(tasks: int) -> float:
    """Seconds that driver and scheduler need for a task that does nothing."""
    with connect(LocalSpec("local"), 2) as client:
        began = time.perf_counter()
        done = sum(1 for _ in run_tasks(Control(lambda: client), "nothing", _nothing, range(tasks)))
        return (time.perf_counter() - began) / done


def _nothing(number: int) -> int:
    return number


def simulated(block_s: Sequence[float], driver_s: float, workers: int) -> float:
    """Seconds for many blocks: each goes to the worker that is free first, none sooner than the driver can send it."""
    free = [0.0] * workers
    for number, seconds in enumerate(_endlessly(block_s)):
        if number == _SIMULATED_BLOCKS:
            break
        began = max(heapq.heappop(free), number * driver_s)
        heapq.heappush(free, began + seconds)
    return max(free)


def _endlessly(block_s: Sequence[float]) -> Iterator[float]:
    while True:
        yield from block_s


def main() -> None:
    arguments = parser_with_rows(__doc__)
    arguments.add_argument("sound", type=Path)
    arguments.add_argument("--hours", type=float, default=4)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        short, long, many, out = (Path(folder) / name for name in ("short", "long", "many", "out"))
        repeat(options.sound, short / "site/20250101_000000.WAV", 30)
        repeat(options.sound, long / "site/20250101_000000.WAV", 3600 * options.hours)
        for number in range(_FILES):
            repeat(options.sound, many / f"site/20250101_{number:02d}0000.WAV", _FILE_S)
        job = Job(str(many), str(out), "birdnet-v2.4", block_mib=_BLOCK_MIB)
        rows, clip_s, block_s = in_process(job, options.rounds)
        os.sched_setaffinity(0, cores)
        one, two = [], []
        for _ in range(options.rounds):
            os.sched_setaffinity(0, {min(cores)})  # a worker reads and writes in a second thread
            one.append(on_workers(job, 1, short)[0])
            os.sched_setaffinity(0, cores)
            two.append(on_workers(job, 2, short)[0])
        rows.append(ratio("first pass, two workers on two cores against one on one", one, two))
        wall = [2 * seconds / (clip_s * _FILES * _FILE_S / 3) for seconds in two]
        rows.append(
            Row(
                "first pass, two workers on two cores, to the sum of its parts",
                f"{statistics.median(wall):.2f}",
                spread(wall),
            )
        )
        driver_s = driver_seconds(5000)
        rows.append(Row("driver and scheduler, a task", f"{1e3 * driver_s:.2f} ms"))
        alone_s = simulated(block_s, driver_s, 1)
        for workers in _SIMULATED:
            times = alone_s / simulated(block_s, driver_s, workers)
            rows.append(
                Row(f"{workers} workers, simulated from these times, against one", f"{times:.1f} times as fast")
            )
        for name, archive in (("30 s", short), (f"{options.hours:g} h", long)):
            peak = on_workers(Job(str(archive), str(out), "birdnet-v2.4"), 2, short)[1]
            rows.append(Row(f"peak memory of a worker, one recording of {name}", f"{peak:.0f} MiB"))
    say(rows, options.rows)


if __name__ == "__main__":
    main()
