"""Folders behind fsspec URLs: list, read ranges, publish whole files.

A ``Folder`` holds no connection and no secret: it pickles as its URL and its options, in which secrets are references
to the environment, and finds its filesystem where it is used, without listing caches.
"""

from __future__ import annotations

import contextlib
import errno
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from birddask.errors import BirddaskError, ConfigError, StorageError, TransientStorageError
from birddask.storage import atomic
from birddask.storage.faults import is_missing, patiently
from birddask.storage.filesystem import connect, forget_connection, is_url, unknown_options_named
from birddask.storage.listing import Ask, FoundFile, files_below, folder_names, paths_below
from birddask.storage.options import Options, redacted

# How long an operation is repeated while storage is away; the restart of a server passes well within it.
_PATIENCE_S = 120.0
# At the start of a verb somebody waits for the answer, and a wrong address is likelier than a server that is away.
_IMPATIENT_S = 10.0

T = TypeVar("T")
Action = Callable[[fsspec.AbstractFileSystem, str], T]
ListBelow = Callable[[fsspec.AbstractFileSystem, str, Ask], Iterator[T]]


@dataclass(frozen=True)
class Folder:
    """A directory or a bucket prefix.

    Every operation is repeated for a while if it fails in a way that may pass, and then raises TransientStorageError;
    it raises StorageError for a fault for good, and ConfigError where the URL or the options can't be used.

    Attributes:
        options: for the filesystem, secrets as references.
    """

    url: str
    options: Options = ""

    def child(self, *names: str) -> Folder:
        """A folder below this one."""
        return replace(self, url="/".join([self.url.rstrip("/"), *names]))

    def place(self, key: str) -> str:
        """The URL of a file below this folder, for messages."""
        return f"{self.url.rstrip('/')}/{key}"

    def exists(self, key: str = "") -> bool:
        """Whether a file, or the folder itself, is there."""
        return self._exists(key, _PATIENCE_S)

    def files(self, below: str = "") -> Iterator[FoundFile]:
        """All files at any depth below a subfolder, ordered by key; none if it does not exist.

        Only one folder's names, or one page of a bucket's, are held in memory at a time.

        Raises:
            StorageError: a folder on the way can't be listed; leaving it out would lose files without a word.
        """
        root, listing = self._listing(files_below, below)
        return (FoundFile(file.key[root:].lstrip("/"), file.size_bytes, file.modified_us) for file in listing)

    def file_keys(self, below: str = "") -> Iterator[str]:
        """The keys of ``files``, which a disk tells in a third of the time; raises as it."""
        root, listing = self._listing(paths_below, below)
        return (path[root:].lstrip("/") for path in listing)

    def folders(self, below: str = "") -> list[str]:
        """The names of the folders in a subfolder, without a look into them; none if it does not exist."""
        with contextlib.suppress(FileNotFoundError):
            return self._ask(below, folder_names)
        return []

    def size_bytes(self, key: str) -> int:
        """The size of a file.

        Raises:
            FileNotFoundError: there is no such file.
            StorageError: it is a folder.
        """

        def size(filesystem: fsspec.AbstractFileSystem, path: str) -> int:
            details = filesystem.info(path)
            if details["type"] == "directory":
                raise IsADirectoryError(f"{key} is a folder")
            return int(details["size"])

        return self._ask(key, size)

    def read(self, key: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is no such file.
        """
        return self._ask(key, lambda filesystem, path: bytes(filesystem.cat_file(path)))

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes from ``start`` up to ``end`` of a file, fewer where it ends before.

        Raises:
            FileNotFoundError: there is no such file.
        """
        return self._ask(key, lambda filesystem, path: _read_range(filesystem, path, start, end))

    def publish(self, key: str, content: bytes) -> None:
        """Write a file so that others see all of it or nothing, replacing what was there."""
        self._write(key, lambda filesystem, path: atomic.replace(filesystem, path, content), _PATIENCE_S)

    def publish_soon(self, key: str, content: bytes) -> None:
        """Write a file as ``publish``, or give it up after seconds: for what is worth little later."""
        self._write(key, lambda filesystem, path: atomic.replace(filesystem, path, content), _IMPATIENT_S)

    def publish_new(self, key: str, content: bytes) -> bool:
        """Write a file if there is none yet; whether what is there now is this content."""
        refusal: Exception | None = None
        try:
            self._write(key, lambda filesystem, path: atomic.create(filesystem, path, content), _IMPATIENT_S)
        except (StorageError, TransientStorageError) as error:
            # Because there is one, or because an answer got lost, or for good: what lies there will tell.
            refusal = error
        try:
            return self.read(key) == content
        except FileNotFoundError as error:
            raise refusal or StorageError(f"{self.place(key)} has gone since it was written") from error

    def upload(self, key: str, source: Path) -> None:
        """Publish a file of this machine, however large; for folders on servers."""
        self._write(key, lambda filesystem, path: atomic.upload(filesystem, path, source), _PATIENCE_S)

    def remove(self, key: str) -> None:
        """Delete a file; nothing happens if it is not there."""
        with contextlib.suppress(FileNotFoundError):
            self._ask(key, lambda filesystem, path: filesystem.rm_file(path))

    def for_arrow(self) -> tuple[fsspec.AbstractFileSystem | None, str]:
        """A filesystem and path as pyarrow takes them; None for this machine's own files."""
        filesystem, path = self._ask("", lambda filesystem, path: (filesystem, path))
        return None if isinstance(filesystem, LocalFileSystem) else filesystem, path

    def require_readable(self, what: str) -> None:
        """Raise ConfigError unless the folder is there and can be listed."""
        try:
            there = self._exists("", _IMPATIENT_S)
        except (StorageError, TransientStorageError) as error:
            raise ConfigError(f"the {what} {self.url} can't be reached: {error}") from error
        if not there:
            raise ConfigError(f"the {what} {self.url} does not exist; check the path or the URL")

    def require_writable(self, what: str) -> None:
        """Raise ConfigError unless a file can be written in the folder and deleted again."""
        probe = f".write-probe-{uuid.uuid4().hex}"
        try:
            self.publish_soon(probe, b"")
            self.remove(probe)
        except (StorageError, TransientStorageError) as error:
            raise ConfigError(f"the {what} {self.url} can't be written: {error}") from error

    def _listing(self, list_below: ListBelow[T], below: str) -> tuple[int, Iterator[T]]:
        """The length of this folder's own path, and what is listed below a subfolder."""
        root = self._ask("", lambda _, path: len(path))
        filesystem, top = self._ask(below, lambda filesystem, path: (filesystem, path))
        return root, list_below(filesystem, top, lambda action: self._ask(below, lambda fs, _: action(fs)))

    def _exists(self, key: str, patience_s: float) -> bool:
        # Not `exists` of the filesystem, which takes every failure for "not there".
        with contextlib.suppress(FileNotFoundError):
            self._ask(key, lambda filesystem, path: filesystem.info(path), patience_s)
            return True
        return False

    def _write(self, key: str, write: Action[None], patience_s: float) -> None:
        try:
            self._ask(key, write, patience_s)
        except FileNotFoundError as error:
            # The place itself is missing: a folder that can't be made, a bucket that does not exist.
            raise StorageError(f"{self.place(key)}: {redacted(str(error), self.options)}") from error

    def _ask(self, key: str, action: Action[T], patience_s: float | None = None) -> T:
        """The result of an action on the path of a key, repeated while it fails in a way that may pass."""

        def attempt() -> T:
            with unknown_options_named(self.url, self.options):
                filesystem, root = connect(self.url, self.options)
                try:
                    return action(filesystem, f"{root.rstrip('/')}/{key}" if key else root)
                except (FileNotFoundError, BirddaskError):
                    raise
                except Exception as error:
                    if is_missing(error):
                        raise FileNotFoundError(errno.ENOENT, redacted(str(error), self.options)) from error
                    forget_connection(filesystem)
                    raise

        def describe(error: Exception) -> str:
            said = str(error) or type(error).__name__
            return f"{self.place(key)}: {redacted(said, self.options)}"

        patience_s = _PATIENCE_S if patience_s is None else patience_s
        return patiently(attempt, describe, patience_s, local=not is_url(self.url))


def _read_range(filesystem: fsspec.AbstractFileSystem, path: str, start: int, end: int) -> bytes:
    content = b""
    try:
        if start < end:
            content = bytes(filesystem.cat_file(path, start=start, end=end))
    except OSError:
        # Object stores refuse a range that begins at the end of a file or behind it.
        if int(filesystem.info(path)["size"]) > start:
            raise
    if len(content) < end - start or start == end:
        size_bytes = int(filesystem.info(path)["size"])
        if len(content) < min(end, size_bytes) - start:
            raise ConnectionError(f"only {len(content)} bytes came of {min(end, size_bytes) - start}")
    return content
