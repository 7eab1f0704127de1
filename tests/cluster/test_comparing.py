"""Two models on the same mels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from birddask.engine import Control
from birddask.errors import ConfigError
from birddask.job import Job
from birddask.scanning.scan import scan
from birddask.table.clip_table import ClipRow
from birddask.verbs.blocks import build_mels
from birddask.verbs.comparing import HEARD, Scored, compare_models, compare_scores
from birddask.verbs.prepared import prepare
from tests.support.models import (
    TINY_LABELS,
    TINY_RATE,
    linear_network,
    tiny_card,
    tiny_spec,
    write_tiny_bundle,
    write_unsealed_bundle,
)
from tests.support.program import birddask_here, write_job
from tests.support.sounds import noise, write_wav


def rows(clips: int) -> list[ClipRow]:
    return [ClipRow(number, f"{number}.wav", "s", None, 0, None, "ok") for number in range(clips)]


def test_scores_are_compared_by_the_labels_that_both_have() -> None:
    generator = np.random.default_rng(0)
    ours = generator.uniform(0, 1, (40, 4)).astype(np.float32)
    theirs = generator.uniform(0, 1, (40, 3)).astype(np.float32)
    found = compare_scores(
        rows(40), Scored(("owl", "wren", "frog", "rain"), ours), Scored(("rain", "robin", "wren"), theirs)
    )
    assert (found.clips, found.labels, found.only_first, found.only_second) == (40, 2, 2, 1)
    assert found.same_top == sum((a[1] < a[3]) == (b[2] < b[0]) for a, b in zip(ours, theirs, strict=True))
    expected = {"wren": (ours[:, 1], theirs[:, 2]), "rain": (ours[:, 3], theirs[:, 0])}
    assert found.rank_correlations == {
        label: pytest.approx(np.corrcoef(scipy.stats.rankdata(a), scipy.stats.rankdata(b))[0, 1])
        for label, (a, b) in expected.items()
    }
    off = {(clip, label): abs(a[clip] - b[clip]) for label, (a, b) in expected.items() for clip in range(40)}
    worst = max(off, key=lambda key: off[key])
    first = found.differences[0]
    assert (first.recording, first.label, abs(first.first - first.second)) == (
        f"{worst[0]}.wav",
        worst[1],
        pytest.approx(off[worst]),
    )
    assert len({each.recording for each in found.differences}) == len(found.differences) == 10


def test_what_neither_hears_is_left_out_of_ranks() -> None:
    quiet = np.full((3, 2), 0.01, np.float32)
    quiet[1, 0] = HEARD
    found = compare_scores(rows(3), Scored(("owl", "wren"), quiet), Scored(("owl", "wren"), quiet))
    assert (found.same_top, found.heard, found.same_top_heard) == (3, 1, 1)
    assert found.rank_correlations == {"owl": pytest.approx(1)}
    assert found.differences == ()


@pytest.fixture
def job(tmp_path: Path, tiny_bundle: Path, control: Control) -> Job:
    for number in range(3):
        write_wav(tmp_path / f"archive/{number}/a.wav", noise(40, TINY_RATE, seed=number), TINY_RATE)
    job = Job(str(tmp_path / "archive"), str(tmp_path / "out"), str(tiny_bundle), block_mib=0.1)
    scan(job, control)
    build_mels(prepare(job), control)
    return job


def test_clips_are_taken_evenly_from_the_store(job: Job, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "other", seed=1)
    found = compare_models(job, job.model, str(tmp_path / "other"), 30)
    assert (found.clips, found.labels) == (30, 5)
    assert {each.recording for each in found.differences} <= {"0/a.wav", "1/a.wav", "2/a.wav"}
    everything = compare_models(job, job.model, str(tmp_path / "other"), 1000)
    assert everything.clips == 120
    first = everything.differences[0]
    mels = Path(job.output, "mels")
    assert mels.exists()
    assert compare_models(job, job.model, job.model, 1000).differences == ()
    assert abs(first.first - first.second) > 0.1


def test_models_that_can_not_be_compared(job: Job, tmp_path: Path) -> None:
    card = tiny_card("foreign")
    write_unsealed_bundle(tmp_path / "foreign", card, ("a", "b"), linear_network(2, card.mels.shape))
    other = replace(tiny_card("coarse"), mels=replace(tiny_spec(), waveform="min_max_symmetric"))
    write_unsealed_bundle(tmp_path / "coarse", other, TINY_LABELS, linear_network(5, other.mels.shape))
    for name in ("foreign", "coarse"):
        assert birddask_here("models", "check", "--seal", tmp_path / name).returncode == 0
    with pytest.raises(ConfigError, match="have no label in common: 'wren' and 'a' are their first"):
        compare_models(job, job.model, str(tmp_path / "foreign"), 10)
    with pytest.raises(ConfigError, match="waveform: 'min_max_symmetric', not 'as_is'"):
        compare_models(job, job.model, str(tmp_path / "coarse"), 10)


def test_the_command_names_the_clips(job: Job, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "other", seed=1)
    file = write_job(tmp_path / "job.yaml", job.archive, job.output, job.model, block_mib=0.1)
    done = birddask_here("models", "compare", job.model, tmp_path / "other", "--on", file, "--clips", "50")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "50 clips, 5 labels in common; 0 only of the first model, 0 only of the second"
    assert lines[1].startswith("likeliest label the same: ")
    assert "/a.wav at " in lines[-1]
    same = birddask_here("models", "compare", job.model, job.model, "--on", file)
    assert same.stdout.splitlines()[-1] == "all probabilities are the same"
