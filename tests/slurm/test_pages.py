"""The page docs/clusters/slurm.md, done as it says, on the nodes of this machine."""

from __future__ import annotations

from pathlib import Path

from tests.deaths.work import Work
from tests.support.pages import User
from tests.support.slurm import Slurm

PAGE = Path(__file__).parents[2] / "docs/clusters/slurm.md"


def test_the_page_does_what_it_says(nodes: Slurm, work: Work) -> None:
    # The nodes reach the driver on this machine's own address only.
    settings = {"kind: slurm\n": "kind: slurm\ndriver_host: 127.0.0.1\n"}
    User(work.folder, work.folder, settings, nodes.environment).follow(PAGE)
    work.require_done()
    assert not nodes.jobs()
