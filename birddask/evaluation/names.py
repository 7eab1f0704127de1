"""Names in annotations as they are compared, and those that are not the model's: codes of eBird, other languages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from birddask.detections.labels import key_of
from birddask.documents import csv_rows
from birddask.errors import ConfigError
from birddask.evaluation.annotations import Annotation

_SEPARATORS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def in_one_line(name: str) -> str:
    """A name as tables hold it that have no quotes, such as Raven's: tabs and line ends are spaces."""
    return _SEPARATORS.sub(" ", name)


def read_translation(content: bytes, source: str) -> dict[str, str]:
    """A CSV file with the columns ``name`` and ``label``: what annotations say, and the model's label for it.

    Raises:
        ConfigError: the file is not of that form.
    """
    rows = csv_rows(content, source)
    header = next(rows, [])
    if not {"name", "label"} <= set(header):
        raise ConfigError(f"{source} must be a CSV file whose first line has the columns `name` and `label`")
    pairs = (dict(zip(header, row, strict=False)) for row in rows)
    return {key_of(pair["name"]): pair["label"] for pair in pairs if pair.get("name") and pair.get("label")}


def translated(annotations: Iterable[Annotation], labels: Mapping[str, str]) -> Iterator[Annotation]:
    """The annotations with the model's labels for their names, where there is one."""
    for each in annotations:
        yield replace(each, names=tuple(labels.get(key_of(name), name) for name in each.names))
