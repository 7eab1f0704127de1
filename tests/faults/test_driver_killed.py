"""The driver is killed with SIGKILL at several moments; a second run finishes, and nothing shows that it was killed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import birddask, start, tables, write_job
from tests.support.sounds import noise, write_wav

SITES = 24


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings at three rates from many sites, so that there are many blocks."""
    folder = tmp_path_factory.mktemp("archive")
    for site in range(SITES):
        for number, rate in enumerate((8000, 16000, 22050)):
            name = f"site{site:02d}/20250{number + 1}01_040000.WAV"
            write_wav(folder / name, noise(8, rate, seed=site * 3 + number), rate)
    return folder


@pytest.fixture(scope="module")
def undisturbed(archive: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tables of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    job = write_job(folder / "job.yaml", archive, folder / "out", tiny_bundle)
    assert birddask("run", job).returncode == 0
    return tables(folder / "out")


def files(output: Path, pattern: str) -> int:
    return len(list(output.glob(pattern)))


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "before anything": lambda output: output.exists(),
    "after the scan": lambda output: files(output, "recordings/scan-*.parquet") > 0,
    "at the first shard": lambda output: files(output, "mels/*/mels.zarr/mel/c/*") > 0,
    "at the first clip table": lambda output: files(output, "mels/*/clips/block-*") > 0,
    "at the first part": lambda output: files(output, "probabilities/*/*/*/block-*") > 0,
    "at half of the parts": lambda output: files(output, "probabilities/*/*/*/block-*.parquet") > SITES * 3 // 2,
    "at the last part": lambda output: files(output, "probabilities/*/*/*/block-*.parquet") == SITES * 3,
}


def kill_when(moment: Callable[[Path], bool], job: Path, output: Path) -> None:
    """Start a run and kill its driver at a moment, or let it end if the moment never comes."""
    process = start("run", job)
    while process.poll() is None and not moment(output):
        time.sleep(0.001)
    process.kill()
    # The pipes close when the last of the driver's workers has gone.
    process.communicate(timeout=60)


@pytest.mark.parametrize(
    "moment",
    [pytest.param(moment, marks=[] if moment == "at the first part" else pytest.mark.slow) for moment in MOMENTS],
)
def test_a_killed_run_is_finished_by_the_next(
    moment: str, archive: Path, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    job = write_job(tmp_path / "job.yaml", archive, output, tiny_bundle)
    kill_when(MOMENTS[moment], job, output)
    left = {path: path.stat().st_ino for path in output.rglob("block-*.parquet")}
    assert birddask("run", job).returncode == 0
    assert tables(output) == undisturbed
    assert {path: path.stat().st_ino for path in left} == left, "what was committed was done again"
    again = birddask("run", job)
    assert again.returncode == 0
    assert "nothing is left to do" in again.stdout


@pytest.mark.slow
def test_a_run_killed_again_and_again_still_ends_the_same(
    archive: Path, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    job = write_job(tmp_path / "job.yaml", archive, output, tiny_bundle)
    for _ in range(4):
        deadline = time.monotonic() + random.uniform(1.5, 4.5)
        kill_when(lambda _output, deadline=deadline: time.monotonic() > deadline, job, output)
    assert birddask("run", job).returncode == 0
    assert tables(output) == undisturbed
