"""Files that are written bit by bit and appear at once."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from birddask.errors import StorageError
from birddask.storage.atomic import local_file
from birddask.storage.folder import Folder


@contextlib.contextmanager
def spooled(folder: Folder, key: str) -> Iterator[IO[bytes]]:
    """A file to write from begin to end; it appears in the folder when the block ends, or not at all if that raises.

    On a server's folder it is uploaded then, from a temporary file of this machine.

    Raises:
        StorageError: it can't be written.
        TransientStorageError: the server was away for too long.
    """
    filesystem, root = folder.for_arrow()
    if filesystem is None:
        try:
            with local_file(Path(root, key)) as stream:
                yield stream
        except OSError as error:
            raise StorageError(f"{Path(root, key)} can't be written: {error}") from error
        return
    with tempfile.NamedTemporaryFile(prefix="birddask-") as stream:
        yield stream
        stream.flush()
        folder.upload(key, Path(stream.name))
