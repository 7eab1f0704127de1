"""Eight workers give the tables that one gives, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import birddask, tables, write_job
from tests.support.sounds import noise, write_wav


@pytest.mark.slow
def test_eight_workers_give_the_tables_of_one(tiny_bundle: Path, tmp_path: Path) -> None:
    for number in range(48):
        name = f"site{number % 16:02d}/2025{number // 16 + 1:02d}01_040000.WAV"
        rate = (8000, 16000, 22050)[number % 3]
        write_wav(tmp_path / "archive" / name, noise(3, rate, seed=number), rate)
    found = []
    for workers in (1, 8):
        output = tmp_path / f"by-{workers}"
        job = write_job(
            tmp_path / "job.yaml", tmp_path / "archive", output, tiny_bundle, block_mib=1, embeddings="float16"
        )
        done = birddask("run", job, "--workers", str(workers))
        assert done.returncode == 0, done.stderr
        found.append(tables(output))
    assert found[0] == found[1]
    assert len(found[0]) == 1 + 3 * 48
