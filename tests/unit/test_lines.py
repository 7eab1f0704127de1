from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from birddask.accounting import Accounting, RecordingCounts, StageCounts, accounting_lines, recordings_lines
from birddask.commands.lines import ended_lines, intention_lines, job_lines
from birddask.job import Job
from birddask.verbs.blocks import Ended
from birddask.verbs.dtypes import Stored
from birddask.verbs.prepared import prepare
from birddask.verbs.status import Intention

RECORDINGS = RecordingCounts(6, 3, 2, 1, 1.5, {"empty": 1, "truncated": 1}, {"not_audio": 1})
MELS = StageCounts(3, 2, 90, 50, 5, 5, 30)
SCORES = StageCounts(3, 1, 90, 20, 5, 5, 60)
ALL_SCORED = StageCounts(3, 3, 90, 80, 5, 5, 0)
ENDED = Ended(Accounting(RECORDINGS, MELS, SCORES), False, 2, 7200.0, 10.0, {})

RECORDING_LINES = [
    "recordings: 6 found = 3 usable (1.50 h) + 2 quarantined + 1 ignored",
    "  quarantined: 1 x empty",
    "  quarantined: 1 x truncated",
    "  ignored: 1 x not_audio",
]
ACCOUNTING_LINES = [
    *RECORDING_LINES,
    "mels: 90 clips planned = 50 made + 5 silent + 5 quarantined + 30 pending (2 of 3 blocks)",
    "scores: 90 clips planned = 20 scored + 5 silent + 5 quarantined + 60 pending (1 of 3 blocks)",
]


def test_recordings_are_shown_with_every_reason() -> None:
    assert list(recordings_lines(RECORDINGS)) == RECORDING_LINES


def test_an_accounting_is_shown_with_every_number() -> None:
    assert list(accounting_lines(ENDED.accounting)) == ACCOUNTING_LINES


def test_a_run_that_left_something_says_so() -> None:
    assert list(ended_lines(ENDED)) == [
        "done: 2 blocks, 2.00 h of audio in 10.0 s, 720x real time",
        *ACCOUNTING_LINES,
        "not complete: 30 clips have no mels yet; `birddask run` goes on with them",
    ]


def test_failures_are_shown_in_the_order_of_blocks() -> None:
    lines = list(ended_lines(replace(ENDED, failures={11: "no [disk]", 2: "died"})))
    assert lines[-3:-1] == ["block 2 failed: died", "block 11 failed: no [disk]"]


def test_a_complete_run_needs_no_advice() -> None:
    accounting = Accounting(RECORDINGS, ALL_SCORED, ALL_SCORED)
    lines = list(ended_lines(replace(ENDED, accounting=accounting, complete=True)))
    assert lines[-1].startswith("scores: 90 clips planned = 80 scored")


def test_a_run_with_nothing_to_do_says_so() -> None:
    ended = Ended(Accounting(RECORDINGS, ALL_SCORED, ALL_SCORED), True, 0, 0.0, 0.1, {})
    lines = list(ended_lines(ended))
    assert lines[0].startswith("recordings:")
    assert lines[-1] == "nothing is left to do"


def test_a_job_is_shown_with_every_setting() -> None:
    lines = list(job_lines(Job("sounds", "s3://bucket/out", "tiny", floor=0.2)))
    top = [line.strip().split(":")[0] for line in lines if not line.startswith("    ")]
    assert top == [field.name for field in fields(Job)]
    assert "  floor: 0.2" in lines


@pytest.mark.parametrize(("overlap_s", "hop"), [(None, "1"), (0.75, "0.25")])
def test_an_intention_says_what_would_be_done(
    overlap_s: float | None, hop: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    prepared = prepare(Job("sounds", str(tmp_path / "out"), str(tiny_bundle), overlap_s=overlap_s))
    store = prepared.store()
    stored = (Stored("float16", 1 << 20, None), Stored("float32", 40 << 20, 2e-5))
    intention = Intention(RECORDINGS, 4, {"marsh": 70, "moor": 20}, 3, 2, store, stored, 512 << 20, 7325.0)
    lines = list(intention_lines(prepared, intention))
    expected = [
        *job_lines(prepared.job),
        f"model: A model for tests, Apache-2.0; clips of 1 s every {hop} s at 8000 Hz",
        *RECORDING_LINES,
        "new files: 4",
        f"plan: 90 clips in 3 blocks of up to {store.clips_per_block}, 2 blocks to do",
        "  site marsh: 70 clips",
        "  site moor: 20 clips",
        f"store: {store.folder.url}",
        "  float16: at most 90.0 MiB before compression; can't hold the mels of the model's known clip",
        (
            "  float32, as in this job: at most 3.52 GiB before compression; "
            "scores of the model's known clip change by up to 2e-05"
        ),
        "memory: about 0.50 GiB a worker",
        "time: about 2 h 2 min for one worker like this machine's, shared between all workers",
        f"probabilities: {prepared.results.folder.url}, wide tables",
        "nothing was written",
    ]
    assert lines == expected
    assert not (tmp_path / "out").exists()
