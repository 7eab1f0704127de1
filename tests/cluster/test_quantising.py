"""A model in 8-bit integers: written where its scores stay, refused with figures where they don't."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from birddask.access import open_probabilities
from birddask.commands.models import quantise_model
from birddask.engine import Control
from birddask.errors import ConfigError
from birddask.job import Job
from birddask.models.bundle import read_bundle, read_card, read_location_network
from birddask.models.library import seal_bundle
from birddask.models.quantising import KINDS
from birddask.models.session import start_classifier
from birddask.scanning.scan import scan
from birddask.storage import Folder
from birddask.verbs.blocks import build_mels
from birddask.verbs.comparing import compare_models
from birddask.verbs.prepared import prepare
from birddask.verbs.quantising import quantise, read_material
from tests.support.models import (
    TINY_LABELS,
    TINY_RATE,
    convolutional_network,
    location_network,
    tiny_card,
    write_unsealed_bundle,
)
from tests.support.program import birddask_here, write_job
from tests.support.sounds import noise, write_wav


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "conv"
    card = tiny_card("conv")
    write_unsealed_bundle(folder, card, TINY_LABELS, convolutional_network(len(TINY_LABELS), card.mels.shape))
    (folder / "location.onnx").write_bytes(location_network(len(TINY_LABELS)))
    seal_bundle(Folder(str(folder)))
    return folder


@pytest.fixture
def job_file(tmp_path: Path, model: Path) -> Path:
    return write_job(tmp_path / "job.yaml", tmp_path / "archive", tmp_path / "out", model, block_mib=0.1, dtype="uint8")


def make_mels(job: Job, control: Control, recordings: int) -> None:
    for number in range(recordings):
        write_wav(Path(job.archive) / f"{number}/a.wav", noise(20, TINY_RATE, seed=number), TINY_RATE)
    scan(job, control)
    build_mels(prepare(job), control)


@pytest.fixture
def job(tmp_path: Path, model: Path, control: Control) -> Job:
    job = Job(str(tmp_path / "archive"), str(tmp_path / "out"), str(model), block_mib=0.1, dtype="uint8")
    make_mels(job, control, 4)
    return job


def test_a_model_whose_scores_stay_is_written_and_runs(
    job: Job, job_file: Path, model: Path, no_workers: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    done = birddask_here("models", "quantise", model, "--on", job_file, "--to", small)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("all layers: scores of 40 held-out clips and of the known clip change by up to 0.0")
    assert f"written to {small}" in done.stdout

    ours, theirs = read_bundle(Folder(str(model))), read_bundle(Folder(str(small)))
    assert theirs.card.name == "conv-int8"
    assert theirs.card.fingerprint != ours.card.fingerprint
    assert theirs.card.mels == ours.card.mels
    assert ours.card.fingerprint in theirs.card.source
    kept = {initializer.data_type for initializer in onnx.load_from_string(theirs.network).graph.initializer}
    assert onnx.TensorProto.INT8 in kept
    assert read_location_network(Folder(str(small))) == read_location_network(Folder(str(model)))

    differences = compare_models(job, str(model), str(small), 1000).differences
    assert 0 < abs(differences[0].first - differences[0].second) <= 0.05
    assert birddask_here("classify", job_file, "--model", small, "--cluster", no_workers).returncode == 0
    assert open_probabilities(job.output).count_rows() == 80


def test_a_bound_that_no_way_keeps_writes_nothing(job: Job, job_file: Path, model: Path, tmp_path: Path) -> None:
    done = birddask_here("models", "quantise", model, "--on", job_file, "--to", tmp_path / "small", "--bound", "1e-7")
    assert done.returncode == 2
    ways = [line.partition(":")[0] for line in done.stdout.splitlines() if "held-out" in line]
    assert ways == ["all layers", "convolutions and dense layers", "dense layers"]
    assert "conv loses too much in 8-bit integers: no way above keeps scores within 1e-07" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "small").exists() or not list((tmp_path / "small").iterdir())


def test_what_was_printed_is_what_it_does(
    job: Job, job_file: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantise_model(str(model), str(job_file), str(tmp_path / "small"), 0.05)
    printed = float(capsys.readouterr().out.split("change by up to ")[1].split(",")[0])
    bundle, material = read_material(job, str(model))
    assert {row.recording for row in material.rows} == {"1/a.wav", "3/a.wav"}
    assert (len(material.calibrating), len(material.held_out)) == (40, 40)
    clips = np.concatenate([material.held_out, bundle.known_answer.mels[np.newaxis]])
    old, new = (start_classifier(read_bundle(Folder(str(place)))) for place in (model, tmp_path / "small"))
    assert printed == pytest.approx(np.abs(old.probabilities(clips) - new.probabilities(clips)).max(), abs=5.1e-4)


def test_the_first_way_within_the_bound_is_taken(job: Job, job_file: Path, model: Path, tmp_path: Path) -> None:
    bundle, material = read_material(job, str(model))
    off = [quantise(bundle, kind, material).off for kind in KINDS]
    quantise_model(str(model), str(job_file), str(tmp_path / "small"), min(off))
    title = read_card(Folder(str(tmp_path / "small"))).title
    assert title == f"{bundle.card.title}, {KINDS[off.index(min(off))].title} in 8-bit integers"


@pytest.mark.parametrize("bound", ["-0.1", "1.5", "nan", "much"])
def test_a_bound_that_is_none_is_refused(bound: str, model: Path, job_file: Path, tmp_path: Path) -> None:
    done = birddask_here("models", "quantise", model, "--on", job_file, "--to", tmp_path / "small", "--bound", bound)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_place_that_holds_a_bundle_is_left_alone(model: Path, job_file: Path) -> None:
    with pytest.raises(ConfigError, match="is a model bundle already; choose another --to, or delete it"):
        quantise_model(str(model), str(job_file), str(model), 0.05)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"model": "no-such-model"}, "there is no model named 'no-such-model'"),
        ({"model": "/no/such/bundle"}, "there is no model bundle in /no/such/bundle"),
        ({"job_file": "/no/job.yaml"}, "/no/job.yaml"),
        ({"place": "/proc/quantised"}, "/proc/quantised"),
        ({"place": "nowhere://bucket/quantised"}, "nowhere"),
    ],
)
def test_what_is_not_there_is_named(
    what: dict[str, str], message: str, model: Path, job_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "archive").mkdir()
    given = {"model": str(model), "job_file": str(job_file), "place": str(tmp_path / "small"), **what}
    with pytest.raises(ConfigError, match=re.escape(message)):
        quantise_model(given["model"], given["job_file"], given["place"], 0.05)


def test_without_mels_there_is_nothing_to_calibrate_on(model: Path, job_file: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    with pytest.raises(ConfigError, match=r"there are no mels in .*/out yet"):
        quantise_model(str(model), str(job_file), str(tmp_path / "small"), 0.05)


def test_one_recording_is_too_little(model: Path, control: Control, tmp_path: Path) -> None:
    job = Job(str(tmp_path / "archive"), str(tmp_path / "out"), str(model), block_mib=0.1)
    make_mels(job, control, 1)
    with pytest.raises(ConfigError, match=r"there are mels of 1 recordings in .*; two are needed at least"):
        read_material(job, str(model))


def test_a_model_of_other_mels_is_refused(job: Job, tmp_path: Path) -> None:
    card = replace(tiny_card("other"), mels=replace(tiny_card().mels, waveform="min_max"))
    write_unsealed_bundle(tmp_path / "other", card, TINY_LABELS, convolutional_network(5, card.mels.shape))
    seal_bundle(Folder(str(tmp_path / "other")))
    with pytest.raises(ConfigError, match="waveform: 'min_max', not 'as_is'"):
        read_material(job, str(tmp_path / "other"))


def test_without_onnx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"quantising a network needs onnx: pip install 'birddask\[birdnet\]'"):
        quantise_model("model", "job.yaml", str(tmp_path), 0.05)
