"""Each kind of server shows a file whole, in the place of another one or not, and nothing else."""

from __future__ import annotations

import uuid

import pytest

from birddask.errors import ConfigError
from birddask.storage import Folder, spooled
from tests.buckets.places import place_of


@pytest.fixture(params=["s3", "sftp", "smb"])
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return place_of(request.getfixturevalue(request.param), monkeypatch).below(uuid.uuid4().hex).folder


def keys(folder: Folder) -> list[str]:
    return list(folder.file_keys())


def test_a_published_file_takes_the_place_of_another(folder: Folder) -> None:
    for content in (b"first", b"", b"the last one"):
        folder.publish("a/x.bin", content)
        assert folder.read("a/x.bin") == content
    assert keys(folder) == ["a/x.bin"]


def test_a_new_file_does_not(folder: Folder) -> None:
    assert folder.publish_new("a/x.bin", b"ours")
    assert folder.publish_new("a/x.bin", b"ours")
    assert not folder.publish_new("a/x.bin", b"theirs")
    assert folder.read("a/x.bin") == b"ours"
    assert keys(folder) == ["a/x.bin"]


def test_a_file_that_is_written_bit_by_bit_takes_its_place_at_the_end_or_not_at_all(folder: Folder) -> None:
    def write(content: bytes, *, fail: bool) -> None:
        with spooled(folder, "a/x.bin") as stream:
            stream.write(content)
            if fail:
                raise ConfigError("a mistake")

    write(b"first", fail=False)
    write(b"second", fail=False)
    with pytest.raises(ConfigError, match="a mistake"):
        write(b"third", fail=True)
    assert folder.read("a/x.bin") == b"second"
    assert keys(folder) == ["a/x.bin"]
