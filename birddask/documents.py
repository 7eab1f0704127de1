"""Job files, cluster files and model cards: YAML to frozen dataclasses and back; the text of other files.

The only ``pydantic`` and ``yaml`` imports. A key that is not a field is an error that names the key.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from birddask.errors import ConfigError
from birddask.safe_text import did_you_mean

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic_core import ErrorDetails

T = TypeVar("T")

_DEEPEST = 32
_SHOWN_CHARACTERS = 200

BY_KIND = Field(discriminator="kind")
"""Annotation of a union of documents that are told apart by their ``kind``."""


def document(cls: type[T]) -> type[T]:
    """Mark a frozen dataclass as readable from a document, without unknown keys or numbers that are not finite."""
    return with_config(ConfigDict(extra="forbid", allow_inf_nan=False))(cls)


class _Loader(yaml.SafeLoader):
    """Plain YAML: no aliases, no tags, nothing deep, no key twice, and ``+10:00`` is text rather than of base 60.

    Files may come from anybody. With aliases a few lines become gigabytes as soon as they are shown in a message.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        problem = ""
        if isinstance(event, yaml.AliasEvent):
            problem = f"the alias *{event.anchor} has no place here; write out what it stands for"
        elif event.tag is not None:
            problem = f"the tag {event.tag} has no place here"
        elif self._depth == _DEEPEST:
            problem = f"more than {_DEEPEST} levels, one in another"
        if problem:
            raise yaml.composer.ComposerError(problem=problem, problem_mark=event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_whole_number(self, node: yaml.ScalarNode) -> int | str:
        return str(node.value) if ":" in node.value else self.construct_yaml_int(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, times in Counter(keys).items():
            if times > 1:
                raise yaml.constructor.ConstructorError(problem=f"the key `{key}` stands {times} times")
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole_number)


def utf8_text(content: bytes, source: str) -> str:
    """The text of a file that a user brings; a byte order mark is left out.

    Raises:
        ConfigError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source} is not UTF-8 text; save it as UTF-8: {error}") from error


def csv_rows(content: bytes, source: str, dialect: type[csv.Dialect] = csv.excel) -> Iterator[list[str]]:
    """The rows of a table that a user brings, the header first.

    Raises:
        ConfigError: it is not UTF-8, or a quote that never ends makes one cell of it all.
    """
    reader = csv.reader(io.StringIO(utf8_text(content, source), newline=""), dialect)
    try:
        yield from reader
    except csv.Error as error:
        raise ConfigError(f"{source}, line {reader.line_num}: {error}; is a quote missing?") from error


def parse_yaml(content: bytes | str, source: str) -> dict[str, object]:
    """The mapping at the top of a YAML text.

    Raises:
        ConfigError: not plain YAML, a key stands twice, or no mapping with text keys at the top.
    """
    try:
        parsed = yaml.load(content, _Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date like 2024-13-45
        raise ConfigError(f"{source} is not valid YAML: {error}") from error
    if not isinstance(parsed, dict) or not all(isinstance(key, str) for key in parsed):
        raise ConfigError(f"{source} must hold `key: value` lines at the top level")
    return parsed


def parse(cls: type[T], mapping: Mapping[str, object], source: str) -> T:
    """A document's mapping as an instance of ``cls``.

    Raises:
        ConfigError: every key that is unknown, missing or of the wrong type, one line each, or else a value that the
            class itself refuses.
    """
    try:
        parsed: T = _adapter(cast("Hashable", cls)).validate_python(mapping)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    except ValidationError as error:
        lines = [_explain(cls, details) for details in error.errors()]
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from error
    return parsed


@functools.cache
def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    """Pydantic's reader and writer of a class: milliseconds to make, so made once."""
    return TypeAdapter(cls)


def to_mapping(instance: DataclassInstance) -> dict[str, Any]:
    """A document as plain dicts, lists and scalars, ready for YAML or JSON."""
    mapping: dict[str, Any] = _adapter(type(instance)).dump_python(instance, mode="json")
    return mapping


def to_yaml(instance: DataclassInstance) -> str:
    """A document as YAML text, keys in the order of the fields."""
    return yaml.safe_dump(to_mapping(instance), sort_keys=False, allow_unicode=True, width=100)


def to_json(value: object) -> bytes:
    """A JSON file for people and programs: indented, in UTF-8."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def differences(ours: DataclassInstance, theirs: DataclassInstance) -> list[str]:
    """The fields in which two documents of one kind differ, as ``field: ours, not theirs``."""
    return _differences(to_mapping(ours), to_mapping(theirs), "")


def _differences(ours: object, theirs: object, where: str) -> list[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = [*ours, *(key for key in theirs if key not in ours)]
        nested = (_differences(ours.get(k), theirs.get(k), f"{where}.{k}") for k in keys)
        return [line for lines in nested for line in lines]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        nested = (_differences(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(ours, theirs, strict=True)))
        return [line for lines in nested for line in lines]
    return [] if ours == theirs else [f"{where.lstrip('.')}: {ours!r}, not {theirs!r}"]


def _explain(cls: type[Any], details: ErrorDetails) -> str:
    where = ".".join(str(part) for part in details["loc"])
    if details["type"] == "unexpected_keyword_argument":
        known = [field.name for field in dataclasses.fields(cls)] if "." not in where else []
        hint = did_you_mean(where, known)
        keys = f" (known keys: {', '.join(known)})" if known and not hint else ""
        return f"unknown key `{where}`{hint}{keys}"
    if details["type"] in ("missing", "missing_argument"):
        return f"the key `{where}` is missing"
    found = repr(details["input"])
    shown = found if len(found) <= _SHOWN_CHARACTERS else f"{found[:_SHOWN_CHARACTERS]} ..."
    return f"`{where}`: {details['msg']} (found {shown})"
