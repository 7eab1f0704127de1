"""What a run leaves of itself, and what ``status`` makes of it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from birddask.commands.lines import ended_lines, status_lines
from birddask.engine import Control
from birddask.engine.events import Advanced, Begun, BlockFailed, Crew, Stalled, unwatched
from birddask.errors import BirddaskError, ConfigError, Stopped
from birddask.job import Job
from birddask.verbs import notes
from birddask.verbs.blocks import run
from birddask.verbs.notes import RunNote, noted, recent_notes
from birddask.verbs.prepared import Prepared, prepare
from birddask.verbs.status import status
from tests.support.sounds import noise, write_wav


@pytest.fixture
def prepared(tmp_path: Path, tiny_bundle: Path) -> Prepared:
    for site in ("marsh", "moor", "ridge"):
        write_wav(tmp_path / f"archive/{site}/20240601_050000.wav", noise(9, 8000), 8000)
    return prepare(Job(str(tmp_path / "archive"), str(tmp_path / "out"), str(tiny_bundle), block_mib=0.02))


def note_of(prepared: Prepared) -> RunNote:
    return recent_notes(prepared.job.output_folder)[-1]


def lines(prepared: Prepared, now: datetime | None = None) -> str:
    return "\n".join(status_lines(status(prepared), now or datetime.now(UTC)))


def test_a_run_is_seen_while_it_goes_on(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_BEAT_EVERY_S", 0.05)
    with noted("run", prepared) as notebook:
        assert "0 workers; it only began; heard 0 s ago" in lines(prepared)
        watch = notebook.watching(unwatched)
        watch(Begun("scan", None, "files", None))
        watch(Crew(3, 6))
        watch(Begun("run", 40, "blocks", None))
        watch(Advanced(2, 60.0))
        watch(BlockFailed(17, "no luck"))
        watch(Stalled("block 3", "tcp://10.0.0.3:1", 700.0))
        deadline = time.monotonic() + 10
        while not note_of(prepared).stalled:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        note = note_of(prepared)
        assert (note.state, note.done, note.total, note.audio_s, note.workers) == ("running", 2, 40, 60.0, 3)
        assert note.failures == {17: "no luck"}
        now = lines(prepared)
        assert "running: run of " in now
        assert "3 workers; run: 2 of 40 blocks; heard 0 s ago" in now
        assert "block 17 failed: no luck" in now
        assert "ran for very long: block 3 on tcp://10.0.0.3:1" in now
        later = lines(prepared, datetime.now(UTC) + timedelta(minutes=14))
        assert "broken off: run of " in later
        assert "nothing was heard of it for 14 min" in later
        notebook.close("incomplete")
    assert note_of(prepared).state == "incomplete"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Stopped("as asked"), "stopped"),
        (KeyboardInterrupt(), "stopped"),
        (BirddaskError("the cluster is gone"), "failed"),
        (ZeroDivisionError(), "failed"),
    ],
)
def test_how_a_run_broke_off_is_noted(error: BaseException, state: str, prepared: Prepared) -> None:
    with pytest.raises(type(error)), noted("run", prepared):
        raise error
    note = note_of(prepared)
    assert (note.state, note.message) == (state, str(error) or type(error).__name__)
    assert f"{state}: run of " in lines(prepared)


def test_notes_of_another_version_are_left_alone(prepared: Prepared) -> None:
    folder = prepared.job.output_folder
    with noted("run", prepared) as notebook:
        notebook.close("complete")
    folder.publish("runs/20990101T000000000000Z-run.json", json.dumps({"verb": "run", "complete": True}).encode())
    assert [note.state for note in recent_notes(folder)] == ["complete"]


def test_asked_to_stop_a_run_counts_what_is_done_and_can_go_on(prepared: Prepared, control: Control) -> None:
    seen: list[object] = []

    def some_done() -> bool:
        return any(isinstance(event, Advanced) and event.audio_s for event in seen)

    ended = run(prepared, replace(control, watch=seen.append, stopping=some_done))
    assert (ended.stopped, ended.complete) in [(True, False), (True, True)]
    assert note_of(prepared).state in ("stopped", "complete")
    assert "stopped as asked" in "\n".join(ended_lines(ended))
    assert run(prepared, control).complete


def test_asked_to_stop_during_the_scan_nothing_is_taken_for_vanished(prepared: Prepared, control: Control) -> None:
    with pytest.raises(Stopped):
        run(prepared, replace(control, stopping=lambda: True))
    assert note_of(prepared).state == "stopped"
    ended = run(prepared, control)
    assert ended.complete
    assert ended.growth is not None
    assert (ended.growth.new, ended.growth.vanished) == (3, 0)


def test_without_a_scan_or_a_run_there_is_no_status(prepared: Prepared) -> None:
    with pytest.raises(ConfigError, match="was scanned into"):
        status(prepared)
