"""Annotations as people write them: Raven selection tables, CSV files, and BirdSet's columns in CSV or Parquet.

Which of them a table is follows from its columns, in this order:

1. **Raven**: ``Begin Time (s)`` and ``End Time (s)``, tab-separated. The recording is ``Begin Path`` or ``Begin File``,
   or else the table's own name up to the first of ``.selections`` and ``.Table``. Where the table goes over several
   recordings, ``File Offset (s)`` is the begin in the one that is named. What was heard stands in the first of
   ``NAME_COLUMNS`` that is there.
2. **BirdSet**: ``filepath``, ``start_time``, ``end_time``, and ``ebird_code_multilabel`` or ``ebird_code``; seconds
   (https://huggingface.co/datasets/DBD-research-group/BirdSet).
3. **CSV**: ``recording``, ``start_s``, ``end_s``, ``label``, as ``birddask detections`` writes it.

Times are those of the file, but in the third form of real time. A row that names nothing says that somebody listened
and heard none of it; so does a Raven table without rows.
"""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from birddask.documents import csv_rows
from birddask.errors import ConfigError
from birddask.safe_text import as_written
from birddask.table.parquet import read_columns, read_names

NAME_COLUMNS = ("label", "species", "annotation", "scientific name", "common name", "species code", "code", "tag")
"""Columns of a Raven table that may say what was heard; case does not count."""

_SHOWN = 100
_BEGIN, _END, _OFFSET = "Begin Time (s)", "End Time (s)", "File Offset (s)"
_OWN = ("recording", "start_s", "end_s", "label")
_BIRDSET = ("filepath", "start_time", "end_time")
_BIRDSET_NAMES = ("ebird_code_multilabel", "ebird_code")
_TABLE_SUFFIX = re.compile(r"(\.selections|\.Table)(\..*)?\.(txt|tsv)$", re.IGNORECASE)
_PLAIN_SUFFIX = re.compile(r"\.(txt|tsv)$", re.IGNORECASE)

Row = Mapping[str, object]


class _WithoutQuotes(csv.excel_tab):
    """Text in columns that are separated by tabs; a quote is a letter as others are."""

    quoting = csv.QUOTE_NONE


@dataclass(frozen=True, slots=True)
class Annotation:
    """What somebody heard.

    Attributes:
        recording: as the table names it: a path or a file name, perhaps without its extension.
        start_us: in microseconds behind the begin of the recording.
        names: of what was heard; none if there was nothing.
        in_file: whether times are those of the file, which leaves out the silence that a triggered recorder cut out.
    """

    recording: str
    start_us: int
    end_us: int
    names: tuple[str, ...]
    in_file: bool = True


def read_annotations(content: bytes, source: str) -> Iterator[Annotation]:
    """The annotations of one table.

    Args:
        content: the file.
        source: its name or place; the extension tells how it is to be read.

    Raises:
        ConfigError: it is none of the forms, or a row has no time or no recording.
    """
    columns, rows = _parquet(content, source) if source.lower().endswith(".parquet") else _text_table(content, source)
    if {_BEGIN, _END} <= set(columns):
        return _raven(columns, rows, source)
    if set(_BIRDSET) <= set(columns) and not set(_BIRDSET_NAMES).isdisjoint(columns):
        return _birdset(columns, rows, source)
    if set(_OWN) <= set(columns):
        return _own(rows, source)
    raise ConfigError(
        f"{source} is no table of annotations that is known: it has the columns {', '.join(columns) or 'none'}; needed "
        f"are {', '.join(_OWN)}, or those of a Raven selection table or of BirdSet"
    )


def _parquet(content: bytes, source: str) -> tuple[Sequence[str], Iterator[Row]]:
    try:
        columns = read_names(content)
        wanted = [name for name in columns if name in {*_OWN, *_BIRDSET, *_BIRDSET_NAMES}]
        values = read_columns(content, wanted)
    except (ValueError, OSError) as error:
        raise ConfigError(f"{source} is not a Parquet file: {error}") from error
    return columns, (dict(zip(wanted, row, strict=True)) for row in zip(*values, strict=True))


def _text_table(content: bytes, source: str) -> tuple[Sequence[str], Iterator[Row]]:
    rows = csv_rows(content, source, _WithoutQuotes if _PLAIN_SUFFIX.search(source) else csv.excel)
    columns = next(rows, [])
    # A row that is too short lacks cells; lines without any are left out.
    return columns, ({**dict.fromkeys(columns), **dict(zip(columns, row, strict=False))} for row in rows if row)


def _raven(columns: Sequence[str], rows: Iterator[Row], source: str) -> Iterator[Annotation]:
    by_key = {name.casefold(): name for name in columns}
    names = next((by_key[name] for name in NAME_COLUMNS if name in by_key), None)
    if names is None:
        raise ConfigError(
            f"{source} does not say what was heard: name that column `Species` (there: {', '.join(columns)})"
        )
    recording = next((name for name in ("Begin Path", "Begin File") if name in columns), None)
    own_name = _TABLE_SUFFIX.sub("", source) if _TABLE_SUFFIX.search(source) else _PLAIN_SUFFIX.sub("", source)
    if recording is None:
        yield Annotation(own_name, 0, 0, ())
    for number, row in enumerate(rows, start=2):
        place = f"{source}, line {number}"
        start_us, end_us = _time(row, _BEGIN, place), _time(row, _END, place)
        if row.get(_OFFSET):
            offset_us = _time(row, _OFFSET, place)
            start_us, end_us = offset_us, offset_us + end_us - start_us
        where = own_name if recording is None else _filled(row, recording, place)
        yield _annotation(where, (start_us, end_us), [str(row[names] or "")], place)


def _birdset(columns: Sequence[str], rows: Iterator[Row], source: str) -> Iterator[Annotation]:
    names = next(name for name in _BIRDSET_NAMES if name in columns)
    for number, row in enumerate(rows, start=2):
        place = f"{source}, row {number}"
        times_us = _time(row, "start_time", place), _time(row, "end_time", place)
        yield _annotation(_filled(row, "filepath", place), times_us, _several(row[names], place), place)


def _own(rows: Iterator[Row], source: str) -> Iterator[Annotation]:
    for number, row in enumerate(rows, start=2):
        place = f"{source}, row {number}"
        where, name = (as_written(str(row[column] or "")) for column in ("recording", "label"))
        if not where:
            raise ConfigError(f"{place}: `recording` is empty")
        times_us = _time(row, "start_s", place), _time(row, "end_s", place)
        yield _annotation(where, times_us, [name], place, in_file=False)


def _annotation(
    recording: str, times_us: tuple[int, int], names: Sequence[str], place: str, *, in_file: bool = True
) -> Annotation:
    if times_us[1] < times_us[0]:
        raise ConfigError(f"{place}: it ends before it begins")
    heard = tuple(name.strip() for name in names if name.strip())
    return Annotation(recording.replace("\\", "/"), *times_us, heard, in_file)


def _filled(row: Row, column: str, place: str) -> str:
    text = str(row[column] or "")
    if not text:
        raise ConfigError(f"{place}: `{column}` is empty")
    return text


def _time(row: Row, column: str, place: str) -> int:
    """Seconds as microseconds."""
    try:
        return round(float(str(row[column])) * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{place}: `{column}` is {row[column]!r}, which is no number of seconds") from error


def _several(value: object, place: str) -> list[str]:
    """The names in a cell of BirdSet's: a list, a list as Python writes it, or one name."""
    text = value if isinstance(value, str) else ""
    if text.startswith("["):
        try:
            value = ast.literal_eval(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:  # as its documentation says
            raise ConfigError(f"{place}: {text[:_SHOWN]!r} is no list of names") from error
    names = value if isinstance(value, list) else [value]
    if any(isinstance(name, int) for name in names):
        raise ConfigError(
            f"{place}: the codes are numbers; write their names (`int2str` of the data set's feature makes them)"
        )
    return [str(name) for name in names if name is not None]
