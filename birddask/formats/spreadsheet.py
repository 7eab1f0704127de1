"""CSV files by RFC 4180 (UTF-8, lines end with CR LF, quotes only where needed), safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from birddask.detections.query import Columns
from birddask.formats.format import Context, Rows, literal
from birddask.safe_text import FORMULA
from birddask.storage import Folder, spooled


@dataclass(frozen=True)
class Spreadsheet:
    """A CSV file with these columns; null is an empty field."""

    make_columns: Callable[[Context], Columns]
    extension: str = ".csv"
    per_recording: bool = False

    def columns(self, context: Context) -> Columns:
        """The columns of the file."""
        return self.make_columns(context)

    def save(self, rows: Rows, folder: Folder, name: str) -> None:
        """Write the file."""
        header = False
        with spooled(folder, name) as stream:
            for batch in rows:
                if not header:
                    stream.write(csv_lines([batch.schema.names]))
                    header = True
                stream.write(csv_lines(zip(*(column.to_pylist() for column in batch.columns), strict=True)))


def csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    """Rows as lines of a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def guarded(words: str) -> str:
    """SQL for ``birddask.safe_text.safe`` of an SQL text."""
    return rf"regexp_replace({words}, {literal(FORMULA)}, '''\0')"
