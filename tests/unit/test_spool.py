from __future__ import annotations

from pathlib import Path

import pytest

from birddask.errors import ConfigError, StorageError
from birddask.storage import Folder, spooled


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path)) if request.param == "disk" else Folder(f"memory://{tmp_path}")


def test_a_file_appears_when_all_of_it_is_written(folder: Folder) -> None:
    with spooled(folder, "a/b.csv") as stream:
        stream.write(b"one")
        stream.write(b"two")
        assert not folder.exists("a/b.csv")
    assert folder.read("a/b.csv") == b"onetwo"
    with spooled(folder, "a/b.csv") as stream:
        stream.write(b"three")
    assert folder.read("a/b.csv") == b"three"
    assert [file.key for file in folder.files()] == ["a/b.csv"]


def test_a_file_of_which_something_went_wrong_never_appears(folder: Folder) -> None:
    folder.publish("b.csv", b"old")

    def fail() -> None:
        with spooled(folder, "b.csv") as stream:
            stream.write(b"half of the ne")
            raise ConfigError("a mistake")

    with pytest.raises(ConfigError, match="a mistake"):
        fail()
    assert folder.read("b.csv") == b"old"
    assert [file.key for file in folder.files()] == ["b.csv"]


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("")
    with (
        pytest.raises(StorageError, match=r"notes/b\.csv can't be written"),
        spooled(Folder(str(tmp_path)), "notes/b.csv"),
    ):
        pass
