"""The oldest versions that pyproject.toml allows are enough.

Not every test: those of modules, of the verbs on a cluster, and the properties of what is stored and read with other
packages. Properties of arithmetic, and processes that are killed, say nothing of versions.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.release.conftest import BIN, ROOT, find_python, run
from tests.unit.test_project import PROJECT

OLDEST = PROJECT["requires-python"].removeprefix(">=")
PROPERTIES = ("coding", "detections", "ledger", "mels")
TESTS = (
    "tests/unit",
    *(f"tests/properties/test_{each}_properties.py" for each in PROPERTIES),
    "tests/cluster/test_verbs.py",
)
# They say nothing of the oldest versions: a wheel that is built, and what another dependency deprecated since.
WITHOUT = ("--ignore=tests/unit/test_project.py", "-W", "default::DeprecationWarning")


@pytest.mark.timeout(3600)
def test_the_oldest_versions_pass_the_tests(tmp_path: Path) -> None:
    programs = tmp_path / "env/bin"
    run(BIN / "uv", "venv", "--quiet", "--python", find_python(OLDEST), tmp_path / "env")
    whole = f"{ROOT}[{','.join(PROJECT['optional-dependencies'])}]"
    oldest = ("--resolution", "lowest-direct", "--editable", whole, "--group", f"{ROOT}/pyproject.toml:test")
    run(BIN / "uv", "pip", "install", "--quiet", *oldest, VIRTUAL_ENV=str(tmp_path / "env"))
    command = [programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *WITHOUT, *TESTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-10_000:]
