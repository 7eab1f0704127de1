"""What a user can get wrong: one clear message, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.models import write_tiny_bundle
from tests.support.program import birddask, birddask_here, write_job
from tests.support.sounds import noise, write_wav


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_wav(tmp_path / "archive/ridge/20250501_040000.WAV", noise(3, 8000), 8000)
    return tmp_path / "archive"


def misspelt_key(job: Path, archive: Path, model: Path) -> list[str]:
    write_job(job, archive, job.parent / "out", model, overlap=0.5)
    return ["overlap", "overlap_s"]


def missing_key(job: Path, archive: Path, _model: Path) -> list[str]:
    job.write_text(f"archive: {archive}\noutput: out\n")
    return ["`model` is missing"]


def not_yaml(job: Path, _archive: Path, _model: Path) -> list[str]:
    job.write_text("archive: [\n")
    return ["not valid YAML"]


def no_job_file(_job: Path, _archive: Path, _model: Path) -> list[str]:
    return ["job.yaml can't be read"]


def missing_archive(job: Path, archive: Path, model: Path) -> list[str]:
    write_job(job, archive.with_name("card-7"), job.parent / "out", model)
    return ["card-7 does not exist"]


def unknown_model(job: Path, archive: Path, _model: Path) -> list[str]:
    write_job(job, archive, job.parent / "out", "birdnet-v9")
    return ["birdnet-v9", "did you mean `birdnet-v2.4`?"]


def output_is_a_file(job: Path, archive: Path, model: Path) -> list[str]:
    (job.parent / "out").write_text("")
    write_job(job, archive, job.parent / "out", model)
    return ["output", "can't be written"]


def output_on_a_device_that_takes_nothing(job: Path, archive: Path, model: Path) -> list[str]:
    write_job(job, archive, Path("/proc/birddask"), model)
    return ["output /proc/birddask can't be written"]


def bad_site_pattern(job: Path, archive: Path, model: Path) -> list[str]:
    write_job(job, archive, job.parent / "out", model, site="{place}/...")
    return ["{site}"]


def bad_overlap(job: Path, archive: Path, model: Path) -> list[str]:
    write_job(job, archive, job.parent / "out", model, overlap_s=5)
    return ["overlap_s", "1 s"]


def wrong_label_count(job: Path, archive: Path, model: Path) -> list[str]:
    bundle = job.parent / "few-labels"
    shutil.copytree(model, bundle)
    card = (bundle / "model.yaml").read_text()
    (bundle / "model.yaml").write_text(card[: card.index("files:")])
    (bundle / "labels.txt").write_text("wren\nrobin\n")
    sealed = birddask_here("models", "check", "--seal", bundle)
    assert sealed.returncode == 2
    assert "has 2 labels" in sealed.stderr
    write_job(job, archive, job.parent / "out", bundle)
    return ["not sealed", "models check --seal"]


def changed_network(job: Path, archive: Path, model: Path) -> list[str]:
    bundle = job.parent / "changed"
    shutil.copytree(model, bundle)
    (bundle / "model.onnx").write_bytes(b"something else")
    write_job(job, archive, job.parent / "out", bundle)
    return ["model.onnx", "SHA-256"]


def labels_of_another_model(job: Path, archive: Path, model: Path) -> list[str]:
    bundle = job.parent / "mixed"
    shutil.copytree(model, bundle)
    (bundle / "labels.txt").write_text("wren\n")
    write_job(job, archive, job.parent / "out", bundle)
    return ["labels.txt", "SHA-256"]


@pytest.mark.parametrize(
    "mistake",
    [
        misspelt_key,
        missing_key,
        not_yaml,
        no_job_file,
        missing_archive,
        unknown_model,
        output_is_a_file,
        output_on_a_device_that_takes_nothing,
        bad_site_pattern,
        bad_overlap,
        wrong_label_count,
        changed_network,
        labels_of_another_model,
    ],
)
def test_a_mistake_gets_one_clear_message(
    mistake: Callable[[Path, Path, Path], list[str]], archive: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    job = tmp_path / "job.yaml"
    expected = mistake(job, archive, tiny_bundle)

    done = birddask_here("run", job)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    for part in expected:
        assert part in done.stderr
    assert not (tmp_path / "out").is_dir() or not any((tmp_path / "out").iterdir())


def test_a_model_against_the_wrong_store_names_the_fields_that_differ(
    archive: Path, tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    first = write_job(tmp_path / "first.yaml", archive, tmp_path / "out", tiny_bundle)
    assert birddask_here("run", first, "--cluster", no_workers).returncode == 0
    second = write_job(tmp_path / "second.yaml", archive, tmp_path / "out", tiny_bundle, overlap_s=0.5)
    done = birddask_here("classify", second)
    assert done.returncode == 2
    assert "clip.hop_samples: 4000, not 8000" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_model_scores_the_same_mels_after_the_archive_was_moved_away(
    archive: Path, tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    job = write_job(tmp_path / "job.yaml", archive, tmp_path / "out", tiny_bundle)
    assert birddask_here("run", job, "--cluster", no_workers).returncode == 0
    archive.rename(tmp_path / "elsewhere")
    other = tmp_path / "other"
    write_tiny_bundle(other, seed=1)
    done = birddask_here("classify", job, "--model", other, "--cluster", no_workers)
    assert done.returncode == 0, done.stderr
    assert "scores: 3 clips planned = 3 scored" in done.stdout
    assert len(list((tmp_path / "out/probabilities").iterdir())) == 2


def test_arguments_instead_of_a_job_file(archive: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    only_two = birddask("run", "--archive", archive, "--output", output)
    assert only_two.returncode == 2
    assert "--model" in only_two.stderr
    done = birddask("run", "--archive", archive, "--output", output, "--model", tiny_bundle, "--workers", "1")
    assert done.returncode == 0, done.stderr


def test_a_dry_run_prints_the_defaults_and_writes_nothing(
    archive: Path, tiny_bundle: Path, no_workers: Path, tmp_path: Path
) -> None:
    job = write_job(tmp_path / "job.yaml", archive, tmp_path / "out", tiny_bundle)
    done = birddask_here("run", job, "--dry-run", "--cluster", no_workers)
    assert done.returncode == 0, done.stderr
    for line in ("site: '{site}/...'", "floor: 0.01", "plan: 3 clips in 1 blocks", "site ridge: 3 clips", "memory:"):
        assert line in done.stdout
    assert not (tmp_path / "out").exists()


def test_the_same_run_on_a_cluster_file(archive: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    job = write_job(tmp_path / "job.yaml", archive, tmp_path / "out", tiny_bundle)
    cluster = Path(__file__).parents[2] / "cluster/local.yaml"
    assert birddask("run", job, "--cluster", cluster, "--workers", "1").returncode == 0
