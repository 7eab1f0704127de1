"""Folders behind fsspec URLs: list, read ranges, publish whole files (the only ``fsspec`` import).

A ``Folder`` holds no connection and no secret: it pickles as its URL and finds its filesystem where it is used, one
instance a process, without listing caches.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem

from birddask.errors import BirddaskError, ConfigError, StorageError, TransientStorageError

_PARTIAL_SUFFIX = ".partial"


@dataclass(frozen=True)
class FoundFile:
    """A file in a listing; ``key`` is its path below the folder, with forward slashes."""

    key: str
    size_bytes: int


@dataclass(frozen=True)
class Folder:
    """A directory or a bucket prefix."""

    url: str

    def child(self, *names: str) -> Folder:
        """A folder below this one."""
        return Folder("/".join([self.url.rstrip("/"), *names]))

    def place(self, key: str) -> str:
        """The URL of a file below this folder, for messages."""
        return f"{self.url.rstrip('/')}/{key}"

    def exists(self, key: str = "") -> bool:
        """Whether a file, or the folder itself, is there."""
        # Not `exists` of the filesystem, which takes every failure for "not there".
        with self._errors(key), contextlib.suppress(FileNotFoundError):
            self._filesystem().info(self._path(key))
            return True
        return False

    def files(self, below: str = "") -> Iterator[FoundFile]:
        """All files at any depth below a subfolder, ordered by key; none if it does not exist.

        Raises:
            StorageError: a folder on the way can't be listed; leaving it out would lose files without a word.
        """
        with self._errors(below):
            root = self._path("")
            found = sorted(_files_below(self._filesystem(), self._path(below)))
        for path, size_bytes in found:
            yield FoundFile(path[len(root) :].lstrip("/"), size_bytes)

    def read(self, key: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is no such file.
        """
        with self._errors(key):
            return bytes(self._filesystem().cat_file(self._path(key)))

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes from ``start`` up to ``end`` of a file, fewer where it ends before.

        Raises:
            FileNotFoundError: there is no such file.
        """
        filesystem, path = self._filesystem(), self._path(key)
        with self._errors(key):
            try:
                if start < end:
                    return bytes(filesystem.cat_file(path, start=start, end=end))
            except OSError:
                # Object stores refuse a range that begins at the end of a file or behind it.
                if int(filesystem.info(path)["size"]) > start:
                    raise
            else:
                filesystem.info(path)
            return b""

    def publish(self, key: str, content: bytes) -> None:
        """Write a file so that others see all of it or nothing, replacing what was there."""
        filesystem, path = self._filesystem(), self._path(key)
        try:
            with self._errors(key):
                if isinstance(filesystem, LocalFileSystem):
                    _replace_local_file(Path(path), content)
                else:
                    filesystem.pipe_file(path, content)
        except FileNotFoundError as error:
            # The place itself is missing: a folder that can't be made, a bucket that does not exist.
            raise StorageError(f"{self.place(key)}: {error}") from error

    def remove(self, key: str) -> None:
        """Delete a file; nothing happens if it is not there."""
        with self._errors(key), contextlib.suppress(FileNotFoundError):
            self._filesystem().rm_file(self._path(key))

    def for_arrow(self) -> tuple[fsspec.AbstractFileSystem | None, str]:
        """A filesystem and path as pyarrow takes them; None for this machine's own files."""
        filesystem = self._filesystem()
        local = isinstance(filesystem, LocalFileSystem)
        return None if local else filesystem, self._path("")

    def require_readable(self, what: str) -> None:
        """Raise ConfigError unless the folder is there and can be listed."""
        try:
            there = self.exists()
        except (StorageError, TransientStorageError) as error:
            raise ConfigError(f"the {what} {self.url} can't be reached: {error}") from error
        if not there:
            raise ConfigError(f"the {what} {self.url} does not exist; check the path or the URL")

    def require_writable(self, what: str) -> None:
        """Raise ConfigError unless a file can be written in the folder and deleted again."""
        probe = f".write-probe-{uuid.uuid4().hex}"
        try:
            self.publish(probe, b"")
            self.remove(probe)
        except (StorageError, TransientStorageError) as error:
            raise ConfigError(f"the {what} {self.url} can't be written: {error}") from error

    def _filesystem(self) -> fsspec.AbstractFileSystem:
        return self._resolved()[0]

    def _path(self, key: str) -> str:
        root = self._resolved()[1]
        return f"{root.rstrip('/')}/{key}" if key else root

    def _resolved(self) -> tuple[fsspec.AbstractFileSystem, str]:
        try:
            filesystem, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"the URL {self.url} can't be used: {error}") from error
        return filesystem, str(root)

    @contextlib.contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Sort what filesystems raise into: not there, refused for good, may pass."""
        try:
            yield
        except (FileNotFoundError, BirddaskError):
            raise
        except (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise StorageError(f"{self.place(key)}: {error}") from error
        except Exception as error:  # the clients of object stores raise kinds of their own
            kind = StorageError if getattr(error, "errno", None) == errno.EROFS else TransientStorageError
            raise kind(f"{self.place(key)}: {error}") from error


def is_url(place: str) -> bool:
    """Whether a place is a URL rather than a path on this machine."""
    return "://" in place or "::" in place


def absolute_url(place: str) -> str:
    """A URL as it is, a path made absolute, so that it means the same to every worker."""
    return place if is_url(place) else os.path.normpath(Path(place).expanduser().absolute())


def _files_below(filesystem: fsspec.AbstractFileSystem, top: str) -> Iterator[tuple[str, int]]:
    """Paths and sizes; none if there is no such folder, or if it goes away while it is listed."""
    # Not `find` or `walk`: they leave out a folder that can't be listed.
    if isinstance(filesystem, LocalFileSystem):
        yield from _local_files(top, frozenset())
    elif isinstance(filesystem, AsyncFileSystem):
        # One flat listing of the prefix; it raises what goes wrong.
        with contextlib.suppress(FileNotFoundError):
            listing = filesystem.find(top, detail=True, withdirs=False)
            # A key with a slash at its end stands for a folder.
            yield from ((path, int(details["size"])) for path, details in listing.items() if not path.endswith("/"))
    else:
        listed: list[dict[str, Any]] = []
        with contextlib.suppress(FileNotFoundError):
            listed = filesystem.ls(top, detail=True)
        for details in listed:
            if details["type"] == "directory":
                yield from _files_below(filesystem, details["name"])
            else:
                yield details["name"], int(details["size"])


def _local_files(folder: str, above: frozenset[str]) -> Iterator[tuple[str, int]]:
    """Linked folders are followed, but not back into a folder that they lie in."""
    real = os.path.realpath(folder)
    entries: list[os.DirEntry[str]] = []
    if real not in above:
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as listing:
            entries.extend(listing)
    for entry in entries:
        path = f"{folder.rstrip('/')}/{entry.name}"
        if entry.is_dir():
            yield from _local_files(path, above | {real})
        else:
            yield path, _size_bytes(entry)


def _size_bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # a link to nothing: whoever reads it will see
        return 0


def _replace_local_file(target: Path, content: bytes) -> None:
    """Write beside the target, flush to the disk, then rename: a kill leaves at most a partial file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}{_PARTIAL_SUFFIX}")
    try:
        with partial.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
