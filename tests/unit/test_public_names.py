from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys

import pytest

import birddask
from tests.support.program import birddask as program
from tests.support.surface import PINNED, surface


def test_the_public_names_the_commands_and_what_they_take_are_these() -> None:
    """Change them if you mean to: ``python -m tests.support.surface`` writes them anew, the changelog tells of it."""
    assert surface() == PINNED.read_text()


def test_each_public_name_is_there_and_listed_once() -> None:
    assert birddask.__all__ == sorted(set(birddask.__all__)) == dir(birddask)
    for name in birddask.__all__:
        home = importlib.import_module(getattr(birddask, name).__module__)
        assert getattr(home, name) is getattr(birddask, name)


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        _ = birddask.walk  # type: ignore[attr-defined]


def test_help_loads_none_of_the_heavy_libraries() -> None:
    heavy = "{'dask', 'distributed', 'numpy', 'onnxruntime', 'pyarrow', 'zarr', 'fsspec', 'pydantic', 'soundfile'}"
    look = f"import sys, birddask.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_program_says_its_version() -> None:
    assert program("--version").stdout == f"birddask {importlib.metadata.version('birddask')}\n"
