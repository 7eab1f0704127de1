"""What the documentation takes from the code is complete: nothing that a user can write or read goes unexplained."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
import re
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import birddask
from birddask.recordings import audiomoth
from birddask.recordings.reasons import CLIP_STATUSES, FILE_STATUSES, FLAGS, IGNORED, QUARANTINED, STOPPED
from birddask.recordings.recording import Status
from birddask.table.clip_table import ClipStatus
from birddask.table.parts import PartLayout, probabilities_file

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

from_classes = importlib.import_module("from_classes")
from_program = importlib.import_module("from_program")


def documents() -> list[type]:
    """Every class of which a file is read, by its mark."""
    found: set[type] = set()
    names = [module.name for module in pkgutil.walk_packages(birddask.__path__, "birddask.")]
    names.remove("birddask.__main__")  # which starts the program
    for name in names:
        for value in vars(importlib.import_module(name)).values():
            if dataclasses.is_dataclass(value) and isinstance(value, type) and "__pydantic_config__" in vars(value):
                found.add(value)
    return sorted(found, key=lambda each: each.__name__)


@pytest.mark.parametrize("cls", documents(), ids=lambda cls: cls.__name__)
def test_every_key_of_every_file_has_a_meaning_and_a_place(cls: type) -> None:
    meanings = from_classes.meanings_of(cls)
    assert [field.name for field in dataclasses.fields(cls) if not meanings.get(field.name)] == []
    assert re.search(
        rf"^### {cls.__name__}\n\n(`kind: \w+`\n\n)?```{{keys}} [\w.]+:{cls.__name__}\n", page("files"), re.MULTILINE
    )


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("name", ["recordings", "clips", "annotations"])
def test_every_column_of_every_table_has_a_meaning(name: str) -> None:
    rows = rows_of(from_classes.column_table(name))
    assert len(rows) > 10
    assert [row for row in rows if not all(row)] == []


def test_a_key_is_told_with_its_type_its_default_and_its_meaning() -> None:
    rows = {row[0]: row[1:] for row in rows_of(from_classes.key_table(birddask.Job).partition("\n\n")[2])}
    assert rows["`floor`"] == ["number", "`0.01`", "smallest probability kept in a long table."]
    assert rows["`dtype`"] == [
        "`uint8`, `float16`, `float32`",
        "none",
        "how mels are stored; `null` takes the model's own.",
    ]
    assert rows["`clocks`"][:2] == ["list of [Clock](#clock)", "none"]
    assert rows["`archive`"][:2] == ["text", "needed"]


@pytest.mark.parametrize("kind", ["long", "wide"])
def test_the_columns_of_probabilities_are_told(kind: str) -> None:
    none = np.empty((0, 2), np.float32)
    schema = pq.read_schema(pa.BufferReader(probabilities_file([], none, ["wren", "owl"], PartLayout(kind, 0), {})))
    told = page("files").partition("## Probabilities")[2].partition("## Detections")[0]
    assert [name for name in schema.names if f"| `{name}` |" not in told and name not in ("wren", "owl")] == []


def test_every_command_and_option_says_what_it_is_for() -> None:
    names = [name for name, _ in from_program.commands()]
    assert {"birddask run", "birddask models get", "birddask review"} <= set(names)
    for name, command in from_program.commands():
        assert command.help, name
        assert [option.name for option in command.params if not option.help] == [], name
    assert from_program.command_sections().count("\n## birddask ") == len(names) - 1


def test_every_recording_error_has_a_code_that_is_explained() -> None:
    raised = set()
    for path in Path(birddask.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
            if name == "RecordingError" and isinstance(node.args[0], ast.Constant):
                raised.add(node.args[0].value)
    assert {"no_header", "changed", "unreadable"} <= raised <= set(QUARANTINED)


def test_every_status_and_every_reason_to_stop_is_explained() -> None:
    assert set(FILE_STATUSES) == set(get_args(Status))
    assert set(CLIP_STATUSES) == set(get_args(ClipStatus))
    assert set(STOPPED) == set(audiomoth._STOP_REASONS.values())  # noqa: SLF001
    for words in ("FILE_STATUSES", "CLIP_STATUSES", "QUARANTINED", "IGNORED", "FLAGS", "STOPPED"):
        assert f"reasons:{words}\n" in page("reasons")
    assert not {*QUARANTINED} & {*IGNORED, *FLAGS}
