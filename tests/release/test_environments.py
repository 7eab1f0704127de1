"""The wheel in fresh environments, as a user has them: what is installed runs, and what is not is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.release.conftest import BIN, ROOT, run

VERSION = "birddask 0.1.0\n"
HEARD = "species heard with a probability of 0.25 or more:\n  stream: Tennessee Warbler (Leiothlypis peregrina)"


def environment(python: Path, folder: Path, *requirements: str | Path) -> Path:
    """The programs of a new environment."""
    run(python, "-m", "venv", folder)
    run(folder / "bin/pip", "install", "--quiet", *requirements)
    run(folder / "bin/pip", "check")
    return folder / "bin"


@pytest.mark.timeout(1800)
def test_installed_by_pip_it_fetches_its_model_and_runs_the_demonstration(
    python: Path, wheel: Path, tmp_path: Path
) -> None:
    programs = environment(python, tmp_path / "env", f"{wheel}[birdnet]")
    assert run(programs / "birddask", "--version") == VERSION
    said = run(programs / "birddask", "demo", tmp_path / "demo", BIRDDASK_CACHE=str(tmp_path / "cache"))
    assert HEARD in said


@pytest.mark.timeout(1800)
def test_installed_by_pipx_it_runs_the_demonstration(python: Path, wheel: Path, tmp_path: Path) -> None:
    places = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin"), "PIPX_DEFAULT_BACKEND": "pip"}
    run(BIN / "pipx", "install", "--python", python, f"{wheel}[birdnet]", **places)
    assert run(tmp_path / "bin/birddask", "--version") == VERSION
    assert HEARD in run(tmp_path / "bin/birddask", "demo", tmp_path / "demo")


@pytest.mark.timeout(1800)
def test_installed_by_uv_without_pip_in_the_environment(wheel: Path, tmp_path: Path) -> None:
    places = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    run(BIN / "uv", "tool", "install", "--quiet", "--python", "3.11", f"birddask[birdnet] @ {wheel.as_uri()}", **places)
    assert HEARD in run(tmp_path / "bin/birddask", "demo", tmp_path / "demo")


@pytest.mark.timeout(1800)
def test_without_any_extra_each_is_named_where_it_is_needed(wheel: Path, tmp_path: Path) -> None:
    programs = environment(Path("python3"), tmp_path / "env", wheel, "pytest", "pytest-timeout")
    run(programs / "python", "-P", "-m", "pytest", "--quiet", "-c", "/dev/null", ROOT / "tests/faults/test_extras.py")


@pytest.mark.timeout(1800)
def test_the_commands_of_the_image_run(tmp_path: Path) -> None:
    """Each RUN line, but for the user that is made, with the folders of the image below another one."""
    text = (ROOT / "Dockerfile").read_text()
