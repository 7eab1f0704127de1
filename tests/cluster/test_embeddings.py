"""Embeddings of a job: in the same pass, later, and after recordings changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from birddask.engine import Control
from birddask.errors import ConfigError
from birddask.job import Job
from birddask.scanning.scan import scan
from birddask.verbs.blocks import build_mels, classify, run
from birddask.verbs.prepared import prepare
from birddask.verbs.status import intend, status
from tests.support.models import TINY_LABELS, TINY_RATE, linear_network, tiny_card, write_unsealed_bundle
from tests.support.program import birddask_here, tables
from tests.support.sounds import noise, write_wav


@pytest.fixture
def job(tmp_path: Path, tiny_bundle: Path) -> Job:
    for number in range(4):
        name = f"site{number % 2}/20250501_04000{number}.wav"
        write_wav(tmp_path / "archive" / name, noise(5, TINY_RATE, seed=number), TINY_RATE)
    return Job(str(tmp_path / "archive"), str(tmp_path / "out"), str(tiny_bundle), embeddings="float16")


def parts(job: Job, kind: str) -> dict[str, str]:
    return {name: digest for name, digest in tables(Path(job.output)).items() if name.startswith(f"{kind}/")}


def test_a_run_writes_what_mels_and_classify_write(job: Job, control: Control) -> None:
    assert run(prepare(job), control).complete
    in_turn = replace(job, output=f"{job.output}-in-turn")
    scan(in_turn, control)
    build_mels(prepare(in_turn), control)
    assert classify(prepare(in_turn), control).complete
    assert tables(Path(in_turn.output)) == tables(Path(job.output))
    assert {name.split("/", 2)[2] for name in parts(job, "embeddings")} == {
        name.split("/", 2)[2] for name in parts(job, "probabilities")
    }
    found = duckdb.read_parquet(f"{job.output}/embeddings/*/*/*/*.parquet", hive_partitioning=True)
    assert found.aggregate("count(*), min(len(embedding)), max(site)").fetchall() == [(20, 16, "site1")]


def test_embeddings_that_are_asked_for_later_are_made_from_the_mels(job: Job, control: Control) -> None:
    without = replace(job, embeddings=None)
    assert run(prepare(without), control).complete
    probabilities = parts(job, "probabilities")
    assert parts(job, "embeddings") == {}

    asked = prepare(job)
    assert status(asked).scores.clips_pending == 20
    assert intend(asked, control).blocks_pending == 2
    Path(job.archive).rename(f"{job.archive}-away")
    ended = classify(asked, control)
    assert (ended.complete, ended.blocks) == (True, 2)
    assert parts(job, "probabilities") == probabilities
    embeddings = parts(job, "embeddings")
    assert len(embeddings) == 2
    assert classify(asked, control).blocks == 0

    # Who does not ask for them any more leaves them alone, and another type is another set.
    assert classify(prepare(without), control).blocks == 0
    assert classify(prepare(replace(job, embeddings="float32")), control).blocks == 2
    assert len(parts(job, "embeddings")) == 4
    assert embeddings.items() <= parts(job, "embeddings").items()


def test_embeddings_of_a_recording_that_changed_are_withdrawn(job: Job, control: Control) -> None:
    run(prepare(job), control)
    changed = Path(job.archive, "site0/20250501_040000.wav")
    write_wav(changed, noise(6, TINY_RATE, seed=9), TINY_RATE)
    without = prepare(replace(job, embeddings=None))
    assert run(without, control, refreshed=True).complete
    assert all("site=site1" in name for name in parts(job, "embeddings"))
    assert run(prepare(job), control).complete
    for kind in ("probabilities", "embeddings"):
        found = duckdb.read_parquet(f"{job.output}/{kind}/*/*/*/*.parquet")
        assert found.aggregate("count(DISTINCT clip), count(*)").fetchall() == [(21, 21)]


def test_a_model_without_embeddings_is_told_before_anything_is_written(job: Job, tmp_path: Path) -> None:
    card = tiny_card("mute")
    write_unsealed_bundle(tmp_path / "mute", card, TINY_LABELS, linear_network(5, card.mels.shape))
    assert birddask_here("models", "check", "--seal", tmp_path / "mute").returncode == 0
    with pytest.raises(ConfigError, match="the model mute gives no embeddings: its card names no output for them"):
        prepare(replace(job, model=str(tmp_path / "mute")))
