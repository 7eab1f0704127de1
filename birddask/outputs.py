"""The output of a job as a whole: which tables and stores are in it."""

from __future__ import annotations

import re

from birddask.errors import ConfigError
from birddask.mels.spec import MelSpec, require_same
from birddask.mels.store import MelStore, clips_per_block, open_store
from birddask.recordings.recording import Recording
from birddask.storage import Folder
from birddask.table.parts import read_recordings, recordings_file

_SCAN = re.compile(r"recordings/scan-(\d{4,})\.parquet")
_STORE = re.compile(r"mels/([^/]+)/mels\.zarr/zarr\.json")


def read_scans(output: Folder) -> list[list[Recording]]:
    """The rows of every scan, in the order of scanning.

    Raises:
        ConfigError: a scan is missing; without its rows the blocks of all later ones would move.
    """
    keys = {int(match[1]): file.key for file in output.files("recordings") if (match := _SCAN.fullmatch(file.key))}
    missing = set(range(len(keys))) - set(keys)
    if missing:
        raise ConfigError(f"{output.place(_scan_key(min(missing)))} is missing; put it back, the later scans need it")
    return [read_recordings(output.read(keys[number])) for number in sorted(keys)]


def write_scan(output: Folder, number: int, recordings: list[Recording]) -> None:
    """Publish the table of the scan with this number."""
    output.publish(_scan_key(number), recordings_file(recordings))


def _scan_key(number: int) -> str:
    return f"recordings/scan-{number:04d}.parquet"


def store_folder(output: Folder, spec: MelSpec) -> Folder:
    """Where mels of a spec lie."""
    return output.child("mels", spec.store_name)


def stores(output: Folder) -> list[str]:
    """The folders below ``mels/`` that hold a store."""
    return [match[1] for file in output.files("mels") if (match := _STORE.fullmatch(file.key))]


def planned_store(output: Folder, spec: MelSpec, block_bytes: int) -> MelStore:
    """The store of a spec as it is, or as it would be made; writes nothing."""
    folder = store_folder(output, spec)
    if folder.exists("mels.zarr/zarr.json"):
        return existing_store(output, spec)
    return MelStore(folder, spec, clips_per_block(spec, block_bytes))


def existing_store(output: Folder, spec: MelSpec) -> MelStore:
    """The store that holds mels of a spec.

    Raises:
        ConfigError: there is none; the message shows how the mels that are there differ.
    """
    folder = store_folder(output, spec)
    if folder.exists("mels.zarr/zarr.json"):
        store = open_store(folder)
        require_same(spec, store.spec, f"the store {folder.url}")
        return store
    for name in stores(output):
        other = open_store(output.child("mels", name))
        require_same(spec, other.spec, f"the store {other.folder.url}")
    raise ConfigError(f"there are no mels in {output.url} yet; make them with `birddask mels` or `birddask run`")
