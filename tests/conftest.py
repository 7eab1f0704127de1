from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from birddask.clusters import LocalSpec, connect
from birddask.engine import Control
from birddask.models.cache import cached_models, models_folder
from birddask.models.library import get_model
from birddask.storage import Folder
from tests.support.models import TINY, write_tiny_bundle

SHARED = Path(os.environ.get("BIRDDASK_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real recordings and faults that are not part of this repository."""
    if not (SHARED / "recordings").is_dir():
        pytest.skip(f"the shared recordings are not in {SHARED}; BIRDDASK_SHARED names another place")
    return SHARED / "recordings"


@pytest.fixture(scope="session")
def birdnet() -> Folder:
    """The bundle of BirdNET v2.4, fetched once into the user's cache."""
    if "birdnet-v2.4" not in cached_models():
        get_model("birdnet-v2.4", None)
    return models_folder().child("birdnet-v2.4")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of five labels that eats librosa's mels of one-second clips at 8 kHz."""
    folder = tmp_path_factory.mktemp("models") / TINY
    write_tiny_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def no_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster file for ``birddask_here``: the tests' own process computes."""
    file = tmp_path_factory.mktemp("clusters") / "none.yaml"
    file.write_text("kind: none\n")
    return file


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """Two worker processes shared by the tests that need a cluster but do not harm it."""
    with connect(LocalSpec("local", workers=2), None) as client:
        yield client


@pytest.fixture
def control(client: Client) -> Control:
    return Control(lambda: client)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults that never pass are given up soon in this process; other processes have the usual patience."""
    monkeypatch.setattr("birddask.storage.folder._PATIENCE_S", 0.5)
    monkeypatch.setattr("birddask.storage.folder._IMPATIENT_S", 0.5)
