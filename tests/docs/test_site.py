"""The documentation is built without a warning, and nothing in it leads nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.site import broken_addresses

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built documentation."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-d", str(folder / "seen")]
    built = subprocess.run(
        [*command, str(ROOT / "docs"), str(folder / "html")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_every_local_address_leads_somewhere(site: Path) -> None:
    assert broken_addresses(site) == []


def test_an_address_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<p id="x"><a href="b.html#y"></a><a href="#x"></a><img src="c.svg"></p>')
    (tmp_path / "b.html").write_text('<a href="a.html#x"></a><a href="https://example.org/gone"></a>')
    assert broken_addresses(tmp_path) == ["a.html: b.html#y", "a.html: c.svg"]
