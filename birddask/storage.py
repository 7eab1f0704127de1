"""Folders behind fsspec URLs: list, read ranges, publish whole files (the only ``fsspec`` import).

A ``Folder`` holds no connection and no secret: it pickles as its URL and finds its filesystem where it is used, one
instance a process, without listing caches.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem

from birddask.errors import BirddaskError, ConfigError, StorageError, TransientStorageError

_PARTIAL_SUFFIX = ".partial"


@dataclass(frozen=True)
class FoundFile:
    """A file in a listing.

    Attributes:
        key: its path below the folder, with forward slashes.
        modified_us: when it was last written, in microseconds since 1970 UTC; None if the listing does not say.
    """

    key: str
    size_bytes: int
    modified_us: int | None


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

        Only one folder's names are held in memory at a time.

        Raises:
            StorageError: a folder on the way can't be listed; leaving it out would lose files without a word.
        """
        with self._errors(below):
            root = len(self._path(""))
            for file in _files_below(self._filesystem(), self._path(below)):
                yield replace(file, key=file.key[root:].lstrip("/"))

    def size_bytes(self, key: str) -> int:
        """The size of a file.

        Raises:
            FileNotFoundError: there is no such file.
        """
        with self._errors(key):
            details = self._filesystem().info(self._path(key))
            if details["type"] == "directory":
                raise IsADirectoryError(f"{key} is a folder")
            return int(details["size"])

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


def _files_below(filesystem: fsspec.AbstractFileSystem, top: str) -> Iterator[FoundFile]:
    """Files with their whole paths, in order; none if there is no such folder, or if it goes away meanwhile."""
    # Not `find` or `walk` of the filesystem, where they leave out a folder that can't be listed.
    if isinstance(filesystem, LocalFileSystem):
        yield from _local_files(top, frozenset())
    elif isinstance(filesystem, AsyncFileSystem):
        # One flat listing of the prefix; it raises what goes wrong.
        listing: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            listing = filesystem.find(top, detail=True, withdirs=False)
        for path in sorted(listing):
            # A key with a slash at its end stands for a folder.
            if not path.endswith("/"):
                yield _listed(path, listing[path])
    else:
        yield from _listed_files(filesystem, top)


def _listed_files(filesystem: fsspec.AbstractFileSystem, top: str) -> Iterator[FoundFile]:
    entries: list[dict[str, Any]] = []
    with contextlib.suppress(FileNotFoundError):
        entries = filesystem.ls(top, detail=True)
    for details in sorted(entries, key=lambda entry: _in_key_order(entry["name"], folder=entry["type"] == "directory")):
        if details["type"] == "directory":
            yield from _listed_files(filesystem, details["name"])
        else:
            yield _listed(details["name"], details)


def _listed(path: str, details: dict[str, Any]) -> FoundFile:
    modified = details.get("LastModified") or details.get("mtime") or details.get("created")
    seconds = modified.timestamp() if isinstance(modified, datetime) else modified
    return FoundFile(path, int(details["size"]), None if seconds is None else round(seconds * 1_000_000))


def _in_key_order(name: str, *, folder: bool) -> str:
    """By this, the names in a folder stand in the order of the keys below them."""
    return f"{name}/" if folder else name


def _local_files(folder: str, above: frozenset[str]) -> Iterator[FoundFile]:
    """Linked folders are followed, but not back into a folder that they lie in."""
    real = os.path.realpath(folder)
    entries: list[tuple[str, bool, os.DirEntry[str]]] = []
    if real not in above:
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as listing:
            entries.extend((_in_key_order(e.name, folder=e.is_dir()), e.is_dir(), e) for e in listing)
    for _, is_folder, entry in sorted(entries, key=itemgetter(0)):
        path = f"{folder.rstrip('/')}/{entry.name}"
        if is_folder:
            yield from _local_files(path, above | {real})
            continue
        try:
            status = entry.stat()
        except OSError:  # a link to nothing: whoever reads it will see
            yield FoundFile(path, 0, None)
            continue
        # Pipes, sockets and devices hold no bytes, and opening them may never end.
        if stat.S_ISREG(status.st_mode):
            yield FoundFile(path, status.st_size, status.st_mtime_ns // 1000)


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
