"""Which models share a store of mels, and which are kept away from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from birddask import Job, prepare, run
from birddask.engine import Control
from birddask.errors import ConfigError
from birddask.mels.spec import MelSpec
from birddask.models.before import StandardiseClip
from birddask.models.card import ModelCard
from birddask.models.library import seal_bundle
from birddask.storage import Folder
from birddask.verbs.blocks import classify
from tests.support.models import (
    TINY_LABELS,
    TINY_RATE,
    linear_network,
    tiny_card,
    write_tiny_bundle,
    write_unsealed_bundle,
)
from tests.support.sounds import noise, write_wav


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    write_wav(folder / "20240531_050000.wav", noise(7.3, TINY_RATE, 1), TINY_RATE)
    return folder


@pytest.fixture
def job(archive: Path, tiny_bundle: Path, tmp_path: Path) -> Job:
    return Job(str(archive), str(tmp_path / "out"), str(tiny_bundle))


def stores(job: Job) -> set[str]:
    return {path.name for path in (Path(job.output) / "mels").iterdir()}


def shards(job: Job) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path(job.output).glob("mels/*/mels.zarr/mel/c/**/*")}


def bundle_with(folder: Path, card: ModelCard) -> str:
    network = linear_network(len(TINY_LABELS), card.mels.shape, seed=1)
    write_unsealed_bundle(folder, card, TINY_LABELS, network)
    seal_bundle(Folder(str(folder)))
    return str(folder)


def other_mels(spec: MelSpec) -> MelSpec:
    """Mels of another model family: one more decibel apart."""
    channel = spec.channels[0]
    return replace(spec, channels=(replace(channel, scale=replace(channel.scale, top_db=81.0)),))  # type: ignore[type-var]


def test_two_overlaps_are_two_stores(job: Job, control: Control) -> None:
    assert run(prepare(job), control).complete
    (first,) = stores(job)
    assert run(prepare(replace(job, overlap_s=0.5)), control).complete
    assert len(stores(job)) == 2
    assert first in stores(job)


def test_models_of_one_family_share_a_store(job: Job, control: Control, tmp_path: Path) -> None:
    """Another network, and another way to scale what is read, need no other mels."""
    assert run(prepare(job), control).complete
    made = shards(job)
    write_tiny_bundle(tmp_path / "sibling", seed=1)
    card = tiny_card("scaled")
    steps = (StandardiseClip("standardise_clip", "sample", 1e-6),)
    scaled = bundle_with(tmp_path / "scaled", replace(card, input=replace(card.input, before=steps)))
    for bundle in (str(tmp_path / "sibling"), scaled):
        assert classify(prepare(replace(job, model=bundle)), control).complete
    assert shards(job) == made
    assert len(stores(job)) == 1
    assert len({path.name for path in (Path(job.output) / "probabilities").iterdir()}) == 3


def test_a_model_of_other_mels_is_refused_with_the_fields_that_differ(
    job: Job, control: Control, tmp_path: Path
) -> None:
    assert run(prepare(job), control).complete
    card = tiny_card("stranger")
    stranger = bundle_with(tmp_path / "stranger", replace(card, mels=other_mels(card.mels)))
    with pytest.raises(ConfigError, match=r"other mels than the model eats(.|\n)*scale\.top_db: 81\.0, not 80\.0"):
        classify(prepare(replace(job, model=stranger)), control)


def test_a_store_in_the_place_of_another_is_found_out(job: Job, control: Control, tmp_path: Path) -> None:
    assert run(prepare(job), control).complete
    card = tiny_card("stranger")
    card = replace(card, mels=other_mels(card.mels))
    stranger = bundle_with(tmp_path / "stranger", card)
    (store,) = (Path(job.output) / "mels").iterdir()
    store.rename(store.with_name(card.mels.store_name))
    with pytest.raises(ConfigError, match=r"other mels than the model eats(.|\n)*scale\.top_db: 81\.0, not 80\.0"):
        classify(prepare(replace(job, model=stranger)), control)
