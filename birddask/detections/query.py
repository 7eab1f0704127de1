"""Detections by SQL (the only duckdb import): streamed, in bounded memory, in one order.

Parts are read whole, with storage's own patience, thinned out, and kept in a temporary database. Recordings are then
worked off in batches of the alphabet, so that nothing is sorted that is larger than memory. Rows are ordered by
recording, start and label, text by its code points.
"""

# ruff: noqa: S608 - of rules, formats and names of ours; what a user wrote is a parameter or escaped
from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from birddask.detections.found import Found, Part, read_part
from birddask.detections.labels import keys_of, names_of
from birddask.detections.places import occurring, places_view
from birddask.detections.recordings import used_recordings
from birddask.detections.rows import clips_of, in_batches, rows_of
from birddask.detections.rules import Location, Rules
from birddask.detections.steps import CLIPS, MACROS, TABLES, steps
from birddask.errors import BirddaskError, ConfigError
from birddask.models.location import open_location_model
from birddask.outputs import read_scans
from birddask.storage import in_order

Columns = Mapping[str, str]
"""Names of columns, and the SQL that makes each from those that ``steps`` lists."""

_MEMORY = "256MiB"
# Reading takes most of the time and has threads of its own; each one of DuckDB's wants its share of the memory.
_THREADS = 2
_PARTS_AT_ONCE = 32
_ROWS_AT_ONCE = 50_000
# Of stored Parquet, which is about two million rows.
_BATCH_BYTES = 16 << 20


@dataclass(frozen=True)
class Query:
    """The detections of one model by one set of rules; made by ``opened``."""

    found: Found
    rules: Rules
    _connection: duckdb.DuckDBPyConnection
    _steps: str
    _with_clips: bool
    _thresholds: dict[str, float | None] = field(default_factory=dict)

    def detections(self, parts: Sequence[Part], columns: Columns) -> Iterator[pa.RecordBatch]:
        """The detections in parts of one site, ordered by recording, start and label; first of all without rows.

        Recordings are merged and smoothed only within these parts: give all of a site.

        Raises:
            ConfigError: a part was withdrawn meanwhile, or it is not known where a recording was made.
            BirddaskError: the disk for temporary files is full.
        """
        selected = ", ".join(f"{sql} AS {_quoted(name)}" for name, sql in columns.items())
        with _explained():
            for _ in self._batches(parts):
                # Not in the same query: what is sorted would be the columns of the format, which may be many and wide.
                reader = self._connection.sql(f"SELECT {selected} FROM detections").to_arrow_reader(_ROWS_AT_ONCE)
                yield pa.RecordBatch.from_pylist([], schema=reader.schema)
                yield from reader

    def work_off(self, parts: Sequence[Part], statements: Sequence[str]) -> None:
        """Run statements on each batch of the recordings of one site; raises as ``detections``."""
        with _explained():
            for _ in self._batches(parts):
                for statement in statements:
                    self._connection.execute(statement)

    def ask(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The rows that a statement gives; raises as ``detections``."""
        with _explained():
            return self._connection.execute(statement, parameters or {}).fetchall()

    def unanswered(self) -> list[str]:
        """Names in the rules, as the user wrote them, that no label of the parts read so far answers to."""
        answered = {key for label in self._thresholds for key in keys_of(label)}
        return sorted(written for name, written in self.rules.names().items() if name not in answered)

    def _batches(self, parts: Sequence[Part]) -> Iterator[None]:
        """Let one batch of recordings after the other become ``detections``, and ``clips`` if they were asked for."""
        bounds = self._bounds(parts)
        self._load(parts, bounds)
        for batch in range(len(bounds) + 1):
            wanted = {"site": parts[0].site, "batch": batch}
            self._connection.execute(f"CREATE OR REPLACE TABLE detections AS {self._steps}", wanted)
            if self._with_clips:
                self._connection.execute(f"CREATE OR REPLACE TABLE clips AS {CLIPS}", wanted)
            yield

    def _bounds(self, parts: Sequence[Part]) -> list[str]:
        """The first recording of each batch but the first, so that batches are about equal."""
        batches = max(1, round(sum(part.size_bytes for part in parts) / _BATCH_BYTES))
        found = self._connection.execute(
            """SELECT min(recording) AS first FROM (
                SELECT recording, ntile($batches) OVER (ORDER BY recording) AS batch FROM recordings WHERE site = $site
            ) GROUP BY batch ORDER BY first OFFSET 1""",
            {"batches": batches, "site": parts[0].site},
        )
        return [first for (first,) in found.fetchall()]

    def _load(self, parts: Sequence[Part], bounds: Sequence[str]) -> None:
        """Bring what may count of the parts into the table ``scored``, and its labels into ``labels``."""
        self._connection.execute(TABLES)
        tables = in_order(lambda part: in_batches(self._read(part), bounds), parts)
        while several := list(itertools.islice(tables, _PARTS_AT_ONCE)):
            _insert(self._connection, "scored", pa.concat_tables(several))
        found = self._connection.sql("SELECT DISTINCT label FROM scored WHERE label IS NOT NULL ORDER BY label")
        labels = [label for (label,) in found.fetchall()]
        names = [names_of(label) for label in labels]
        described = {
            "label": labels,
            "scientific_name": [each.scientific for each in names],
            "common_name": [each.common for each in names],
            "taxon": [each.taxon for each in names],
            "threshold": pa.array([self._threshold(label) for label in labels], pa.float32()),
        }
        _insert(self._connection, "labels", pa.table(described))
        if self.rules.location is not None:
            self._locate(self.rules.location, labels)

    def _locate(self, location: Location, labels: Sequence[str]) -> None:
        """Bring into ``occurring`` which labels occur where and in which week."""
        found = self._connection.sql(
            """SELECT latitude_deg, longitude_deg, week_of(start_time_us) AS week, min(recording)
            FROM scored JOIN places USING (recording) WHERE label IS NOT NULL GROUP BY ALL ORDER BY ALL NULLS FIRST"""
        )
        places = found.fetchall()
        if places and places[0][0] is None:
            raise ConfigError(
                f"the recording {places[0][3]} does not know its position; --lat and --lon give one to those that don't"
            )
        model = open_location_model(location.bundle)
        for table in occurring(model, location.least, [place[:3] for place in places], labels):
            _insert(self._connection, "occurring", table)

    def _read(self, part: Part) -> pa.Table:
        content = read_part(self.found.output, part)
        layout = self.found.layout
        least = self._any_probability if self.rules.smooth else self._threshold
        wanted = rows_of(content, layout, least)
        if self.rules.smooth or self._with_clips:
            return pa.concat_tables([wanted, clips_of(content, layout)])
        return wanted

    def _any_probability(self, label: str) -> float | None:
        return None if self._threshold(label) is None else 0.0

    def _threshold(self, label: str) -> float | None:
        if label not in self._thresholds:
            self._thresholds[label] = self.rules.threshold(label)
        return self._thresholds[label]


@contextlib.contextmanager
def opened(found: Found, rules: Rules, *, with_clips: bool = False) -> Iterator[Query]:
    """A query on results, with the recordings tables of their output; its temporary files are deleted at the end.

    Args:
        found: the results.
        rules: by which a probability counts.
        with_clips: the scored clips are asked for, whether anything counts in them or not.

    Raises:
        ConfigError: the rules ask for what these results can't give, a recordings table is missing, or the location
            model is.
        BirddaskError: the disk for temporary files is full.
    """
    in_steps = steps(rules, found.clip)
    if rules.location is not None:
        open_location_model(rules.location.bundle)
    with (
        tempfile.TemporaryDirectory(prefix="birddask-") as spill,
        duckdb.connect(f"{spill}/detections.duckdb", config=_settings(spill)) as connection,
    ):
        with _explained():
            connection.execute(MACROS + TABLES)
            if rules.location is not None:
                connection.execute(places_view(rules.location))
            for table in used_recordings(read_scans(found.output)):
                _insert(connection, "recordings", table)
        yield Query(found, rules, connection, in_steps, with_clips)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise BirddaskError(
            f"the tables could not be queried: {error}; the environment variable TMPDIR names the folder for temporary "
            "files"
        ) from error


def _insert(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    connection.register("arriving", table)
    connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM arriving")
    connection.unregister("arriving")


def _settings(spill: str) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": _MEMORY,
        "threads": _THREADS,
        "temp_directory": spill,
        # All that is needed is built in; the network is not for queries.
        "autoinstall_known_extensions": False,
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
