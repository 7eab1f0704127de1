from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from birddask.commands.demo import lay_out_cards
from birddask.storage import Folder
from tests.support.pages import User

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def beginner(tmp_path_factory: pytest.TempPathFactory, birdnet: Folder) -> User:
    """Somebody who has done what the page for beginners says, with two small cards as an archive."""
    root = tmp_path_factory.mktemp("user")
    home = root / "home/me"
    home.mkdir(parents=True)
    lay_out_cards(Folder(str(root / "media/cards")), None)
    user = User(root, home)
    user.follow(ROOT / "docs/start.md")
    return user


@pytest.fixture
def user(beginner: User, tmp_path: Path) -> User:
    """The beginner, in a new folder with the demonstration and a job file."""
    shutil.copy(beginner.folder / "job.yaml", tmp_path)
    (tmp_path / "birddask-demo").symlink_to(beginner.folder / "birddask-demo")
    return User(beginner.root, tmp_path)
