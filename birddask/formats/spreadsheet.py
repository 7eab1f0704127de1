"""CSV files by RFC 4180 (UTF-8, lines end with CR LF, quotes only where needed), safe to open in a spreadsheet.

A spreadsheet takes a text for a formula that begins with ``=``, ``+``, ``-`` or ``@``, also of full width, or with a
tab or a line end. It gets an apostrophe in front (OWASP: https://owasp.org/www-community/attacks/CSV_Injection), and so
does a text that looks as if it had got one: whoever takes one away has the text as it was.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from birddask.detections.query import Columns
from birddask.formats.format import Context, Rows, literal
from birddask.storage import Folder, spooled

_OF_FULL_WIDTH = "".join(chr(ord(sign) + 0xFEE0) for sign in "=+-@")
# As DuckDB and Python read it.
_FORMULA = rf"^'*[=+\-@\t\r\n{_OF_FULL_WIDTH}]"


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


def safe(text: str) -> str:
    """A text as no spreadsheet takes it for a formula."""
    return re.sub(_FORMULA, r"'\g<0>", text)


def guarded(words: str) -> str:
    """SQL for ``safe`` of an SQL text."""
    return rf"regexp_replace({words}, {literal(_FORMULA)}, '''\0')"


def as_written(text: str) -> str:
    """The text of which ``safe`` made this one."""
    return text[1:] if text.startswith("'") and re.match(_FORMULA, text) else text
