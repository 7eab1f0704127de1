"""A job whose mels are stored as uint8, from recordings to what is read of its results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from birddask.access import open_mels, open_probabilities
from birddask.engine import Control
from birddask.errors import ConfigError
from birddask.job import Job, read_job_file
from birddask.mels.coding import Coding
from birddask.models.bundle import read_bundle
from birddask.models.session import start_classifier
from birddask.scanning.scan import scan
from birddask.storage import Folder
from birddask.verbs.blocks import build_mels, classify, run
from birddask.verbs.dtypes import Stored, stored_as_each
from birddask.verbs.prepared import prepare
from tests.support.models import TINY_LABELS, TINY_RATE
from tests.support.program import birddask_here, tables, write_job
from tests.support.sounds import noise, write_wav


@pytest.fixture
def job(tmp_path: Path, tiny_bundle: Path) -> Job:
    """Thirty clips in three blocks, one of them silent."""
    for number in range(3):
        sound = noise(10, TINY_RATE, seed=number)
        if number == 1:
            sound[3 * TINY_RATE : 4 * TINY_RATE] = 0
        write_wav(tmp_path / f"archive/{number}/a.wav", sound, TINY_RATE)
    return Job(str(tmp_path / "archive"), str(tmp_path / "out"), str(tiny_bundle), block_mib=0.01, dtype="uint8")


def scores(output: str) -> NDArray[np.float32]:
    table = open_probabilities(output).to_table().sort_by("clip")
    return np.stack([table[label].to_numpy() for label in TINY_LABELS], axis=1)


def test_uint8_mels_go_all_the_way(job: Job, tmp_path: Path, control: Control) -> None:
    exact = replace(job, dtype="float32", output=str(tmp_path / "exact"))
    for each in (job, exact):
        assert run(prepare(each), control).complete
    ours, theirs = open_mels(job.output)["mel"], open_mels(exact.output)["mel"]
    assert ours.dtype == np.float32
    assert ours.dims == ("clip", "channel", "bin", "frame")
    rounded, mels = ours.values, theirs.values
    assert np.isnan(mels).all(axis=(1, 2, 3)).sum() == 1
    np.testing.assert_array_equal(np.isnan(rounded), np.isnan(mels))
    steps = np.ptp(mels, axis=-1, keepdims=True) / 255
    assert np.nanmax(np.abs(rounded - mels) / steps) == pytest.approx(0.5, abs=0.01)
    assert len(scores(job.output)) == 29
    assert 0 < np.abs(scores(job.output) - scores(exact.output)).max() < 0.01


def test_whether_mels_are_scored_at_once_or_later_is_the_same(job: Job, tmp_path: Path, control: Control) -> None:
    assert run(prepare(job), control).complete
    later = replace(job, output=str(tmp_path / "later"))
    scan(later, control)
    for verb in (build_mels, classify):
        assert verb(prepare(later), control).complete
    assert tables(Path(later.output)) == tables(Path(job.output))


def test_whoever_opens_the_array_with_zarr_can_decode_it(job: Job, control: Control) -> None:
    assert run(prepare(job), control).complete
    (path,) = Path(job.output).glob("mels/*/mels.zarr/mel")
    array = zarr.open_array(str(path), mode="r")
    assert array.metadata.dimension_names == ("clip", "channel", "mel", "byte")
    assert "mel = offset + scale * byte" in array.attrs["comment"]
    clip = np.asarray(array[0])
    offset, scale = (clip[..., at : at + 4].copy().view("<f4") for at in (0, 4))
    np.testing.assert_array_equal(offset + scale * clip[..., 8:], open_mels(job.output)["mel"].values[0])


def test_the_dry_run_says_what_each_dtype_takes_and_does(job: Job, no_workers: Path, tmp_path: Path) -> None:
    file = write_job(tmp_path / "job.yaml", job.archive, job.output, job.model, dtype="uint8")
    done = birddask_here("run", file, "--dry-run", "--cluster", no_workers)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (start,) = (number for number, line in enumerate(lines) if line.startswith("store: "))
    assert [line.split(":")[0] for line in lines[start + 1 : start + 4]] == [
        "  uint8, as in this job",
        "  float16",
        "  float32",
    ]
    # 30 clips of 16 mels by 63 frames.
    assert "at most 0.1 MiB before compression" in lines[start + 3]
    assert lines[start + 3].endswith("scores of the model's known clip change by up to 0")


def test_what_the_dry_run_says_was_measured_on_the_known_clip(job: Job) -> None:
    found = {each.dtype: each for each in stored_as_each(prepare(job))}
    bundle = read_bundle(Folder(job.model))
    classifier, mels = start_classifier(bundle), bundle.known_answer.mels[np.newaxis]
    rounded = Coding("uint8").decoded(Coding("uint8").encode(mels))
    off = float(np.abs(classifier.probabilities(rounded) - classifier.probabilities(mels)).max())
    assert found["uint8"] == Stored("uint8", 16 * (63 + 8), off)
    assert found["float32"] == Stored("float32", 16 * 63 * 4, 0.0)
    assert found["float16"].off is not None
    assert 0 < found["float16"].off < off


def test_another_dtype_in_the_job_is_another_store(
    job: Job, no_workers: Path, tmp_path: Path, control: Control
) -> None:
    assert run(prepare(job), control).complete
    file = write_job(tmp_path / "job.yaml", job.archive, job.output, job.model, dtype="float16")
    done = birddask_here("classify", file, "--cluster", no_workers)
    assert done.returncode == 2
    assert "dtype: 'float16', not 'uint8'" in done.stderr
    (group,) = Path(job.output).glob("mels/*/mels.zarr/zarr.json")
    assert json.loads(group.read_text())["attributes"]["birddask"]["mel_spec"]["dtype"] == "uint8"


@pytest.mark.parametrize("dtype", ["int8", "uint16", "float64", "UINT8", 8, ["uint8"]])
def test_a_dtype_that_is_none_is_refused(dtype: object, job: Job, tmp_path: Path) -> None:
    file = write_job(tmp_path / "job.yaml", job.archive, job.output, job.model, dtype=dtype)
    with pytest.raises(ConfigError, match="`dtype`: Input should be 'uint8', 'float16' or 'float32'"):
        read_job_file(file)
