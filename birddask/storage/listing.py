"""Listings of folders in the order of keys, a folder or a page at a time in memory."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in a listing.

    Attributes:
        key: its path below the folder, with forward slashes.
        modified_us: when it was last written, in microseconds since 1970 UTC; None if the listing does not say.
    """

    key: str
    size_bytes: int
    modified_us: int | None


Ask = Callable[[Callable[[AbstractFileSystem], Any]], Any]
"""Asks a filesystem something, with patience."""


def files_below(filesystem: AbstractFileSystem, top: str, ask: Ask) -> Iterator[FoundFile]:
    """Files with their whole paths; none if there is no such folder, or if it goes away meanwhile.

    Not ``find`` or ``walk`` of the filesystem, where they leave out a folder that can't be listed.
    """
    if isinstance(filesystem, LocalFileSystem):
        return _local_files(top, ask)
    if isinstance(filesystem, AsyncFileSystem):
        return _bucket_files(filesystem, top, ask)
    return _listed_files(top, ask)


def paths_below(filesystem: AbstractFileSystem, top: str, ask: Ask) -> Iterator[str]:
    """The paths of files alone; local ones are not looked at, which may be pipes, or links to nothing."""
    if isinstance(filesystem, LocalFileSystem):
        return _local_paths(top, frozenset(), ask)
    return (file.key for file in files_below(filesystem, top, ask))


def folder_names(filesystem: AbstractFileSystem, top: str) -> list[str]:
    """The names of the folders in a folder, in order.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    entries = filesystem.ls(top, detail=True)
    return sorted(posixpath.basename(each["name"].rstrip("/")) for each in entries if each["type"] == "directory")


def _bucket_files(filesystem: AsyncFileSystem, top: str, ask: Ask) -> Iterator[FoundFile]:
    """A flat listing: of S3 page by page, of other stores at once."""
    if "s3" in filesystem.protocol:
        for page in _s3_pages(top, ask):
            yield from (_listed(f"{top.split('/', 1)[0]}/{entry['Key']}", entry) for entry in page)
        return
    listing: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(FileNotFoundError):
        listing = ask(lambda fs: fs.find(top, detail=True, withdirs=False))
    for path in sorted(listing):
        # A key with a slash at its end stands for a folder.
        if not path.endswith("/"):
            yield _listed(path, listing[path])


def _s3_pages(top: str, ask: Ask) -> Iterator[list[dict[str, Any]]]:
    bucket, _, prefix = top.partition("/")
    request = {"Bucket": bucket, "Prefix": f"{prefix.rstrip('/')}/" if prefix else ""}
    while True:
        answer = _s3_page(request, ask)
        yield [entry for entry in answer.get("Contents", []) if not entry["Key"].endswith("/")]
        if not answer.get("IsTruncated"):
            return
        request["ContinuationToken"] = answer["NextContinuationToken"]


def _s3_page(request: dict[str, str], ask: Ask) -> dict[str, Any]:
    answer: dict[str, Any] = ask(lambda fs: fs.call_s3("list_objects_v2", **request))
    return answer


def _listed_files(top: str, ask: Ask) -> Iterator[FoundFile]:
    entries: list[dict[str, Any]] = []
    with contextlib.suppress(FileNotFoundError):
        entries = ask(lambda fs: fs.ls(top, detail=True))
    for details in sorted(entries, key=lambda entry: _in_key_order(entry["name"], folder=entry["type"] == "directory")):
        if details["type"] == "directory":
            yield from _listed_files(details["name"], ask)
        else:
            yield _listed(details["name"], details)


def _listed(path: str, details: dict[str, Any]) -> FoundFile:
    modified = details.get("LastModified") or details.get("mtime") or details.get("last_write_time")
    seconds = modified.timestamp() if isinstance(modified, datetime) else modified
    size_bytes = int(details["Size"] if "Size" in details else details["size"])
    return FoundFile(path, size_bytes, None if seconds is None else round(seconds * 1_000_000))


def _in_key_order(name: str, *, folder: bool) -> str:
    """By this, the names in a folder stand in the order of the keys below them."""
    return f"{name}/" if folder else name


def _local_files(top: str, ask: Ask) -> Iterator[FoundFile]:
    for path in _local_paths(top, frozenset(), ask):
        try:
            status = os.stat(path)  # noqa: PTH116 - a Path takes as long to make as to ask
        except OSError:  # a link to nothing: whoever reads it will see
            yield FoundFile(path, 0, None)
            continue
        # Pipes, sockets and devices hold no bytes, and opening them may never end.
        if stat.S_ISREG(status.st_mode):
            yield FoundFile(path, status.st_size, status.st_mtime_ns // 1000)


def _local_paths(folder: str, above: frozenset[str], ask: Ask) -> Iterator[str]:
    """Linked folders are followed, but not back into a folder that they lie in."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for name in sorted(ask(lambda _: _local_names(folder))):
        path = f"{folder.rstrip('/')}/{name}"
        if name.endswith("/"):
            yield from _local_paths(path, above | {real}, ask)
        else:
            yield path


def _local_names(folder: str) -> list[str]:
    """The names in a folder, those of folders with a slash, by which they stand in the order of the keys below them.

    Names, and no entries: these keep what they know of their file, a kilobyte each.
    """
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as listing:
        return [f"{entry.name}/" if entry.is_dir() else entry.name for entry in listing]
    return []
