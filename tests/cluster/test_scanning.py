from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from distributed import Client

from birddask.access import open_probabilities
from birddask.engine import Control
from birddask.job import Clock, Job
from birddask.outputs import read_scans
from birddask.recordings.recording import Recording, Scanned
from birddask.scanning import scan as scanning
from birddask.scanning.scan import Growth, scan
from birddask.verbs.blocks import Ended, run
from birddask.verbs.prepared import prepare
from birddask.verbs.status import intend
from tests.support.models import TINY_RATE
from tests.support.sounds import noise, wav_bytes, write_wav

SECONDS = 5


@pytest.fixture
def job(tmp_path: Path, tiny_bundle: Path) -> Job:
    archive = tmp_path / "archive"
    for number in range(4):
        add(archive, f"ridge/2025050{number + 1}_040000.wav", number)
    (archive / "ridge/notes.txt").write_text("rain")
    return Job(str(archive), str(tmp_path / "out"), str(tiny_bundle))


def add(archive: Path, path: str, seed: int, seconds: float = SECONDS) -> None:
    write_wav(archive / path, noise(seconds, TINY_RATE, seed), TINY_RATE)


def rows(job: Job) -> dict[str, Scanned]:
    return {row.recording.path: row for row in read_scans(job.output_folder).scanned()}


def reasons(job: Job) -> dict[str, str]:
    return {path: row.recording.reason for path, row in rows(job).items()}


def refuse() -> Client:
    raise AssertionError("a cluster was asked for")


NOTHING = Growth(0, 0, 0, (), (), rule_changed=False)


def test_a_second_scan_finds_nothing_new_and_asks_for_no_cluster(job: Job, control: Control) -> None:
    assert scan(job, control).new == 5
    assert scan(job, Control(refuse)) == NOTHING
    assert read_scans(job.output_folder).tables == 1


def test_a_scan_grows_by_what_is_new(job: Job, control: Control) -> None:
    scan(job, control)
    add(Path(job.archive), "marsh/20250501_040000.wav", 9)
    assert scan(job, control).new == 1
    assert [[row.path for row in table] for table in read_scans(job.output_folder)][1] == ["marsh/20250501_040000.wav"]


def test_what_is_gone_is_reported_and_keeps_its_row(job: Job, control: Control) -> None:
    scan(job, control)
    (Path(job.archive) / "ridge/20250502_040000.wav").unlink()
    (Path(job.archive) / "ridge/notes.txt").unlink()
    growth = scan(job, control)
    assert (growth.vanished, growth.vanished_paths) == (1, ("ridge/20250502_040000.wav",))
    assert len(rows(job)) == 5


def test_a_file_that_was_only_touched_has_not_changed(job: Job, control: Control) -> None:
    scan(job, control)
    os.utime(Path(job.archive) / "ridge/20250502_040000.wav", (1, 1))
    assert scan(job, control) == NOTHING


def test_tables_are_filled_in_the_order_of_the_listing(
    job: Job, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_ROWS_A_TABLE", 2)
    scan(job, control)
    tables = [[row.path for row in table] for table in read_scans(job.output_folder)]
    assert [len(table) for table in tables] == [2, 2, 1]
    assert [path for table in tables for path in table] == sorted(rows(job))


def test_a_scan_that_was_stopped_goes_on_where_it_was(
    job: Job, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_ROWS_A_TABLE", 2)
    scan(job, control)
    folder = Path(job.output) / "recordings"
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "scan-0002.parquet").unlink()
    (folder / "scan-0001.parquet").unlink()
    scan(job, control)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_a_copy_is_used_once(job: Job, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Path(job.archive)
    shutil.copytree(archive / "ridge", archive / "zz copy/of/ridge")
    assert reasons_of_copies(job, control) == {
        f"zz copy/of/ridge/2025050{number}_040000.wav": f"ridge/2025050{number}_040000.wav" for number in (1, 2, 3, 4)
    }
    # Later scans know the recordings of earlier ones, tables those of the tables before.
    shutil.copy(archive / "ridge/20250501_040000.wav", archive / "ridge/20250501_040000 (1).wav")
    monkeypatch.setattr(scanning, "_ROWS_A_TABLE", 1)
    assert "ridge/20250501_040000 (1).wav" in reasons_of_copies(job, control)
    shutil.rmtree(job.output)
    assert len(reasons_of_copies(job, control)) == 5


def reasons_of_copies(job: Job, control: Control) -> dict[str, str | None]:
    scan(job, control)
    return {path: row.about.duplicate_of for path, row in rows(job).items() if row.recording.reason == "duplicate"}


def test_what_only_looks_like_a_copy_is_kept(job: Job, control: Control) -> None:
    archive = Path(job.archive)
    samples = noise(SECONDS, TINY_RATE, 7)
    write_wav(archive / "marsh/20250501_050000.wav", samples, TINY_RATE)
    # The same first bytes and length, but another end; the same bytes at another time; nothing but zeros.
    samples[-1] += 1
    write_wav(archive / "moor/20250501_050000.wav", samples, TINY_RATE)
    shutil.copy(archive / "marsh/20250501_050000.wav", archive / "marsh/20250501_060000.wav")
    for site in ("heath", "fen"):
        write_wav(archive / f"{site}/20250501_050000.wav", np.zeros(TINY_RATE, np.int16), TINY_RATE)
    scan(job, control)
    assert set(reasons(job).values()) == {"", "not_audio"}


def test_a_dry_run_marks_copies_too_and_writes_nothing(
    job: Job, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_ROWS_A_TABLE", 2)
    archive = Path(job.archive)
    shutil.copy(archive / "ridge/20250501_040000.wav", archive / "ridge/20250501_040000 (1).wav")
    intention = intend(prepare(job), control)
    assert (intention.new_files, intention.recordings.usable) == (6, 4)
    assert dict(intention.recordings.ignore_reasons) == {"duplicate": 1, "not_audio": 1}
    assert intention.worker_s > 0
    assert not Path(job.output).exists()


def ran(job: Job, control: Control, *, refreshed: bool = False) -> Ended:
    return run(prepare(job), control, refreshed=refreshed)


def probabilities(job: Job) -> dict[str, list[tuple[int, str, float]]]:
    found: dict[str, list[tuple[int, str, float]]] = {}
    columns = ["recording", "offset_us", "top_label", "top_probability"]
    for row in open_probabilities(job.output).to_table(columns=columns).sort_by("offset_us").to_pylist():
        found.setdefault(row["recording"], []).append((row["offset_us"], row["top_label"], row["top_probability"]))
    return found


def test_a_changed_file_is_reported_and_made_anew_on_request(job: Job, control: Control) -> None:
    ran(job, control)
    before = probabilities(job)
    changed = "ridge/20250502_040000.wav"
    add(Path(job.archive), changed, seed=77, seconds=3)
    # What is not there any more keeps its scores, though it shares a block with the changed one.
    vanished = "ridge/20250503_040000.wav"
    (Path(job.archive) / vanished).unlink()

    reported = ran(job, control)
    assert reported.growth == Growth(0, 1, 1, (changed,), (vanished,), rule_changed=False)
    assert (reported.blocks, probabilities(job)) == (0, before)

    ended = ran(job, control, refreshed=True)
    assert ended.complete
    assert (ended.accounting.recordings.found, ended.accounting.recordings.usable) == (5, 4)
    counts = ended.accounting.scores
    assert (counts.clips_planned, counts.clips_done, counts.clips_quarantined) == (4 * SECONDS + 3, 3 * SECONDS + 3, 5)
    after = probabilities(job)
    assert len(after[changed]) == 3
    assert {path: scores for path, scores in after.items() if path != changed} == {
        path: scores for path, scores in before.items() if path != changed
    }
    # As if it had been found like this.
    alone = Job(job.archive, f"{job.output}-2", job.model)
    ran(alone, control)
    assert probabilities(alone)[changed] == after[changed]
    assert ran(job, Control(refuse)).growth == Growth(0, 0, 1, (), (vanished,), rule_changed=False)


def test_a_file_that_changed_before_its_mels_were_made_waits_for_the_refresh(job: Job, control: Control) -> None:
    scan(job, control)
    add(Path(job.archive), "ridge/20250502_040000.wav", seed=77, seconds=9)
    first = ran(job, control)
    assert first.accounting.scores.clips_quarantined == SECONDS
    assert "ridge/20250502_040000.wav" not in probabilities(job)
    ran(job, control, refreshed=True)
    assert len(probabilities(job)["ridge/20250502_040000.wav"]) == 9


def test_another_rule_is_reported_and_applied_on_request(job: Job, control: Control) -> None:
    ran(job, control)
    starts = {path: row.recording.start_time_us for path, row in rows(job).items()}
    noon = Job(job.archive, job.output, job.model, utc_offset="-08:00")
    assert ran(noon, control).growth == Growth(0, 0, 0, (), (), rule_changed=True)
    assert {path: row.recording.start_time_us for path, row in rows(job).items()} == starts
    ended = ran(noon, control, refreshed=True)
    moved = {row.path: row.start_time_us for row in current(noon) if row.start_time_us}
    assert moved == {path: start + 8 * 3600 * 10**6 for path, start in starts.items() if start}
    assert (ended.accounting.recordings.found, ended.accounting.scores.clips_done) == (5, 4 * SECONDS)
    assert ended.growth == Growth(4, 0, 0, (), (), rule_changed=False)
    assert ran(noon, Control(refuse)).growth == NOTHING


def current(job: Job) -> list[Recording]:
    return [row for table in read_scans(job.output_folder) for row in table if not row.superseded]


def test_a_clock_that_had_not_been_set_gets_its_time_on_request(job: Job, control: Control) -> None:
    comment = "Recorded at 00:00:07 01/01/1970 (UTC) by AudioMoth 242A2604603691DD at medium gain."
    unset = Path(job.archive) / "ridge/19700101_000007.WAV"
    unset.write_bytes(wav_bytes(noise(SECONDS, TINY_RATE, 5), TINY_RATE, comment))
    ran(job, control)
    clock = Clock(datetime(1970, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, 4, tzinfo=UTC))
    corrected = Job(job.archive, job.output, job.model, clocks=(clock,))
    assert ran(corrected, control, refreshed=True).complete
    (row,) = (row for row in current(corrected) if "1970" in row.path)
    assert (row.time_source, row.flags) == ("comment", "time_corrected")
    parts = [str(path.relative_to(job.output)) for path in Path(job.output).glob("probabilities/*/*/*/*")]
    assert any("month=2025-06" in part for part in parts)


@pytest.mark.parametrize("moment", ["marked", "parts removed"])
def test_a_refresh_that_was_killed_is_made_good(job: Job, control: Control, moment: str, tmp_path: Path) -> None:
    ran(job, control)
    changed = "ridge/20250502_040000.wav"
    add(Path(job.archive), changed, seed=77, seconds=3)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(job.output, undisturbed)
    other = Job(job.archive, str(undisturbed), job.model)
    ran(other, control, refreshed=True)
    # The state after the old row was marked, and after the part of its block went.
    shutil.copy(undisturbed / "recordings/scan-0000.parquet", Path(job.output) / "recordings/scan-0000.parquet")
    if moment == "parts removed":
        for part in Path(job.output).glob("probabilities/*/*/*/block-000000.parquet"):
            part.unlink()
    assert ran(job, control).complete
    assert probabilities(job) == probabilities(other)
