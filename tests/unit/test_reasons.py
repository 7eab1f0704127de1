from __future__ import annotations

import ast
from pathlib import Path

import pytest

from birddask.recordings.reasons import FLAGS, IGNORED, QUARANTINED

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("code", [*QUARANTINED, *IGNORED, *FLAGS])
def test_the_readme_explains_every_code_in_the_same_words(code: str) -> None:
    words = {**QUARANTINED, **IGNORED, **FLAGS}[code]
    assert f"| `{code}` | {words} |" in (ROOT / "README.md").read_text()


def test_every_recording_error_has_a_code_that_is_explained() -> None:
    raised = set()
    for path in (ROOT / "birddask").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
            if name == "RecordingError" and isinstance(node.args[0], ast.Constant):
                raised.add(node.args[0].value)
    assert {"no_header", "changed", "unreadable"} <= raised <= set(QUARANTINED)
