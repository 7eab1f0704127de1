from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birddask.accounting import account, count_recordings
from birddask.errors import BirddaskError, ConfigError, MisalignedBlock
from birddask.mels.store import MelStore
from birddask.outputs import Scans, read_scans
from birddask.plan import Block, Stretch
from birddask.recordings.recording import About, Recording, Scanned
from birddask.storage import Folder
from birddask.table.parts import ClipRow, ClipStatus, clips_file
from birddask.tasks import clip_table_key
from tests.support.models import tiny_spec

USABLE = Recording("a.wav", 1, "usable", sample_rate_hz=8000, channels=1, frames=8000 * 900)
STATUSES: tuple[ClipStatus, ...] = ("ok", "silent", "quarantined")
ONE_CLIP = {status: clips_file([ClipRow(0, "a.wav", "marsh", None, 0, None, status)]) for status in ("ok", "silent")}


def block(number: int, clips: int) -> Block:
    return Block(number, "marsh", "unknown", (Stretch(USABLE, 0, clips),))


def commit(store: MelStore, number: int, statuses: list[ClipStatus]) -> None:
    rows = [ClipRow(index, "a.wav", "marsh", None, 0, None, status) for index, status in enumerate(statuses)]
    store.folder.publish(clip_table_key(number), clips_file(rows))


def store_in(folder: Path) -> MelStore:
    return MelStore(Folder(str(folder)), tiny_spec(), 10)


def test_an_output_in_a_mixed_state_adds_up(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    commit(store, 0, ["ok", "ok", "silent", "quarantined"])
    commit(store, 1, ["ok", "silent", "silent"])
    commit(store, 3, ["quarantined", "quarantined"])
    found = account([[USABLE]], [block(0, 4), block(1, 3), block(2, 5), block(3, 2)], store, {0, 3})
    mels, scores = found.mels, found.scores
    assert (mels.blocks_planned, mels.blocks_done, mels.complete) == (4, 3, False)
    assert (mels.clips_done, mels.clips_silent, mels.clips_quarantined, mels.clips_pending) == (3, 3, 3, 5)
    assert (scores.blocks_planned, scores.blocks_done, scores.complete) == (4, 2, False)
    assert (scores.clips_done, scores.clips_silent, scores.clips_quarantined, scores.clips_pending) == (2, 3, 3, 6)
    assert mels.clips_planned == scores.clips_planned == 14


@st.composite
def outputs(draw: st.DrawFn) -> list[tuple[list[ClipStatus], bool, bool]]:
    """For each block the statuses of its clips, whether it has a clip table, and whether it has a part."""
    statuses = st.lists(st.sampled_from(STATUSES), min_size=1, max_size=6)
    return draw(st.lists(st.tuples(statuses, st.booleans(), st.booleans()), max_size=8))


@settings(deadline=None, max_examples=40)
@given(state=outputs())
def test_planned_is_done_and_silent_and_quarantined_and_pending(
    state: list[tuple[list[ClipStatus], bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = store_in(tmp_path_factory.mktemp("store"))
    for number, (statuses, made, _) in enumerate(state):
        if made:
            commit(store, number, statuses)
    blocks = [block(number, len(statuses)) for number, (statuses, _, _) in enumerate(state)]
    found = account([], blocks, store, {number for number, (_, _, scored) in enumerate(state) if scored})
    for stage, done in ((found.mels, [made for _, made, _ in state]), (found.scores, [m and s for _, m, s in state])):
        clips: Counter[str] = Counter()
        for (statuses, made, _), finished in zip(state, done, strict=True):
            for status in statuses:
                clips[status if made and (finished or status != "ok") else "pending"] += 1
        assert stage.clips_planned == sum(len(statuses) for statuses, _, _ in state)
        assert stage.clips_done == clips["ok"]
        assert stage.clips_silent == clips["silent"]
        assert stage.clips_quarantined == clips["quarantined"]
        assert stage.clips_pending == clips["pending"]
        assert stage.blocks_done == sum(done)
        assert stage.complete == all(done)


@pytest.mark.parametrize("rows", [3, 5, 0])
def test_a_clip_table_with_a_row_too_few_or_too_many_does_not_add_up(rows: int, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    commit(store, 0, ["ok"] * rows)
    with pytest.raises(MisalignedBlock, match=f"block 0 was planned with 4 clips, .* has {rows}"):
        account([], [block(0, 4)], store, set())


def test_a_block_whose_clip_table_was_withdrawn_is_pending_in_spite_of_its_part(tmp_path: Path) -> None:
    found = account([], [block(0, 4)], store_in(tmp_path), {0})
    assert found.scores.blocks_done == 0
    assert found.scores.clips_pending == 4


def test_what_is_no_clip_table_is_no_committed_block(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.folder.publish(f"{clip_table_key(0)}.0a1b.partial", b"half of it")
    assert account([], [block(0, 4)], store, set()).mels.clips_pending == 4


def test_thousands_of_blocks_are_counted_one_by_one(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    states = list(islice(cycle(["ok", "silent", None]), 2100))
    for number, state in enumerate(states):
        if state:
            (path := tmp_path / clip_table_key(number)).parent.mkdir(exist_ok=True)
            path.write_bytes(ONE_CLIP[state])
    found = account([], [block(number, 1) for number in range(len(states))], store, set())
    assert (found.mels.clips_done, found.mels.clips_silent, found.mels.clips_pending) == (700, 700, 700)


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
