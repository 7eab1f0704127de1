"""Files that others see whole or not at all, as far as a filesystem allows.

There are three kinds of filesystems. This machine's files appear by a rename or a hard link. Object stores show a file
when its upload is complete. All others, SFTP or SMB for example, rename, if they can.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem

from birddask.storage.faults import is_missing

# Names have up to 255 bytes, and a character up to 4.
_NAME_CHARACTERS = 50


def replace(filesystem: fsspec.AbstractFileSystem, path: str, content: bytes) -> None:
    """Write a file, in the place of one that was there."""
    if isinstance(filesystem, LocalFileSystem):
        with local_file(Path(path)) as stream:
            stream.write(content)
    elif isinstance(filesystem, AsyncFileSystem):
        filesystem.pipe_file(path, content)
    else:
        _put_and_rename(filesystem, path, lambda target: filesystem.pipe_file(target, content))


def create(filesystem: fsspec.AbstractFileSystem, path: str, content: bytes) -> None:
    """Write a file, or do nothing where there is one.

    Two that create the same file at the very same moment are told apart by object stores, which raise for one of them,
    and on local disks with hard links.
    """
    if isinstance(filesystem, LocalFileSystem):
        with local_file(Path(path), _link) as stream:
            stream.write(content)
    elif isinstance(filesystem, AsyncFileSystem):
        filesystem.pipe_file(path, content, mode="create")
    elif not _exists(filesystem, path):
        _put_and_rename(filesystem, path, lambda target: filesystem.pipe_file(target, content))


def upload(filesystem: fsspec.AbstractFileSystem, path: str, source: Path) -> None:
    """Write what a file of this machine holds, however much, to a server; in the place of what was there."""
    if isinstance(filesystem, AsyncFileSystem):
        filesystem.put_file(str(source), path)
    else:
        _put_and_rename(filesystem, path, lambda target: filesystem.put_file(str(source), target))


@contextlib.contextmanager
def local_file(target: Path, appear: Callable[[Path, Path], object] = Path.replace) -> Iterator[IO[bytes]]:
    """A file to write beside a target; it appears there when the block ends, or not at all if that raises.

    A kill leaves at most the partial file.

    Args:
        target: of this machine.
        appear: is given the partial file and the target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(_partial(str(target)))
    try:
        with partial.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        appear(partial, target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _link(partial: Path, target: Path) -> None:
    try:
        target.hardlink_to(partial)
    except FileExistsError:
        return
    except OSError:
        # Some mounts know no links: then two that write at the very same moment are not told apart.
        if not target.exists():
            partial.replace(target)


def _exists(filesystem: fsspec.AbstractFileSystem, path: str) -> bool:
    # Not `exists` of the filesystem, which takes every failure for "not there".
    try:
        filesystem.info(path)
    except OSError as error:
        if is_missing(error):
            return False
        raise
    return True


def _put_and_rename(filesystem: fsspec.AbstractFileSystem, path: str, put: Callable[[str], object]) -> None:
    """Write beside the target, then rename; where a rename replaces nothing, the target goes first."""
    if type(filesystem).mv is fsspec.AbstractFileSystem.mv:
        # It knows no renaming, only copying.
        put(path)
        return
    partial = _partial(path)
    filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
    put(partial)
    try:
        filesystem.mv(partial, path)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        filesystem.rm_file(path)
        filesystem.mv(partial, path)


def _partial(path: str) -> str:
    """A path in the same folder that nobody else uses, also where the name is as long as a filesystem allows."""
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f"{name[:_NAME_CHARACTERS]}.{uuid.uuid4().hex}.partial")
