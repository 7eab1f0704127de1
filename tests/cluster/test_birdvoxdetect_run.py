"""BirdVoxDetect through the main job: from recordings of birds and of a day to the Parquet parts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
import soxr

from birddask import Job, open_probabilities, prepare, run
from birddask.engine import Control
from birddask.models.birdvoxdetect import MEMBER, PACKAGE, fetch_birdvoxdetect, read_weights
from birddask.models.packages import download, read_members
from birddask.storage import Folder
from tests.support.birdvoxdetect import HOP, RATE, Original

pytestmark = pytest.mark.slow

TOLERANCES = {"float32": 1e-4, "float16": 5e-4}


@pytest.fixture(scope="module")
def package_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return download(PACKAGE, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def bundle(package_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder(str(tmp_path_factory.mktemp("models") / "birdvoxdetect"))
    fetch_birdvoxdetect(folder, package_file)
    return folder


@pytest.fixture(scope="module")
def layers(package_file: Path) -> Original:
    (weights,) = read_members(PACKAGE, [MEMBER], package_file)
    return Original(read_weights(weights))


@pytest.fixture(scope="module")
def archive(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for path in (*sorted((shared / "sm4-day").glob("*.wav"))[:2], *(shared / "birds").glob("*.*")):
        if path.suffix in (".wav", ".flac"):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def expected(archive: Path, layers: Original) -> dict[tuple[str, int], float]:
    """Confidences by recording and start of the clip, from recordings that are resampled as a whole."""
    confidences = {}
    for path in archive.iterdir():
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(sound.mean(axis=1), rate, RATE, quality="HQ")
        for clip, confidence in enumerate(layers.confidences(mono)):
            confidences[path.name, round(clip * HOP * 1_000_000 / RATE)] = confidence
    assert len(confidences) > 100
    assert np.ptp(list(confidences.values())) > 0.5
    return confidences


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_a_run_scores_recordings_as_birdvoxdetect_does_as_a_whole(
    dtype: Literal["float32", "float16"],
    archive: Path,
    bundle: Folder,
    expected: dict[tuple[str, int], float],
    control: Control,
    tmp_path: Path,
) -> None:
    job = Job(str(archive), str(tmp_path), bundle.url, dtype=dtype)

    assert run(prepare(job), control).complete

    table = open_probabilities(job.output).to_table().to_pylist()
    found = {(row["recording"], row["offset_us"]): row["bird flight call"] for row in table}
    assert found.keys() == expected.keys()
    differences = sorted(abs(found[key] - expected[key]) for key in expected)
    assert differences[-1] <= TOLERANCES[dtype]
