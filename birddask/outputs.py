"""The output of a job as a whole: which tables and stores are in it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from birddask.errors import BirddaskError, ConfigError
from birddask.mels.spec import MelSpec, require_same
from birddask.mels.store import MelStore, clips_per_block, open_store
from birddask.recordings.recording import Recording, Scanned
from birddask.storage import Folder
from birddask.table.scans import read_recordings, read_scanned, scan_file

_SCAN = re.compile(r"recordings/scan-(\d{4,})\.parquet")
_STORE = "mels.zarr/zarr.json"


@dataclass(frozen=True)
class Scans:
    """The recordings tables of an output, in the order of scanning; read one at a time, anew by each loop.

    Attributes:
        written: how many are in the output.
        imagined: files of tables that would follow, if a scan were to write.
    """

    output: Folder
    written: int
    imagined: tuple[bytes, ...] = ()

    def __iter__(self) -> Iterator[list[Recording]]:
        return (read_recordings(self.content(number)) for number in range(self.tables))

    @property
    def tables(self) -> int:
        """How many tables there are."""
        return self.written + len(self.imagined)

    def scanned(self) -> Iterator[Scanned]:
        """The whole rows of all tables."""
        return (row for number in range(self.tables) for row in read_scanned(self.content(number)))

    def content(self, number: int) -> bytes:
        """The file of the table with this number."""
        if number >= self.written:
            return self.imagined[number - self.written]
        return self.output.read(_scan_key(number))

    def append(self, rows: Sequence[Scanned], rule_fingerprint: str) -> Scans:
        """Write one more table.

        Raises:
            BirddaskError: another run has written a table of this number meanwhile.
        """
        key = _scan_key(self.written)
        if not self.output.publish_new(key, scan_file(rows, rule_fingerprint)):
            raise BirddaskError(
                f"another run wrote {self.output.place(key)} at the same time; start the same command again to go on"
            )
        return dataclasses.replace(self, written=self.written + 1)

    def replace(self, number: int, rows: Sequence[Scanned], rule_fingerprint: str) -> None:
        """Write the table with this number anew."""
        self.output.publish(_scan_key(number), scan_file(rows, rule_fingerprint))

    def imagine(self, rows: Sequence[Scanned], rule_fingerprint: str) -> Scans:
        """The tables as if one more were written."""
        return dataclasses.replace(self, imagined=(*self.imagined, scan_file(rows, rule_fingerprint)))


def read_scans(output: Folder) -> Scans:
    """The recordings tables of an output.

    Raises:
        ConfigError: a table is missing; without its rows the blocks of all later ones would move.
    """
    numbers = {int(match[1]) for file in output.files("recordings") if (match := _SCAN.fullmatch(file.key))}
    missing = set(range(len(numbers))) - numbers
    if missing:
        raise ConfigError(f"{output.place(_scan_key(min(missing)))} is missing; put it back, the later scans need it")
    return Scans(output, len(numbers))


def _scan_key(number: int) -> str:
    return f"recordings/scan-{number:04d}.parquet"


def store_folder(output: Folder, spec: MelSpec) -> Folder:
    """Where mels of a spec lie."""
    return output.child("mels", spec.store_name)


def stores(output: Folder) -> list[str]:
    """The folders below ``mels/`` that hold a store."""
    return [name for name in output.folders("mels") if output.exists(f"mels/{name}/{_STORE}")]


def planned_store(output: Folder, spec: MelSpec, block_bytes: int) -> MelStore:
    """The store of a spec as it is, or as it would be made; writes nothing."""
    folder = store_folder(output, spec)
    if folder.exists(_STORE):
        return existing_store(output, spec)
    return MelStore(folder, spec, clips_per_block(spec, block_bytes))


def existing_store(output: Folder, spec: MelSpec) -> MelStore:
    """The store that holds mels of a spec.

    Raises:
        ConfigError: there is none; the message shows how the mels that are there differ.
    """
    folder = store_folder(output, spec)
    if folder.exists(_STORE):
        store = open_store(folder)
        require_same(spec, store.spec, f"the store {folder.url}")
        return store
    for name in stores(output):
        other = open_store(output.child("mels", name))
        require_same(spec, other.spec, f"the store {other.folder.url}")
    raise ConfigError(f"there are no mels in {output.url} yet; make them with `birddask mels` or `birddask run`")
