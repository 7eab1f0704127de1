"""Parquet files as bytes, built in memory: the same rows give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

TIME = pa.timestamp("us", tz="UTC")
WORD = pa.dictionary(pa.int32(), pa.string())
_METADATA_KEY = b"birddask"


def to_bytes(table: pa.Table, metadata: Mapping[str, object], repeating: Sequence[str] | None = None) -> bytes:
    """A table as a Parquet file.

    Args:
        table: the rows.
        metadata: of our own, kept as JSON.
        repeating: columns whose values repeat, for which there are dictionaries; None for all.
    """
    if metadata:
        text = json.dumps(metadata, sort_keys=True)
        table = table.replace_schema_metadata({_METADATA_KEY: text.encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=True if repeating is None else list(repeating))
    return bytes(sink.getvalue())


def read_columns(content: bytes, names: Sequence[str]) -> list[list[object]]:
    """Columns of a file as Python values, in the order of ``names``; times as microseconds since 1970 UTC."""
    # Not `read_table`: the threads that it starts now and then abort the interpreter when it ends soon after.
    table = pq.ParquetFile(pa.BufferReader(content)).read(columns=list(names), use_threads=False)
    return [_values(table.column(name)) for name in names]


def read_names(content: bytes) -> list[str]:
    """The names of a file's columns."""
    names: list[str] = pq.read_schema(pa.BufferReader(content)).names
    return names


def read_metadata(content: bytes) -> dict[str, object]:
    """What a file records about where its numbers come from."""
    stored = pq.read_schema(pa.BufferReader(content)).metadata
    metadata: dict[str, object] = json.loads(stored[_METADATA_KEY])
    return metadata


def _values(column: pa.ChunkedArray) -> list[object]:
    if column.type == TIME:
        column = column.cast(pa.int64())
    elif column.type == WORD:
        # A dictionary becomes Python values a hundred times slower than plain strings do.
        column = column.cast(pa.string())
    values: list[object] = column.to_pylist()
    return values
