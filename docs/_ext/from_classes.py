"""Keys of documents and columns of tables, with what the docstrings of their classes say of them."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from birddask.recordings.recording import About, Recording
from birddask.review.answers import Answer, answers_file
from birddask.review.sample import Drawn
from birddask.table.clip_table import ClipRow, clips_file
from birddask.table.scans import scan_file

_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    Path: "path",
    datetime: "time with its offset from UTC",
    typing.Any: "anything",
}
_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_dictionary, "text"),
    (pa.types.is_string, "text"),
    (pa.types.is_integer, "whole number"),
    (pa.types.is_floating, "number"),
    (pa.types.is_boolean, "true or false"),
    (pa.types.is_timestamp, "time, UTC"),
    (pa.types.is_list, "list"),
)
_TABLES: Mapping[str, tuple[Callable[[], bytes], Sequence[type]]] = {
    "recordings": (lambda: scan_file([], ""), (Recording, About)),
    "clips": (lambda: clips_file([]), (ClipRow,)),
    "annotations": (lambda: answers_file([]), (Drawn, Answer)),
}
_ATTRIBUTE_OF = {"recording": "path"}
"""Columns that have another name than the attribute they hold, beside times, which lose their unit."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def word_table(words: Mapping[object, str]) -> str:
    """Codes and what they mean."""
    return table(("", ""), [(f"`{code}`", words[code]) for code in words])


def key_table(cls: type) -> str:
    """What a document is, and its keys: each with its type, its default, and what it means."""
    hints, meanings = typing.get_type_hints(cls, include_extras=False), meanings_of(cls)
    rows = [
        (f"`{field.name}`", _value(hints[field.name], field), _default(field), meanings.get(field.name, ""))
        for field in dataclasses.fields(cls)
    ]
    summary = markdown(inspect.cleandoc(cls.__doc__ or "").partition("\n\nAttributes:")[0])
    return f"{summary}\n\n" + (table(("key", "value", "default", "meaning"), rows) if rows else "")


def column_table(name: str) -> str:
    """The columns of a table that birddask writes, from a file without rows."""
    make, classes = _TABLES[name]
    meanings = {key: text for cls in classes for key, text in meanings_of(cls).items()}
    rows = []
    for field in pq.read_schema(pa.BufferReader(make())):
        kind = next(words for is_of_kind, words in _KINDS if is_of_kind(field.type))
        called = (field.name, f"{field.name}_us", _ATTRIBUTE_OF.get(field.name, ""))
        meaning = next((meanings[each] for each in called if each in meanings), "")
        rows.append((f"`{field.name}`", kind, meaning.removeprefix("microseconds since 1970 UTC, ")))
    return table(("column", "holds", "meaning"), rows)


def meanings_of(cls: type) -> dict[str, str]:
    """What the docstrings of a class say of its attributes and properties, as Markdown."""
    doc = inspect.cleandoc(cls.__doc__ or "")
    said = {name: markdown(re.sub(r"\s+", " ", text)) for name, text in _ATTRIBUTE.findall(doc)}
    for name, value in vars(cls).items():
        if isinstance(value, property) and value.__doc__:
            said[name] = markdown(value.__doc__.partition("\n")[0])
    kind = typing.get_type_hints(cls).get("kind")
    return {"kind": "which it is"} | said if typing.get_origin(kind) is typing.Literal else said


def markdown(docstring: str) -> str:
    """A docstring as Markdown, in the words of files: what is None in Python is ``null`` in YAML."""
    return re.sub(r"\bNone\b", "`null`", docstring.replace("``", "`"))


def type_words(hint: object) -> str:  # noqa: PLR0911 - a line for each kind of type
    """What may stand for a key."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return type_words(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        words = ["`null`" if each is type(None) else type_words(each) for each in arguments]
        first = ", ".join(words[:-1])
        return f"{first}, or a list of them" if words[-1] == f"list of {first}" else ", ".join(words)
    if origin in (tuple, list):
        return f"list of {type_words(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"keys with values of {type_words(arguments[1])}"
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return _PLAIN[hint]  # type: ignore[index]


def _value(hint: object, field: dataclasses.Field[object]) -> str:
    words = type_words(hint)
    return words.removesuffix(", `null`") if field.default is None else words


def _default(field: dataclasses.Field[object]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "none"
    if field.default is dataclasses.MISSING:
        return "needed"
    if field.default in (None, (), "") or dataclasses.is_dataclass(field.default):
        return "none"
    return f"`{field.default}`"
