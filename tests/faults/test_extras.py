"""Whoever lacks an extra is told its name, whatever they use it for."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.support.without import NEEDS, Need, said_without

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("extra", "need"),
    [
        pytest.param(extra, need, id=f"{extra}-{need.packages[0]}-{' '.join(need.arguments[:2])}")
        for extra, needs in NEEDS.items()
        for need in needs
    ],
)
def test_what_needs_an_extra_names_it(extra: str, need: Need, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRDDASK_CACHE", str(tmp_path / "cache"))
    done = said_without(need, tmp_path)
    assert f"pip install 'birddask[{extra}]'" in done.stderr
    if not need.lines:
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr


def test_no_extra_is_forgotten() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*NEEDS, "dashboard"} == set(extras)
