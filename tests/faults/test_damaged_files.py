"""Damage costs what is damaged and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow.parquet as pq

from tests.support.program import birddask_here, write_job
from tests.support.sounds import noise, wav_bytes, write_wav


def test_one_damaged_file_among_a_hundred_costs_exactly_that_file(
    tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    archive, output = tmp_path / "archive", tmp_path / "out"
    for number in range(100):
        write_wav(archive / f"ridge/20250501_{number:06d}.WAV", noise(2, 8000, seed=number), 8000)
    damaged = archive / "ridge/20250501_000042.WAV"
    damaged.write_bytes(b"\x00" * 4096)
    job = write_job(tmp_path / "job.yaml", archive, output, tiny_bundle)

    done = birddask_here("run", job, "--cluster", no_workers)

    assert done.returncode == 0, done.stderr
    assert "recordings: 100 found = 99 usable (0.06 h) + 1 quarantined + 0 ignored" in done.stdout
    assert "quarantined: 1 x null_file" in done.stdout
    rows = pq.read_table(output / "recordings/scan-0000.parquet").to_pylist()
    assert {row["recording"]: row["reason"] for row in rows if row["status"] != "usable"} == {
        "ridge/20250501_000042.WAV": "null_file"
    }
    scored = {
        row["recording"]
        for part in output.glob("probabilities/*/*/*/*.parquet")
        for row in pq.ParquetFile(part).read().to_pylist()
    }
    assert scored == {row["recording"] for row in rows if row["status"] == "usable"}


def test_a_name_that_is_not_utf8_costs_that_file_and_is_found_once(
    tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    archive, output = tmp_path / "archive", tmp_path / "out"
    recording = write_wav(archive / "ridge/20250501_040000.WAV", noise(2, 8000), 8000)
    (archive / "ridge" / os.fsdecode(b"caf\xe9.WAV")).write_bytes(recording.read_bytes())
    job = write_job(tmp_path / "job.yaml", archive, output, tiny_bundle)
    for _ in range(2):
        done = birddask_here("run", job, "--cluster", no_workers)
        assert done.returncode == 0, done.stderr
        assert "2 found = 1 usable (0.00 h) + 1 quarantined" in done.stdout
    rows = pq.read_table(output / "recordings/scan-0000.parquet").to_pylist()
    assert {row["recording"]: row["reason"] for row in rows} == {
        "ridge/20250501_040000.WAV": "",
        "ridge/caf\\udce9.WAV": "name_not_utf8",
    }
    assert len(list((output / "recordings").iterdir())) == 1


def test_a_file_that_shrank_after_the_scan_waits_for_a_refresh(
    tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    archive, output = tmp_path / "archive", tmp_path / "out"
    whole = wav_bytes(noise(10, 8000), 8000)
    target = archive / "ridge/20250501_040000.WAV"
    target.parent.mkdir(parents=True)
    target.write_bytes(whole)
    write_wav(archive / "ridge/20250501_050000.WAV", noise(10, 8000, seed=1), 8000)
    job = write_job(tmp_path / "job.yaml", archive, output, tiny_bundle)
    assert birddask_here("scan", job, "--cluster", no_workers).returncode == 0
    target.write_bytes(whole[: len(whole) // 2])

    def clips() -> tuple[int, int, int, int]:
        counts = json.loads(birddask_here("status", job, "--json").stdout)["scores"]
        return (
            counts["clips_planned"],
            counts["clips_done"],
            counts["clips_quarantined"],
            counts["clips_pending"],
        )

    assert birddask_here("mels", job, "--cluster", no_workers).returncode == 0
    assert birddask_here("classify", job, "--cluster", no_workers).returncode == 0
    assert clips() == (20, 10, 10, 0)

    refreshed = birddask_here("run", job, "--cluster", no_workers, "--refresh")
    assert refreshed.returncode == 0
    assert "2 found = 2 usable" in refreshed.stdout
    assert clips() == (25, 15, 10, 0)


def test_a_lost_shard_is_made_again_by_run_and_reported_by_classify(
    tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    archive, output = tmp_path / "archive", tmp_path / "out"
    write_wav(archive / "ridge/20250501_040000.WAV", noise(10, 8000), 8000)
    write_wav(archive / "stream/20250501_040000.WAV", noise(10, 8000, seed=1), 8000)
    job = write_job(tmp_path / "job.yaml", archive, output, tiny_bundle)
    assert birddask_here("run", job, "--cluster", no_workers).returncode == 0
    (shard,) = output.glob("mels/*/mels.zarr/mel/c/1/0/0/0")
    (part,) = output.glob("probabilities/*/site=stream/*/block-000001.parquet")
    content = part.read_bytes()

    def lose() -> None:
        shard.unlink()
        part.unlink()

    lose()
    classified = birddask_here("classify", job, "--cluster", no_workers)
    assert classified.returncode == 1
    assert "block 1" in classified.stdout
    assert "missing" in classified.stdout
    assert not part.exists()
    assert birddask_here("run", job, "--cluster", no_workers).returncode == 0
    assert part.read_bytes() == content

    lose()
    assert birddask_here("run", job, "--cluster", no_workers).returncode == 0
    assert part.read_bytes() == content
