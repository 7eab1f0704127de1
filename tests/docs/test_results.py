"""The page docs/results.md, done as it says from where the page for beginners ends, in the same folder."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.support.pages import User, blocks_of
from tests.support.reviewed import opener_with_cookie, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # BirdNET, again and again, on a machine that may be busy

PAGE = Path(__file__).parents[2] / "docs/results.md"


@pytest.fixture
def reader(beginner: User, tmp_path: Path) -> User:
    """The beginner, with a copy of all that there is."""
    root = tmp_path / "user"
    shutil.copytree(beginner.root, root, symlinks=True)
    job = root / "home/me/job.yaml"
    job.write_text(beginner.folder.joinpath("job.yaml").read_text().replace(str(beginner.root), str(root)))
    return User(root, root / "home/me")


def say_yes_to_all(job: Path) -> int:
    """Answer all that a review asks; how many that was."""
    with served(job) as page:
        browser = opener_with_cookie(page)
        with browser.open(f"{page.base}state") as reply:
            items = json.load(reply)["items"]
        for number in range(len(items)):
            url, headers = f"{page.base}items/{number}/answer", {"Origin": page.base.rstrip("/")}
            request = urllib.request.Request(url, b'{"verdict": "yes"}', headers)  # noqa: S310 - of this machine
            with browser.open(request) as reply:
                assert reply.status == 200
    return len(items)


def test_the_page_does_what_it_says(reader: User) -> None:
    for block in blocks_of(PAGE):
        if block.content == "birddask review job.yaml\n":
            assert say_yes_to_all(reader.folder / "job.yaml") == 13
        reader.do(block, PAGE.name)
