"""The page docs/models.md, done as it says by a user who has trained two networks and found a third one."""

from __future__ import annotations

from pathlib import Path

import pytest

from birddask.models.cache import CACHE_VARIABLE, models_folder
from tests.support.models import linear_network
from tests.support.pages import User
from tests.unit.test_splitting import whole_network

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # BirdNET, again and again, on a machine that may be busy

PAGE = Path(__file__).parents[2] / "docs/models.md"
LABELS = 21
SHAPE = (1, 128, 313)
"""Of the mels of the preset `efficientnet-5s`."""


def test_the_page_does_what_it_says(beginner: User, tmp_path: Path) -> None:
    cache = beginner.root / "cache"
    (cache / "models").mkdir(parents=True)
    (cache / "models/birdnet-v2.4").symlink_to(models_folder().child("birdnet-v2.4").url)
    for seed, name in enumerate(("warblers", "warblers-2")):
        (tmp_path / f"{name}.onnx").write_bytes(linear_network(LABELS, SHAPE, seed))
    (tmp_path / "whole.onnx").write_bytes(whole_network())
    (tmp_path / "labels.txt").write_text("".join(f"warbler {number}\n" for number in range(1, LABELS + 1)))
    User(beginner.root, tmp_path, variables={CACHE_VARIABLE: str(cache)}).follow(PAGE)
    assert {path.name for path in (tmp_path / "halves").iterdir()} == {"front_end.onnx", "model.onnx"}
