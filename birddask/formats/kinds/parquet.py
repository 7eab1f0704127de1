"""birddask's own columns as a Parquet file (https://parquet.apache.org/docs/file-format); times in microseconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from birddask.detections.query import Columns
from birddask.formats.format import Context, Rows, literal
from birddask.storage import Folder, spooled
from birddask.table.parquet import TIME, WORD

_SCHEMA = pa.schema(
    [
        ("site", WORD),
        ("recording", WORD),
        ("recorder", WORD),
        ("clip", pa.int64()),
        ("start_us", pa.int64()),
        ("end_us", pa.int64()),
        ("start_time", TIME),
        ("label", WORD),
        ("scientific_name", WORD),
        ("common_name", WORD),
        ("probability", pa.float32()),
        ("clips", pa.int32()),
        ("latitude_deg", pa.float64()),
        ("longitude_deg", pa.float64()),
        ("model", WORD),
    ]
)
_ROWS_PER_GROUP = 200_000


@dataclass(frozen=True)
class ParquetTable:
    """One Parquet file with the types of birddask's other tables."""

    extension: str = ".parquet"
    per_recording: bool = False

    def columns(self, context: Context) -> Columns:
        """The columns of the file."""
        made = {"start_time": "start_time_us", "model": literal(context.model)}
        return {name: made.get(name, name) for name in _SCHEMA.names}

    def save(self, rows: Rows, folder: Folder, name: str) -> None:
        """Write the file."""
        with spooled(folder, name) as stream, pq.ParquetWriter(stream, _SCHEMA, compression="zstd") as writer:
            for group in _groups(rows):
                writer.write_table(group)


def _groups(rows: Rows) -> Iterator[pa.Table]:
    """Rows in groups of some size: small ones cost whoever reads them."""
    waiting: list[pa.RecordBatch] = []
    for batch in rows:
        waiting.append(batch.cast(_SCHEMA))
        if sum(each.num_rows for each in waiting) >= _ROWS_PER_GROUP:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()


FORMAT = ParquetTable()
