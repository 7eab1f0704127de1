"""What stands beside an output: how it came about, so that nobody has to remember it."""

from __future__ import annotations

import importlib.metadata

from birddask.detections.found import Found
from birddask.detections.rules import Rules
from birddask.documents import to_json


def about_file(found: Found, rules: Rules, detections: int) -> bytes:
    """A JSON file with the model, its licence and clips, the rules in words and numbers, and the number of rows."""
    about = {
        "written_by": f"birddask {importlib.metadata.version('birddask')}",
        "results": found.name,
        "detections": detections,
        "rules": rules.lines(),
        "thresholds": dict(rules.thresholds.by_name),
        "threshold_of_others": rules.thresholds.others,
        "species": None if rules.species is None else sorted(rules.species),
        **found.metadata,
    }
    return to_json(about)
