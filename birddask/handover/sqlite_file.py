"""A SQLite file with the tables ``recordings``, ``blocks`` and ``detections``, for a desktop application.

Each block is one transaction: whoever reads at the same time sees all of it or nothing, and a block that comes again
replaces its own rows. Times are whole microseconds: ``start_us`` and ``end_us`` in the recording, ``start_time_us``
since 1970 UTC.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from birddask.detections.found import Part
from birddask.detections.query import Columns
from birddask.errors import BirddaskError, ConfigError
from birddask.formats.format import Context, Rows
from birddask.outputs import Scans
from birddask.recordings.recording import Recording, Scanned

SUFFIXES = (".sqlite", ".sqlite3", ".db")

_TABLES = """
CREATE TABLE IF NOT EXISTS recordings (
    recording TEXT PRIMARY KEY, site TEXT NOT NULL, recorder TEXT, status TEXT NOT NULL, reason TEXT NOT NULL,
    start_time_us INTEGER, sample_rate_hz INTEGER NOT NULL, frames INTEGER NOT NULL, latitude_deg REAL,
    longitude_deg REAL
);
CREATE TABLE IF NOT EXISTS blocks (model TEXT, block INTEGER, PRIMARY KEY (model, block));
CREATE TABLE IF NOT EXISTS detections (
    model TEXT NOT NULL, block INTEGER NOT NULL, clip INTEGER NOT NULL,
    recording TEXT NOT NULL REFERENCES recordings (recording), start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    start_time_us INTEGER, label TEXT NOT NULL, scientific_name TEXT NOT NULL, common_name TEXT NOT NULL,
    probability REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS detections_of_block ON detections (model, block);
CREATE INDEX IF NOT EXISTS detections_in_recording ON detections (recording, start_us);
CREATE INDEX IF NOT EXISTS detections_of_label ON detections (label, probability);
"""
_COLUMNS = (
    "clip",
    "recording",
    "start_us",
    "end_us",
    "start_time_us",
    "label",
    "scientific_name",
    "common_name",
    "probability",
)


@dataclass(frozen=True)
class SqliteFile:
    """An open database; made by ``opened_sqlite``."""

    connection: sqlite3.Connection

    def columns(self, _context: Context) -> Columns:
        """The columns of ``detections``."""
        return {name: name for name in _COLUMNS}

    def know(self, scans: Scans) -> None:
        """Bring the recordings up to date; a file that was changed is told as it is now."""
        with self.connection:
            self.connection.executemany(
                "INSERT OR REPLACE INTO recordings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (_values(row) for row in scans.scanned() if _is_told(row.recording)),
            )

    def take(self, model: str, part: Part, rows: Rows) -> None:
        """Insert a block, in the place of what was there of it."""
        block = (model, part.block)
        insert = "INSERT INTO detections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        with self.connection:
            self.connection.execute("DELETE FROM detections WHERE model = ? AND block = ?", block)
            for batch in rows:
                values = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                self.connection.executemany(insert, ((*block, *each) for each in values))
            self.connection.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?)", block)


@contextlib.contextmanager
def opened_sqlite(path: Path) -> Iterator[SqliteFile]:
    """The database in a file of this machine, made if need be.

    Raises:
        ConfigError: the file can't be opened, or is something else.
        BirddaskError: the database fails, for example because the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=60)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"{path} can't be opened: {error}") from error
    with contextlib.closing(connection):
        try:
            connection.executescript(_TABLES)
        except sqlite3.Error as error:
            raise ConfigError(f"{path} can't take the tables: {error}") from error
        try:
            yield SqliteFile(connection)
        except sqlite3.Error as error:
            raise BirddaskError(f"{path}: {error}") from error


def _is_told(recording: Recording) -> bool:
    return recording.status != "ignored" and not recording.superseded


def _values(row: Scanned) -> tuple[object, ...]:
    recording, about = row.recording, row.about
    return (
        recording.path,
        recording.site,
        recording.recorder,
        recording.status,
        recording.reason,
        recording.start_time_us,
        recording.sample_rate_hz,
        recording.frames,
        about.latitude_deg,
        about.longitude_deg,
    )
