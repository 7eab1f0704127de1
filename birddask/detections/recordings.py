"""What detections tell of their recordings: from the recordings tables, for those that were used."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from birddask.outputs import Scans

COLUMNS = {
    "recording": "VARCHAR",
    "site": "VARCHAR",
    "sample_rate_hz": "BIGINT",
    "frames": "BIGINT",
    "segments": "STRUCT(first_frame BIGINT, file_frame BIGINT, frames BIGINT)[]",
    "latitude_deg": "DOUBLE",
    "longitude_deg": "DOUBLE",
    "utc_offset_min": "BIGINT",
}
"""Names and SQL types, as in the recordings tables."""


def used_recordings(scans: Scans) -> Iterator[pa.Table]:
    """The rows of usable recordings that were not superseded, table by table."""
    for number in range(scans.tables):
        file = pq.ParquetFile(pa.BufferReader(scans.content(number)))
        table = file.read(columns=["status", "superseded", *COLUMNS], use_threads=False)
        used = pc.and_(pc.equal(table["status"].cast(pa.string()), "usable"), pc.invert(table["superseded"]))
        yield table.filter(used).select(list(COLUMNS))
