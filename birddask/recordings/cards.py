"""The settings that an AudioMoth leaves beside its recordings, one file a card."""

from __future__ import annotations

import contextlib

from birddask.errors import StorageError
from birddask.recordings.config_txt import DeviceConfig, parse_config
from birddask.storage import Folder

_NAME = "CONFIG.TXT"
# The real ones have 1 to 3 KB.
_READ_BYTES = 65536


class Cards:
    """Settings by folder, each read once; they hold for the folders below too, such as those of single days."""

    def __init__(self, archive: Folder) -> None:
        self._archive = archive
        self._found: dict[str, DeviceConfig | None] = {}

    def config_for(self, path: str) -> DeviceConfig | None:
        """The nearest settings in the folder of a recording or above it.

        Raises:
            TransientStorageError: storage failed in a way that may pass.
        """
        folder = path.rpartition("/")[0]
        if folder not in self._found:
            config = self._read(f"{folder}/{_NAME}" if folder else _NAME)
            if config is None and folder:
                config = self.config_for(folder)
            self._found[folder] = config
        return self._found[folder]

    def _read(self, key: str) -> DeviceConfig | None:
        content = b""
        with contextlib.suppress(FileNotFoundError, StorageError):
            content = self._archive.read_range(key, 0, _READ_BYTES)
        return parse_config(content)
