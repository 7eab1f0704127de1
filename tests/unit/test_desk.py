from __future__ import annotations

from pathlib import Path

import pytest

from birddask.detections.found import find_results
from birddask.errors import RecordingError
from birddask.job import Job
from birddask.review.desk import set_up
from birddask.review.sample import draw
from tests.support.outputs import made_up, recording


def test_a_recording_that_was_scanned_again_has_no_sound_any_more(tmp_path: Path) -> None:
    """Its detections are drawn until a run has withdrawn them."""
    output = made_up(tmp_path / "out", [recording("marsh/1.wav", 3, superseded=True)], ["wren"])
    output.fill()
    found = find_results(output.folder, None)
    drawn = draw(found, None, 0.0, per_band=1, most=1).drawn
    desk = set_up(Job(str(tmp_path), output.folder.url, "tiny"), found, drawn, ["wren"], "Ann")
    with pytest.raises(RecordingError, match=r"^superseded: marsh/1\.wav was scanned again since it was scored"):
        desk.sound(0)
