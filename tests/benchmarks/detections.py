"""Time and memory of ``birddask detections``, and of the reading for ``report``, ``review`` and ``evaluate``.

On a made-up table, larger than memory:

    python tests/benchmarks/detections.py [--rows 200000000] [--threshold 0.25] [--everything] [--folder PLACE]

The table is long, as BirdNET's is: blocks of 340 clips of 3 s, 10,000 rows each, labels drawn from 6,500 with few of
them common, probabilities mostly low, in parts by site and month as a run writes them. Each case is a process of its
own; its processor time and its peak of resident memory are those that the system counted. With ``--folder`` the table
is kept, and used again.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from birddask.outputs import Scans
from birddask.plan import Block, ClipRule
from birddask.recordings.recording import About, Recording, Scanned
from birddask.storage import Folder
from birddask.table.parquet import TIME, WORD, read_columns, read_metadata, to_bytes
from birddask.table.parts import PartLayout
from birddask.table.results import Results, part_key
from tests.support.models import tiny_card
from tests.support.program import write_job

_ROWS_PER_BLOCK, _CLIPS_PER_BLOCK, _CLIPS_PER_RECORDING = 10_000, 340, 20
_CLIP_US = 3_000_000
_BEGIN_US = 1_704_067_200_000_000
_SITES, _MONTHS, _LABELS = 20, 12, 6500
_RECORDINGS_PER_TABLE = 32_768


@dataclass(frozen=True)
class Made:
    """A table of so many rows in a job's output."""

    job: Path
    rows: int
    size_bytes: int


def make(folder: Path, rows: int) -> Made:
    """Write the recordings tables and all parts."""
    output = Folder(str(folder / "output"))
    clip = ClipRule(48_000, 144_000, 144_000, "pad")
    card = tiny_card()
    results = Results(output, replace(card, mels=replace(card.mels, clip=clip)), PartLayout("long", 0.01))
    results.write(
        Block(0, "probe", "unknown", ()), [], np.empty((0, 1), np.float32), ["none"], np.empty((0, 0), np.float32)
    )
    probe = part_key(Block(0, "probe", "unknown", ()))
    metadata = read_metadata(results.folder.read(probe))
    results.folder.remove(probe)
    generator = np.random.default_rng(0)
    labels = np.array([f"Genus species{number:04d}_Common Name {number}" for number in range(_LABELS)])
    common = 1 / np.arange(1, _LABELS + 1) ** 0.9
    blocks = rows // _ROWS_PER_BLOCK
    waiting: list[Scanned] = []
    scans = Scans(output, 0)
    for number in range(blocks):
        site, month = divmod(number * _SITES * _MONTHS // blocks, _MONTHS)
        block = Block(number, f"site-{site:02d}", f"2024-{month + 1:02d}", ())
        recordings = [
            f"{block.site}/{block.month}/2024{month + 1:02d}01_{number:06d}_{each:02d}.WAV"
            for each in range(_CLIPS_PER_BLOCK // _CLIPS_PER_RECORDING)
        ]
        content = to_bytes(_part(number, recordings, labels, common / common.sum(), generator), metadata)
        results.folder.publish(part_key(block), content)
        waiting += [_scanned(path, block.site) for path in recordings]
        if len(waiting) >= _RECORDINGS_PER_TABLE or number == blocks - 1:
            scans = scans.append(waiting, "rule")
            waiting = []
    return _made(folder)


def _part(
    number: int, recordings: list[str], labels: np.ndarray, weights: np.ndarray, generator: np.random.Generator
) -> pa.Table:
    rows = _ROWS_PER_BLOCK
    clip = np.sort(generator.integers(0, _CLIPS_PER_BLOCK, rows))
    probability = (0.01 + 0.99 * generator.beta(0.3, 6, rows)).astype(np.float32)
    label = generator.choice(_LABELS, rows, p=weights)
    order = np.lexsort((label, -probability, clip))
    words, indices = np.unique(label[order], return_inverse=True)
    offset_us = clip % _CLIPS_PER_RECORDING * _CLIP_US
    start_us = _BEGIN_US + (number * _CLIPS_PER_BLOCK + clip) * _CLIP_US
    return pa.table(
        {
            "clip": number * _CLIPS_PER_BLOCK + clip,
            "recording": pa.DictionaryArray.from_arrays((clip // _CLIPS_PER_RECORDING).astype(np.int32), recordings),
            "recorder": pa.array(["24F3190361DEA001"] * rows, WORD),
            "offset_us": offset_us,
            "start_time": pa.array(start_us).cast(TIME),
            "label": pa.DictionaryArray.from_arrays(indices.astype(np.int32), pa.array(labels[words].tolist())),
            "probability": probability[order],
        }
    )


def _scanned(path: str, site: str) -> Scanned:
    row = Recording(path, 5_760_044, "usable", site=site, container="wav", encoding="pcm_16", sample_rate_hz=48_000)
    return Scanned(replace(row, channels=1, frames=_CLIPS_PER_RECORDING * 144_000, start_time_us=_BEGIN_US), About())


def _made(folder: Path) -> Made:
    job = write_job(folder / "job.yaml", "/archive", folder / "output", "tiny")
    sizes = [file.size_bytes for file in Folder(str(folder / "output/probabilities")).files()]
    return Made(job, len(sizes) * _ROWS_PER_BLOCK, sum(sizes))


@dataclass(frozen=True)
class Took:
    """What a process took, and the last line that it wrote."""

    said: str
    wall_s: float
    processor_s: float
    peak_mib: float

    def __str__(self) -> str:
        return f"{self.wall_s:.0f} s, of the processor {self.processor_s:.0f} s, peak {self.peak_mib:.0f} MiB"


def run(command: list[str]) -> Took:
    """Run a process to its end."""
    began_s = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read() if process.stdout else ""
    _, code, used = os.wait4(process.pid, 0)
    assert code == 0, said
    wall_s = time.monotonic() - began_s
    return Took(said.splitlines()[-1], wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(made: Made, *arguments: str) -> None:
    """Run the command once and print what it took."""
    with tempfile.TemporaryDirectory(dir=made.job.parent) as folder:
        place = str(Path(folder, "written"))
        program = [sys.executable, "-m", "birddask", "detections", str(made.job)]
        took = run([*program, *arguments, "--output", place])
        size_bytes = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    print(f"{' '.join(arguments)}: {took.said.split(' in ')[0]}, {size_bytes / 1e9:.2f} GB, {took}")


_COUNT_FOR_PAGE = """
import sys
from birddask.detections.found import find_results
from birddask.detections.rules import Rules, one_threshold
from birddask.job import read_job_file
from birddask.page.heard import count_heard
found = find_results(read_job_file(sys.argv[1]).output_folder, None)
heard, _ = count_heard(found, Rules(one_threshold(float(sys.argv[2]))), None)
print(f"{heard.detections} detections of {len(heard.labels)} labels in {heard.scored} clips")
"""


def measure_page(made: Made, threshold: str) -> None:
    """Count for the page of ``birddask report`` once and print what it took."""
    took = run([sys.executable, "-c", _COUNT_FOR_PAGE, str(made.job), threshold])
    print(f"counted for the page: {took.said}, {took}")


_DRAW = """
import sys
from birddask.detections.found import find_results
from birddask.job import read_job_file
from birddask.review.sample import draw
found = find_results(read_job_file(sys.argv[1]).output_folder, None)
print(f"{len(draw(found, None, float(sys.argv[2]), 20, 30).drawn)} detections")
"""


def measure_draw(made: Made) -> None:
    """Draw for ``birddask review`` once and print what it took."""
    took = run([sys.executable, "-c", _DRAW, str(made.job), "0.1"])
    print(f"drawn for a review: {took.said}, {took}")


def measure_evaluation(made: Made, recordings: int) -> None:
    """Compare with annotations of so many recordings once and print what it took."""
    with tempfile.TemporaryDirectory(dir=made.job.parent) as folder:
        place = Path(folder, "annotations.csv")
        blocks = sorted(file.key for file in Folder(str(made.job.parent / "output/probabilities")).files())
        paths = (path for key in blocks for path in dict.fromkeys(_recordings_of(made, key)))
        lines = (
            f"{path},{clip * 3},{clip * 3 + 3},Genus species{clip:04d}_Common Name {clip}"
            for path in itertools.islice(paths, recordings)
            for clip in range(_CLIPS_PER_RECORDING)
        )
        place.write_text("\n".join(["recording,start_s,end_s,label", *lines]))
        took = run([sys.executable, "-m", "birddask", "evaluate", str(made.job), str(place)])
    print(f"compared with annotations of {recordings} recordings: {took}")


def _recordings_of(made: Made, key: str) -> list[str]:
    content = (made.job.parent / "output/probabilities" / key).read_bytes()
    (recordings,) = read_columns(content, ["recording"])
    return [str(each) for each in recordings]


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=200_000_000)
    arguments.add_argument("--threshold", default="0.25")
    arguments.add_argument("--everything", action="store_true", help="also export all rows, without a threshold")
    arguments.add_argument("--folder", type=Path)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        made = _made(folder) if (folder / "output").is_dir() else make(folder, options.rows)
        print(f"{made.rows / 1e6:.0f} million rows, {made.size_bytes / 1e9:.2f} GB of Parquet")
        measure(made, "--threshold", options.threshold, "--format", "csv")
        measure(made, "--threshold", options.threshold, "--format", "parquet")
        measure(made, "--threshold", options.threshold, "--format", "parquet", "--best", "3", "--merge")
        measure_page(made, options.threshold)
        measure_draw(made)
        measure_evaluation(made, 1000)
        if options.everything:
            measure(made, "--threshold", "0", "--format", "parquet")


if __name__ == "__main__":
    main()
