from __future__ import annotations

import contextlib
import errno
import os
import pickle
import resource
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from birddask.errors import ConfigError, StorageError, TransientStorageError
from birddask.storage import Folder, absolute_url, to_options


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "place")) if request.param == "local" else Folder(f"memory://{uuid.uuid4().hex}")


def keys(folder: Folder, below: str = "") -> list[str]:
    found = [file.key for file in folder.files(below)]
    assert list(folder.file_keys(below)) == found
    return found


@pytest.mark.parametrize("key", ["a", "deep/er/b.bin", "Bär & co/[1] 50%#?.wav"])
def test_what_is_published_is_read_listed_and_removed(folder: Folder, key: str) -> None:
    assert not folder.exists(key)
    for content in (b"first", b"", b"the second is longer"):
        folder.publish(key, content)
        assert folder.read(key) == content
        assert [(file.key, file.size_bytes) for file in folder.files()] == [(key, len(content))]
    assert folder.exists(key)
    folder.remove(key)
    assert not folder.exists(key)
    assert keys(folder) == []


@pytest.mark.parametrize(
    ("start", "end"), [(0, 0), (0, 4), (3, 10), (3, 99), (5, 5), (7, 3), (10, 10), (10, 12), (50, 60)]
)
def test_a_range_ends_where_the_file_ends(folder: Folder, start: int, end: int) -> None:
    content = b"0123456789"
    folder.publish("x", content)
    assert folder.read_range("x", start, end) == content[start:end]


def test_every_file_is_listed_once_in_the_order_of_its_key(folder: Folder) -> None:
    written = ["z", "a/b/c/d", "a/b.txt", "a-b/x", "a/b c", "B", "10/x", "9/x"]
    for key in written:
        folder.publish(key, key.encode())
    assert [(file.key, file.size_bytes) for file in folder.files()] == [(key, len(key)) for key in sorted(written)]


def test_a_subfolder_is_listed_with_keys_from_the_top_and_without_its_namesakes(folder: Folder) -> None:
    for key in ("site1/x", "site1/deep/y", "site10/x", "site1.txt"):
        folder.publish(key, b"")
    assert keys(folder, "site1") == ["site1/deep/y", "site1/x"]
    assert keys(folder.child("site1", "deep")) == ["y"]


def test_folders_are_named_without_what_is_in_them(folder: Folder) -> None:
    for key in ("mels/b/clips/x", "mels/b/y", "mels/a a/x", "mels/file", "runs/x"):
        folder.publish(key, b"")
    assert folder.folders("mels") == ["a a", "b"]
    assert folder.folders() == ["mels", "runs"]
    assert folder.folders("nowhere") == []


def test_a_missing_folder_has_no_files(folder: Folder) -> None:
    assert keys(folder) == []
    folder.publish("x", b"")
    assert keys(folder, "nowhere") == []
    assert not folder.child("nowhere").exists()


def test_a_missing_file_is_told_apart_from_a_fault(folder: Folder) -> None:
    folder.publish("x", b"")
    with pytest.raises(FileNotFoundError):
        folder.read("y")
    for end in (0, 10):
        with pytest.raises(FileNotFoundError):
            folder.read_range("y", 0, end)
    folder.remove("y")


def test_a_place_that_can_be_used_passes_both_checks_and_is_left_as_it_was(folder: Folder) -> None:
    folder.publish("x", b"1")
    folder.require_readable("archive")
    folder.require_writable("output")
    assert keys(folder) == ["x"]


def test_a_folder_travels_as_its_url(folder: Folder) -> None:
    folder.publish("x", b"1")
    travelled = pickle.loads(pickle.dumps(folder))  # noqa: S301
    assert travelled == folder
    assert travelled.read("x") == b"1"


def test_a_failing_write_keeps_the_old_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.publish("x", b"old")
    with largest_file(4096), pytest.raises(StorageError, match="x"):
        folder.publish("x", bytes(100_000))
    assert folder.read("x") == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_name_may_be_as_long_as_a_filesystem_allows(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    for name in ("n" * 255, "ü" * 127):
        folder.publish(name, b"1")
        assert not folder.publish_new(name, b"2")
        assert folder.read(name) == b"1"


def test_a_new_file_does_not_take_the_place_of_one_that_could_not_be_looked_at(store: type[Store]) -> None:
    folder = Folder("store://place")
    folder.publish("x", b"theirs")
    store.passing = [ConnectionResetError("once")]
    assert not folder.publish_new("x", b"ours")
    assert folder.read("x") == b"theirs"
    assert folder.publish_new("x", b"theirs")


def test_a_new_file_that_can_not_be_written_says_why(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    with largest_file(4096), pytest.raises(StorageError, match="File too large"):
        folder.publish_new("x", bytes(100_000))
    assert list(tmp_path.iterdir()) == []


def test_a_file_can_not_take_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x/y").mkdir(parents=True)
    with pytest.raises(StorageError, match="x"):
        Folder(str(tmp_path)).publish("x", b"")
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_reader_never_sees_half_a_file(folder: Folder) -> None:
    versions = [bytes([number]) * (1 + 150_000 * number) for number in range(4)]
    folder.publish("x", versions[0])
    seen: list[bytes] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            content = folder.read("x")
            if content not in seen:
                seen.append(content)

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        for number in range(5000):
            folder.publish("x", versions[number % 4])
            if number > 100 and len(seen) >= 4:
                break
    finally:
        stop.set()
        reader.join()
    assert sorted(seen) == versions


@pytest.mark.parametrize("closed", [".", "open/closed", "open/deeper/closed"])
def test_a_folder_that_can_not_be_listed_is_an_error_not_an_omission(closed: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        (top / "open/deeper").mkdir(parents=True)
        (top / "open/x.wav").write_bytes(b"1")
        (top / closed).mkdir(exist_ok=True)
        folder = Folder(name)
        with powerless():
            assert keys(folder) == ["open/x.wav"]
        (top / closed).chmod(0)
        with powerless(), pytest.raises(StorageError, match="Permission denied"):
            keys(folder)
        (top / closed).chmod(0o755)


def test_what_can_not_be_looked_at_is_not_called_missing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"1")
    for below in ("loop", "file/below", "n" * 300):
        folder = Folder(str(tmp_path / below))
        with pytest.raises(StorageError):
            keys(folder)
        with pytest.raises(StorageError):
            folder.exists()
        with pytest.raises(ConfigError, match="can't be reached"):
            folder.require_readable("archive")


def test_linked_folders_are_listed_but_not_into_themselves(tmp_path: Path) -> None:
    archive, disk = tmp_path / "archive", tmp_path / "disk"
    (archive / "near").mkdir(parents=True)
    (disk / "deep").mkdir(parents=True)
    for path in (archive / "near/x.wav", disk / "y.wav", disk / "deep/z.wav"):
        path.write_bytes(b"123")
    (archive / "far").symlink_to(disk)
    (archive / "near/up").symlink_to(archive)
    (disk / "deep/up").symlink_to("..")
    (archive / "linked.wav").symlink_to("near/x.wav")
    (archive / "lost.wav").symlink_to("nowhere")
    folder = Folder(str(archive))
    assert [(file.key, file.size_bytes) for file in folder.files()] == [
        ("far/deep/z.wav", 3),
        ("far/y.wav", 3),
        ("linked.wav", 3),
        ("lost.wav", 0),
        ("near/x.wav", 3),
    ]
    with pytest.raises(FileNotFoundError):
        folder.read("lost.wav")


@pytest.mark.parametrize(
    ("protocol", "package", "extra"),
    [("sftp", "paramiko", "sftp"), ("smb", "smbclient", "smb"), ("gs", "gcsfs", "gs"), ("az", "adlfs", "az")],
)
def test_a_missing_package_is_named_by_its_extra(
    protocol: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, protocol, raising=False)  # noqa: SLF001 - what was imported before
    for module in (f"fsspec.implementations.{protocol}", "paramiko.client"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ConfigError, match=rf"{protocol}://nas/cards needs .* pip install 'birddask\[{extra}\]'"):
        Folder(f"{protocol}://nas/cards").exists()


@pytest.mark.parametrize(
    ("option", "hint"), [("endpoint", r"; did you mean `endpoint_url`\?"), ("qqqq", "")], ids=["misspelt", "unlike any"]
)
def test_an_option_that_a_client_does_not_know_is_named(option: str, hint: str) -> None:
    folder = Folder("s3://forest/cards", to_options({option: "http://127.0.0.1:9"}, "job.yaml"))
    with pytest.raises(ConfigError, match=rf"^`storage_options`: s3://forest/cards has no option `{option}`{hint}$"):
        folder.require_readable("archive")


def test_a_missing_place_and_a_wrong_url_are_for_the_user_to_change(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the archive .*/nowhere does not exist"):
        Folder(str(tmp_path / "nowhere")).require_readable("archive")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"the output .* can't be written"):
        Folder(str(tmp_path / "file/out")).require_writable("output")
    folder = Folder("no-such-protocol://x")
    for use in (lambda: keys(folder), folder.exists, lambda: folder.read("x"), lambda: folder.publish("x", b"")):
        with pytest.raises(ConfigError, match="no-such-protocol"):
            use()


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (PermissionError("forbidden"), StorageError),
        (OSError(errno.EROFS, "read-only"), StorageError),
        (OSError(errno.EMSGSIZE, "too large for an object"), StorageError),
        (OSError(errno.EIO, "broken"), TransientStorageError),
        (TimeoutError("slow"), TransientStorageError),
        (LookupError("a client's own kind"), TransientStorageError),
    ],
)
def test_every_failure_of_a_filesystem_is_refused_for_good_or_may_pass(
    store: type[Store], raised: Exception, kind: type[Exception]
) -> None:
    folder = Folder("store://place")
    folder.publish("x", b"1")
    store.failure = raised
    for use in (
        lambda: keys(folder),
        folder.exists,
        lambda: folder.read("x"),
        lambda: folder.read_range("x", 0, 1),
        lambda: folder.publish("x", b""),
        lambda: folder.remove("x"),
    ):
        with pytest.raises(kind, match="store://place"):
            use()
    with pytest.raises(ConfigError):
        folder.require_readable("archive")
    with pytest.raises(ConfigError):
        folder.require_writable("output")


def test_a_range_behind_the_end_is_empty_even_where_the_store_refuses_it(store: type[Store]) -> None:
    folder = Folder("store://place")
    folder.publish("x", b"0123456789")
    assert [folder.read_range("x", start, 20) for start in (9, 10, 11)] == [b"9", b"", b""]
    folder.publish("empty", b"")
    assert folder.read_range("empty", 0, 4096) == b""
    with pytest.raises(FileNotFoundError):
        folder.read_range("y", 5, 10)


@pytest.mark.parametrize(
    ("place", "expected"), [("s3://b/x", "s3://b/x"), ("/a/b", "/a/b"), ("simplecache::s3://b", "simplecache::s3://b")]
)
def test_urls_and_absolute_paths_stay_as_they_are(place: str, expected: str) -> None:
    assert absolute_url(place) == expected


def test_a_relative_path_means_the_same_to_every_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_url("a/b") == str(tmp_path / "a/b")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute_url("~/a") == str(tmp_path / "home/a")


class Store(MemoryFileSystem):
    """A store that refuses ranges as S3 does, and fails when told to: always, or once for each of ``passing``."""

    protocol = "store"
    store: dict[str, Any] = {}  # noqa: RUF012 - as in its parent
    pseudo_dirs = [""]  # noqa: RUF012
    failure: Exception | None = None
    passing: list[Exception] = []  # noqa: RUF012

    def _fail(self) -> None:
        if self.failure:
            raise self.failure
        if self.passing:
            raise self.passing.pop()

    def info(self, *arguments: object, **options: object) -> dict[str, Any]:
        self._fail()
        return dict(super().info(*arguments, **options))

    def ls(self, *arguments: object, **options: object) -> list[Any]:
        self._fail()
        return list(super().ls(*arguments, **options))

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: object) -> bytes:
        self._fail()
        if start is not None and start >= self.size(path):
            raise OSError(errno.EINVAL, "The requested range is not satisfiable")
        return bytes(super().cat_file(path, start, end, **options))

    def pipe_file(self, *arguments: object, **options: object) -> None:
        self._fail()
        super().pipe_file(*arguments, **options)

    def rm_file(self, *arguments: object, **options: object) -> None:
        self._fail()
        super().rm_file(*arguments, **options)


@pytest.fixture
def store() -> Iterator[type[Store]]:
    fsspec.register_implementation("store", Store, clobber=True)
    yield Store
    Store.failure = None
    Store.store.clear()


@contextlib.contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Writing more than this into any file fails, for root too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def powerless() -> Iterator[None]:
    """Root reads every folder: be someone else for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_the_listing_says_when_a_file_was_written(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"abc")
    os.utime(tmp_path / "x.wav", ns=(0, 1_700_000_000_123_456_000))
    assert [file.modified_us for file in Folder(str(tmp_path)).files()] == [1_700_000_000_123_456]


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "x.wav").write_bytes(b"abc")
    assert [file.key for file in Folder(str(tmp_path)).files()] == ["x.wav"]


def test_the_size_of_a_file_is_that_of_the_file(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.publish("a/x.wav", b"abc")
    assert folder.size_bytes("a/x.wav") == 3
    with pytest.raises(StorageError):
        folder.size_bytes("a")
    with pytest.raises(FileNotFoundError):
        folder.size_bytes("b")
