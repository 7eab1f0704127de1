"""The files that users start from are read by the code that will read theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from birddask.job import Job, read_job_file
from birddask.models.bundle import read_card
from birddask.models.library import check_bundle, seal_bundle
from birddask.storage import Folder
from tests.support.models import linear_network

ROOT = Path(__file__).parents[2]


def test_the_example_job_holds_every_default() -> None:
    assert read_job_file(ROOT / "configs/job.yaml") == Job("/data/cards", "/data/results", "birdnet-v2.4")


def test_a_users_classifier_becomes_a_bundle_with_the_example_card(tmp_path: Path) -> None:
    card = ROOT / "configs/efficientnet-5s/model.yaml"
    (tmp_path / "model.yaml").write_bytes(card.read_bytes())
    shape = read_card(Folder(str(tmp_path))).mels.shape
    assert shape == (1, 128, 313)
    (tmp_path / "model.onnx").write_bytes(linear_network(21, shape))
    (tmp_path / "labels.txt").write_text("".join(f"species {number}\n" for number in range(21)))

    seal_bundle(Folder(str(tmp_path)))

    assert check_bundle(Folder(str(tmp_path))).name == "efficientnet-5s"
    known = np.load(tmp_path / "known_answer.npz")
    np.testing.assert_allclose(known["probabilities"].sum(), 1, rtol=1e-6)
    assert (tmp_path / "model.yaml").read_text().startswith(card.read_text().rstrip())
