"""What is released: the files of the package, what they say of themselves, and the image."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Of the working tree, what a build may see: nothing that an earlier build left.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "birddask")


def build(sources: Path, kind: str, folder: Path) -> Path:
    """Build a distribution with the setuptools of this environment."""
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(folder), str(sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(sources, "wheel", tmp_path_factory.mktemp("wheel"))


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "birddask").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"birddask/py.typed", "birddask/page/page.css", "birddask/presets/perch-v2.yaml"} <= package
    found = {name for name in members(wheel) if not name.startswith(f"birddask-{PROJECT['version']}.dist-info/")}
    assert found == package


def test_the_wheel_says_what_the_project_says(wheel: Path) -> None:
    files = members(wheel)
    information = f"birddask-{PROJECT['version']}.dist-info"
    metadata = files[f"{information}/METADATA"].decode()
    assert f"\nVersion: {PROJECT['version']}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert re.findall(r"^Provides-Extra: (.+)$", metadata, re.MULTILINE) == list(PROJECT["optional-dependencies"])
    assert metadata.endswith((ROOT / "README.md").read_text())
    assert files[f"{information}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert files[f"{information}/entry_points.txt"].decode() == "[console_scripts]\nbirddask = birddask.cli:main\n"


def test_the_sources_make_the_same_wheel(sources: Path, wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    shutil.unpack_archive(build(sources, "sdist", tmp_path / "archive"), tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    (tmp_path / "again").mkdir()
    assert members(build(unpacked, "wheel", tmp_path / "again")) == members(wheel)


def test_the_newest_change_and_the_citation_are_of_this_version() -> None:
    versions = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert versions[1] == (PROJECT["version"], str(citation["date-released"]))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    text = (ROOT / "docs/security.md").read_text()
    assert len(re.findall(r"`[^`]*::test_\w+`", text)) >= 20
    file = ""
    for named, name in re.findall(r"`(?:(tests/[\w/]+\.py)(?:::)?)?(test_\w+)?`", text):
        file = named or file
        if file and (named or name):
            assert f"\ndef {name}(" in (ROOT / file).read_text() if name else (ROOT / file).exists(), f"{file}::{name}"


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile and their arguments, in order."""
    text = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text())
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"]


def test_the_image_is_made_of_what_there_is() -> None:
    copied = [source for name, said in instructions() if name == "COPY" for source in said.split()[:-1]]
    assert sorted(copied) == sorted(SOURCES)
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(sent) == sorted(SOURCES)
    asked = re.findall(r"EXTRAS=([a-z,]+)", (ROOT / "Dockerfile").read_text())
    assert {extra for each in asked for extra in each.split(",")} <= set(PROJECT["optional-dependencies"])


def test_the_image_holds_no_weights_unless_asked_and_nobody_is_root_in_it() -> None:
    said = instructions()
    assert ("ARG", "MODEL=") in said
    assert said.index(("USER", "1000")) < said.index(("ARG", "MODEL="))
    assert [user for name, user in said if name == "USER"] == ["1000"]
    assert "ENTRYPOINT" not in dict(said)


def test_the_image_has_a_python_that_the_project_names() -> None:
    (base,) = [said for name, said in instructions() if name == "FROM"]
    found = re.fullmatch(r"python:(3\.\d+)-slim", base)
    assert found
    assert f"Programming Language :: Python :: {found[1]}" in PROJECT["classifiers"]
