"""The pages on clusters that need no server: done as they say, each command with all of the work still to do."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.certificates import certificate
from tests.support.pages import User, blocks_of
from tests.support.processes import started, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # BirdNET, again and again, on a machine that may be busy

PAGES = Path(__file__).parents[2] / "docs/clusters"


@pytest.fixture
def fresh(user: User) -> User:
    """A user with an output of their own, which is still empty."""
    job = user.folder / "job.yaml"
    job.write_text(re.sub(r"^output: .+$", f"output: {user.folder / 'results'}", job.read_text(), flags=re.MULTILINE))
    return user


def follow_from_the_beginning(user: User, page: Path) -> None:
    """What a page says, without the results of what it said before."""
    for block in blocks_of(page):
        if block.is_run:
            shutil.rmtree(user.folder / "results", ignore_errors=True)
        user.do(block, page.name)


@pytest.mark.parametrize("kind", ["local", "none"])
def test_a_page_of_a_kind_does_what_it_says(kind: str, fresh: User) -> None:
    follow_from_the_beginning(fresh, PAGES / f"{kind}.md")
    assert list((fresh.folder / "results").glob("probabilities/*/*/*/block-*.parquet"))


def command_with(page: str, beginning: str) -> list[str]:
    """The command of a page that begins so; it goes on until it is stopped."""
    (found,) = (block.content for block in blocks_of(PAGES / page) if block.content.startswith(beginning))
    return [sys.executable, "-m", *found.split()]


def test_a_cluster_that_was_started_as_the_page_says_is_used(fresh: User, tmp_path: Path) -> None:
    here = ["env", "-C", str(fresh.folder)]
    ports = ["--port", "0", "--dashboard-address", "127.0.0.1:0", "--host", "127.0.0.1"]
    file = fresh.folder / "scheduler.json"
    scheduler = [*here, *command_with("existing.md", "dask scheduler"), *ports]
    workers = [*here, *command_with("existing.md", "dask worker"), "--no-dashboard"]
    with (
        started(scheduler, tmp_path / "scheduler.log", {}) as running,
        started(workers, tmp_path / "workers.log", {}),
    ):
        wait_until(lambda: running.said.count("Register worker") == 2 or running.ended, "two workers")
        assert json.loads(file.read_text())["address"] in running.said
        fresh.follow(PAGES / "existing.md")
        assert not running.ended


def test_a_detached_run_goes_on_and_can_be_watched_and_ends(fresh: User) -> None:
    (command,) = (b.content for b in blocks_of(PAGES / "index.md") if b.content == "birddask run job.yaml --detach\n")
    said = fresh.run(["sh", "-euc", command], "detach")
    process, log = re.findall(r"as process (\d+); what it says goes to (\S+)", said)[0]
    assert f"stop it gently with `kill {process}`" in said
    wait_until(lambda: "the results lie in" in Path(log).read_text(), "the end of the run")
    assert "complete: run of" in fresh.run(["sh", "-euc", "birddask status job.yaml --watch"], "watch")


def test_the_page_on_all_kinds_does_what_it_says(user: User) -> None:
    user.follow(PAGES / "index.md")
    assert certificate(user.folder).key == str(user.folder / "key.pem")
    assert (user.folder / "key.pem").stat().st_mode & 0o077 == 0
