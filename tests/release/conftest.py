"""The wheel and the sources, built as they would be uploaded, and the Pythons that are on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(*command: str | Path, **environment: str) -> str:
    """What a program prints; raise AssertionError with all of it unless it ends well."""
    done = subprocess.run(
        [str(each) for each in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs see what is installed, not sources that PYTHONPATH names."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archive of sources and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    (wheel,) = distributions.glob("*.whl")
    return wheel


@pytest.fixture(params=["3.11", "3.12", "3.13", "3.14"])
def python(request: pytest.FixtureRequest) -> str | Path:
    """An interpreter of each version that the project names."""
    return find_python(request.param)


def find_python(version: str) -> str | Path:
    """An interpreter: on the PATH, of pyenv, or named in BIRDDASK_PYTHONS; skips the test if there is none."""
    named = filter(None, os.environ.get("BIRDDASK_PYTHONS", "").split(os.pathsep))
    installed = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    look = "import sys, ensurepip; print(*sys.version_info[:2], sep='.')"
    for candidate in (*named, f"python{version}", *installed):
        try:
            done = subprocess.run([candidate, "-c", look], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        if done.stdout.strip() == version:
            return candidate
    pytest.skip(f"no Python {version} here: put it on the PATH or into BIRDDASK_PYTHONS")
