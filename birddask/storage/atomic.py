"""Files that others see whole or not at all, as far as a filesystem allows."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec

_PARTIAL_SUFFIX = ".partial"


def replace_local_file(target: Path, content: bytes) -> None:
    """Write beside the target, flush to the disk, then rename: a kill leaves at most a partial file."""
    with _partial_file(target, content) as partial:
        partial.replace(target)


def create_local_file(target: Path, content: bytes) -> None:
    """As ``replace_local_file``, but nothing happens if there is a target."""
    with _partial_file(target, content) as partial:
        try:
            target.hardlink_to(partial)
        except FileExistsError:
            return
        except OSError:
            # Some mounts know no links: then two that write at the very same moment are not told apart.
            if not target.exists():
                partial.replace(target)


@contextlib.contextmanager
def _partial_file(target: Path, content: bytes) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}{_PARTIAL_SUFFIX}")
    try:
        with partial.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield partial
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def replace_remote_file(filesystem: fsspec.AbstractFileSystem, path: str, put: Callable[[str], object]) -> None:
    """Write beside the target, then rename; where a rename replaces nothing, the target goes first."""
    if type(filesystem).mv is fsspec.AbstractFileSystem.mv:
        # It knows no renaming, only copying.
        put(path)
        return
    partial = f"{path}.{uuid.uuid4().hex}{_PARTIAL_SUFFIX}"
    filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
    put(partial)
    try:
        filesystem.mv(partial, path)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        filesystem.rm_file(path)
        filesystem.mv(partial, path)
