"""The tests by which docs/laws.md proves what is promised are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAWS = re.split(r"^## ", (ROOT / "docs/laws.md").read_text(), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.splitlines()[0])
def test_each_law_names_tests_that_exist(law: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", law)
    assert len(named) >= 5
    for path, name in named:
        functions = [
            node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)
        ]
        assert name in functions, f"{path} has no {name}"


def test_there_are_five() -> None:
    assert [law[0] for law in LAWS] == list("12345")
