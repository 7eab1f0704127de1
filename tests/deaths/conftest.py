from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.deaths.work import SITES, Work
from tests.support.program import birddask, tables, write_job
from tests.support.sounds import noise, write_wav


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of three months from many sites, so that there are many blocks."""
    folder = tmp_path_factory.mktemp("archive")
    for site in range(SITES):
        for month, rate in enumerate((8000, 16000, 22050), start=1):
            name = f"site{site:02d}/2025{month:02d}01_040000.WAV"
            write_wav(folder / name, noise(8, rate, seed=site * 3 + month), rate)
    return folder


@pytest.fixture(scope="session")
def scanned(archive: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with a recordings table only: what happens to workers from here on happens in blocks."""
    folder = tmp_path_factory.mktemp("scanned")
    job = write_job(folder / "job.yaml", archive, folder / "out", tiny_bundle, block_mib=1)
    assert birddask("scan", job).returncode == 0
    return folder / "out"


@pytest.fixture(scope="session")
def undisturbed(archive: Path, scanned: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """A run that nothing happened to."""
    work = _work(tmp_path_factory.mktemp("undisturbed"), archive, scanned, tiny_bundle, {})
    assert birddask("run", work.job).returncode == 0
    return work


@pytest.fixture
def work(archive: Path, scanned: Path, tiny_bundle: Path, undisturbed: Work, tmp_path: Path) -> Work:
    """The same job, still to be done."""
    return _work(tmp_path, archive, scanned, tiny_bundle, tables(undisturbed.output))


def _work(folder: Path, archive: Path, scanned: Path, bundle: Path, expected: dict[str, str]) -> Work:
    shutil.copytree(scanned, folder / "out")
    job = write_job(folder / "job.yaml", archive, folder / "out", bundle, block_mib=1)
    return Work(folder, job, folder / "out", expected)
