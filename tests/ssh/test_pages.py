"""The page docs/clusters/ssh.md, done as it says, on hosts with other names."""

from __future__ import annotations

from pathlib import Path

from tests.deaths.work import Work
from tests.support.pages import User
from tests.support.ssh import SshHosts

PAGE = Path(__file__).parents[2] / "docs/clusters/ssh.md"


def test_the_page_does_what_it_says(hosts: SshHosts, work: Work) -> None:
    names = {"[wren, robin, owl]": f"[{', '.join(hosts.names)}]"}
    User(work.folder, work.folder, names, {"HOME": str(hosts.home)}).follow(PAGE)
    work.require_done()
