"""Folders and files as a user names them: by a path of this machine or a URL."""

from __future__ import annotations

import os
import re
from pathlib import Path

from birddask.errors import ConfigError, StorageError, TransientStorageError
from birddask.storage.filesystem import is_url
from birddask.storage.folder import Folder
from birddask.storage.options import Options

# Anywhere: a URL may have others in it, as `simplecache::sftp://nas/cards`.
_PASSWORD = re.compile(r"://[^/?#]*:[^/?#]*@([^/?#]*)")


def folder_at(place: str, options: Options = "") -> Folder:
    """The folder that a user names by a path or a URL.

    Raises:
        ConfigError: the URL holds a password.
    """
    found = _PASSWORD.search(place)
    if found:
        raise ConfigError(
            f"the URL of {found[1]} holds a password, which would be written into logs; put it into an environment "
            "variable and name that in `storage_options`"
        )
    return Folder(absolute_url(place), options)


def read_file(place: str, what: str = "") -> bytes:
    """A small file that the user names by a path or a URL; ``what`` it is comes before its place in messages.

    Raises:
        ConfigError: it can't be read.
    """
    base, _, name = absolute_url(place).rpartition("/")
    try:
        return folder_at(base or "/").read(name)
    except (FileNotFoundError, StorageError, TransientStorageError) as error:
        said = "there is no such file" if isinstance(error, FileNotFoundError) else error
        raise ConfigError(f"{what}{place} can't be read: {said}") from error


def absolute_url(place: str) -> str:
    """A URL as it is, a path made absolute, so that it means the same to every worker.

    Raises:
        ConfigError: the path begins with a user's home that can't be found.
    """
    try:
        return place if is_url(place) else os.path.normpath(Path(place).expanduser().absolute())
    except RuntimeError as error:
        raise ConfigError(f"{place} can't be used: {error}") from error
