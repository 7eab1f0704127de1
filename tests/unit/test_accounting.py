from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from birddask.accounting import account, count_recordings
from birddask.errors import BirddaskError, ConfigError
from birddask.outputs import Scans, read_scans
from birddask.recordings.recording import About, Recording, Scanned
from birddask.storage import Folder
from birddask.table.ledger import ENTRY

USABLE = Recording("a.wav", 1, "usable", sample_rate_hz=8000, channels=1, frames=8000 * 900)


def test_an_output_in_a_mixed_state_adds_up() -> None:
    sizes = np.array([4, 3, 5, 2], np.int32)
    made = np.array([(0, 9, 9, 2, 1, 1), (1, 9, 9, 1, 2, 0), (3, 9, 9, 0, 0, 2)], ENTRY)
    found = account(count_recordings([[USABLE]]), sizes, made, np.array([0, 3]))
    mels, scores = found.mels, found.scores
    assert (mels.blocks_planned, mels.blocks_done, mels.complete) == (4, 3, False)
    assert (mels.clips_done, mels.clips_silent, mels.clips_quarantined, mels.clips_pending) == (3, 3, 3, 5)
    assert (scores.blocks_planned, scores.blocks_done, scores.complete) == (4, 2, False)
    assert (scores.clips_done, scores.clips_silent, scores.clips_quarantined, scores.clips_pending) == (2, 3, 3, 6)
    assert mels.clips_planned == scores.clips_planned == 14
    assert found.recordings.usable == 1


def test_every_file_has_one_status_and_every_loss_a_reason() -> None:
    first = [
        USABLE,
        Recording("b.wav", 0, "quarantined", "empty"),
        Recording("c.wav", 9, "quarantined", "no_header"),
        Recording("notes.txt", 9, "ignored", "not_audio"),
    ]
    second = [Recording("d.wav", 0, "quarantined", "empty"), USABLE]
    counts = count_recordings([first, second])
    assert (counts.found, counts.usable, counts.quarantined, counts.ignored) == (6, 2, 3, 1)
    assert counts.usable_hours == 0.5
    assert counts.quarantine_reasons == {"empty": 2, "no_header": 1}
    assert counts.ignore_reasons == {"not_audio": 1}


def test_an_archive_without_files_adds_up_to_nothing() -> None:
    counts = count_recordings([])
    assert (counts.found, counts.usable, counts.quarantined, counts.ignored, counts.usable_hours) == (0, 0, 0, 0, 0.0)


def test_a_file_that_was_changed_counts_once() -> None:
    counts = count_recordings([[replace(USABLE, superseded=True)], [USABLE]])
    assert (counts.found, counts.usable, counts.usable_hours) == (1, 1, 0.25)


def one(path: str) -> list[Scanned]:
    return [Scanned(Recording(path, 1, "ignored", "x"), About())]


def test_scans_are_read_in_the_order_of_scanning(tmp_path: Path) -> None:
    output = Folder(str(tmp_path))
    for number in reversed(range(12)):
        Scans(output, 0).replace(number, one(f"{number}.wav"), "rule")
    output.publish("recordings/scan-0012.parquet.0a1b.partial", b"half of it")
    scans = read_scans(output)
    assert list(scans) == [[row.recording for row in one(f"{number}.wav")] for number in range(12)]
    assert list(scans.scanned()) == [row for number in range(12) for row in one(f"{number}.wav")]
    assert pq.read_table(tmp_path / "recordings/scan-0007.parquet").column("recording").to_pylist() == ["7.wav"]


def test_a_table_may_be_imagined_behind_those_that_are_written(tmp_path: Path) -> None:
    written = read_scans(Folder(str(tmp_path))).append(one("a.wav"), "rule")
    both = written.imagine(one("b.wav"), "rule")
    assert [row.path for rows in both for row in rows] == ["a.wav", "b.wav"]
    assert read_scans(Folder(str(tmp_path))) == written


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_scan_is_named_and_not_passed_over(lost: int, tmp_path: Path) -> None:
    for number in range(3):
        Scans(Folder(str(tmp_path)), number).append(one("a.wav"), "rule")
    (tmp_path / f"recordings/scan-000{lost}.parquet").unlink()
    with pytest.raises(ConfigError, match=rf"scan-000{lost}\.parquet is missing"):
        read_scans(Folder(str(tmp_path)))


def test_two_scans_at_the_same_time_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one_scan, other_scan = read_scans(Folder(str(tmp_path))), read_scans(Folder(str(tmp_path)))
    one_scan.append(one("a.wav"), "rule")
    other_scan.append(one("a.wav"), "rule")
    with pytest.raises(BirddaskError, match="at the same time"):
        other_scan.append(one("b.wav"), "rule")
    assert list(read_scans(Folder(str(tmp_path)))) == [[row.recording for row in one("a.wav")]]
