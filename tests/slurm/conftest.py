from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deaths.conftest import archive, scanned, undisturbed, work
from tests.support.slurm import Slurm, slurm

__all__ = ["archive", "scanned", "undisturbed", "work"]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def nodes(running: Slurm) -> Iterator[Slurm]:
    """A SLURM without jobs, shared by the tests."""
    yield running
    running.end_all_jobs()
