from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from birddask import Job, open_probabilities
from birddask.engine import Control
from birddask.outputs import read_scans
from birddask.recordings.reader import open_samples
from birddask.storage import Folder
from birddask.verbs.blocks import run
from birddask.verbs.prepared import prepare
from tests.support.models import TINY_LABELS
from tests.support.program import birddask_here, write_job
from tests.support.sounds import chunk, fmt_chunk, noise, write_wav


def scores(output: Path, part_of_path: str, columns: list[str]) -> list[tuple[object, ...]]:
    rows = open_probabilities(str(output)).to_table(columns=["recording", *columns]).to_pylist()
    return sorted(tuple(row.values()) for row in rows if part_of_path in row["recording"])


def test_faults_among_a_thousand_good_files_change_nothing_for_the_good_ones(
    shared: Path, tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    good, mixed = tmp_path / "good", tmp_path / "mixed"
    for number in range(1000):
        day, minute = divmod(number, 60)
        path = f"{('ridge', 'marsh')[number % 2]}/good_202505{day + 1:02}_04{minute:02}00.wav"
        write_wav(good / path, noise(2, 8000, number), 8000)
    shutil.copytree(good, mixed)
    for fault in sorted((shared / "faults").iterdir()):
        if fault.is_dir():
            # Beside the good ones, and in folders of their own.
            for file in sorted(path for path in fault.rglob("*") if path.is_file()):
                shutil.copy(file, mixed / "ridge" / f"{file.name[:2]}{fault.name}_{file.parent.name}_{file.name}")
            shutil.copytree(fault, mixed / "marsh" / fault.name)
    shutil.copytree(shared / "other", mixed / "marsh/other")

    for archive in (good, mixed):
        job = write_job(tmp_path / f"{archive.name}.yaml", archive, tmp_path / f"{archive.name}-out", tiny_bundle)
        ran = birddask_here("run", job, "--cluster", no_workers)
        assert ran.returncode == 0, ran.stderr
    (line,) = re.findall(r"recordings: (\d+) found = (\d+) usable .* \+ (\d+) quarantined \+ (\d+) ignored", ran.stdout)
    found, usable, quarantined, ignored = map(int, line)
    assert found == usable + quarantined + ignored == sum(path.is_file() for path in mixed.rglob("*"))
    assert quarantined >= 12

    columns = ["offset_us", "start_time", "recorder", "top_label", "top_probability", *TINY_LABELS]
    expected, met = (scores(tmp_path / f"{name}-out", "/good_", columns) for name in ("good", "mixed"))
    assert len(expected) == 2000
    assert met == expected


def expanded(path: Path, job: Job) -> bytes:
    """The recording as a plain WAV file: its real length, silence filled in."""
    (row,) = (row for table in read_scans(job.output_folder) for row in table if row.path.endswith(path.name))
    with open_samples(Folder(job.archive), row) as read:
        samples = np.round(read(0, row.frames) * 32768).astype("<i2")
    info = path.read_bytes()[36:480]
    truth = json.loads((path.parents[1] / "triggered_truth.json").read_text())
    assert (
        hashlib.sha256(samples.tobytes()).hexdigest() == truth[f"{path.parent.name}/{path.name}"]["sha256_expanded_pcm"]
    )
    body = b"WAVE" + fmt_chunk(row.sample_rate_hz) + info + chunk(b"data", samples.tobytes())
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("overlap_s", [0.0, 1.5])
def test_a_triggered_recording_and_its_expanded_twin_have_the_same_scores(
    shared: Path, birdnet: Folder, control: Control, tmp_path: Path, overlap_s: float
) -> None:
    recording = shared / "faults/21_twav_two_events/20250503_070000T.WAV"
    archive, twin_archive = tmp_path / "archive/ridge", tmp_path / "twin/ridge"
    archive.mkdir(parents=True)
    twin_archive.mkdir(parents=True)
    shutil.copy(recording, archive)
    job = Job(str(tmp_path / "archive"), str(tmp_path / "out"), birdnet.url, overlap_s=overlap_s, floor=0)
    ended = run(prepare(job), control)
    (twin_archive / "20250503_070000T.WAV").write_bytes(expanded(recording, job))
    twin = Job(str(tmp_path / "twin"), str(tmp_path / "twin-out"), birdnet.url, overlap_s=overlap_s, floor=0)
    twin_ended = run(prepare(twin), control)
    counts, twin_counts = ended.accounting.scores, twin_ended.accounting.scores
    # Ten seconds; two events, around 1 to 2.4 s and 6.8 to 7.5 s, so that every whole clip of 3 s hears one or none.
    assert counts == twin_counts
    assert counts.clips_done > 0
    columns = ["offset_us", "start_time", "label", "probability"]
    found, twin_found = (scores(Path(each.output), "", columns) for each in (job, twin))
    assert len(found) == 6522 * counts.clips_done
    assert found == twin_found


def test_clips_inside_silence_that_was_cut_out_are_silent_and_not_scored(
    shared: Path, tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    (tmp_path / "archive/ridge").mkdir(parents=True)
    shutil.copy(shared / "faults/21_twav_two_events/20250503_070000T.WAV", tmp_path / "archive/ridge")
    truth = json.loads((shared / "faults/triggered_truth.json").read_text())
    heard = truth["21_twav_two_events/20250503_070000T.WAV"]["triggered_segments"]
    job = write_job(tmp_path / "job.yaml", tmp_path / "archive", tmp_path / "out", tiny_bundle)
    assert birddask_here("run", job, "--cluster", no_workers).returncode == 0
    # A piece of 32,768 bytes has 16,384 samples, the first one less the header; clips of this model have 48,000.
    sounding = {sample // 48_000 for piece in heard for sample in (piece * 16_384 - 244, (piece + 1) * 16_384 - 245)}
    status = json.loads(birddask_here("status", job, "--json").stdout)["scores"]
    assert status["clips_planned"] == 10
    assert status["clips_done"] == len(sounding)
    assert status["clips_silent"] == 10 - len(sounding)
    offsets = open_probabilities(str(tmp_path / "out")).to_table(columns=["offset_us"])["offset_us"].to_pylist()
    assert {offset // 1_000_000 for offset in offsets} == sounding
