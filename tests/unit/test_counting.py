from __future__ import annotations

import multiprocessing
import os
import random
import time
import uuid
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birddask.errors import MisalignedBlock
from birddask.storage import Folder
from birddask.table.clip_table import ClipStatus
from birddask.table.ledger import read_ledger
from birddask.verbs.counting import remembering
from tests.support.marked import Marked, clip_table

STATUSES: tuple[ClipStatus, ...] = ("ok", "silent", "quarantined")
LONG_AGO, NOW = 1_700_000_000, 1_700_000_100


def marked(folder: Path, *sizes: int) -> Marked:
    return Marked(Folder(str(folder)), sizes)


def written_at(output: Marked, number: int, second: float) -> None:
    os.utime(output.folder.place(output.table(number)), (second, second))


def spoil(output: Marked, number: int) -> None:
    """Make a clip table unreadable in a way that no listing shows."""
    path = Path(output.folder.place(output.table(number)))
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@st.composite
def states(draw: st.DrawFn) -> list[tuple[list[ClipStatus], bool, bool]]:
    """For each block the statuses of its clips, whether it has a clip table, and whether it has a part."""
    statuses = st.lists(st.sampled_from(STATUSES), min_size=1, max_size=6)
    return draw(st.lists(st.tuples(statuses, st.booleans(), st.booleans()), max_size=8))


@settings(deadline=None, max_examples=40)
@given(state=states())
def test_planned_is_done_and_silent_and_quarantined_and_pending(
    state: list[tuple[list[ClipStatus], bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    output = marked(tmp_path_factory.mktemp("output"), *[len(statuses) for statuses, _, _ in state])
    for number, (statuses, made, scored) in enumerate(state):
        if made:
            output.commit(number, statuses)
        if scored:
            output.score(number)
    found = output.count()
    for stage, done in ((found.mels, [made for _, made, _ in state]), (found.scores, [m and s for _, m, s in state])):
        clips: Counter[str] = Counter()
        for (statuses, made, _), finished in zip(state, done, strict=True):
            for status in statuses:
                clips[status if made and (finished or status != "ok") else "pending"] += 1
        assert stage.clips_planned == sum(output.sizes)
        assert stage.clips_done == clips["ok"]
        assert stage.clips_silent == clips["silent"]
        assert stage.clips_quarantined == clips["quarantined"]
        assert stage.clips_pending == clips["pending"]
        assert stage.blocks_done == sum(done)
        assert stage.complete == all(done)


@pytest.mark.parametrize("rows", [3, 5, 0])
def test_a_clip_table_with_a_row_too_few_or_too_many_does_not_add_up(rows: int, tmp_path: Path) -> None:
    output = marked(tmp_path, 4)
    output.commit(0, ["ok"] * rows)
    with pytest.raises(MisalignedBlock, match=rf"block 0 was planned with 4 clips, .*block-000000\.parquet has {rows}"):
        output.count()


def test_a_block_whose_clip_table_was_withdrawn_is_pending_in_spite_of_its_part(tmp_path: Path) -> None:
    output = marked(tmp_path, 4)
    output.score(0)
    assert output.count().scores.blocks_done == 0
    assert output.count().scores.clips_pending == 4


def test_what_is_no_clip_table_is_no_committed_block(tmp_path: Path) -> None:
    output = marked(tmp_path, 4)
    output.folder.publish(f"{output.table(0)}.0a1b.partial", b"half of it")
    assert output.count().mels.clips_pending == 4


def test_blocks_that_are_not_in_the_plan_are_not_counted(tmp_path: Path) -> None:
    output = marked(tmp_path, 1)
    output.commit(0, ["ok"])
    output.commit(1, ["ok", "ok"])
    output.score(1)
    found = output.count()
    assert (found.mels.clips_done, found.mels.clips_planned, found.scores.clips_done) == (1, 1, 0)


def test_thousands_of_blocks_are_counted_one_by_one(tmp_path: Path) -> None:
    states = list(islice(cycle(["ok", "silent", None]), 2100))
    output = marked(tmp_path, *[1 for _ in states])
    content = {status: clip_table([status]) for status in STATUSES}
    for number, status in enumerate(states):
        if status:
            path = tmp_path / output.table(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[status])
    found = output.count().mels
    assert (found.clips_done, found.clips_silent, found.clips_pending) == (700, 700, 700)


def test_a_clip_table_that_was_settled_is_not_read_again(tmp_path: Path) -> None:
    output = marked(tmp_path, 2, 3)
    output.commit(0, ["ok", "silent"])
    output.commit(1, ["ok", "ok", "quarantined"])
    written_at(output, 0, LONG_AGO)
    written_at(output, 1, NOW)
    settled = output.settle()
    spoil(output, 0)
    assert output.count() == output.settle() == settled
    spoil(output, 1)
    with pytest.raises(Exception, match=r"(?i)parquet"):
        output.count()


def test_a_clip_table_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    output = marked(tmp_path, 3, 1)
    output.commit(0, ["ok", "silent", "silent"])
    output.commit(1, ["ok"])
    written_at(output, 0, LONG_AGO)
    written_at(output, 1, NOW)
    output.settle()
    size = (tmp_path / output.table(0)).stat().st_size
    output.commit(0, ["ok", "ok", "silent"])
    written_at(output, 0, NOW)
    assert (tmp_path / output.table(0)).stat().st_size == size
    assert output.count().mels.clips_silent == 1
    output.folder.remove(output.table(0))
    assert output.count().mels.clips_pending == 3


def test_a_clip_table_as_young_as_any_may_change_unseen_and_is_not_settled(tmp_path: Path) -> None:
    output = marked(tmp_path, 3)
    output.commit(0, ["ok", "silent", "silent"])
    written_at(output, 0, NOW)
    output.settle()
    output.commit(0, ["ok", "ok", "silent"])
    written_at(output, 0, NOW)
    assert output.count().mels.clips_silent == 1


def test_counting_writes_nothing(tmp_path: Path) -> None:
    output = marked(tmp_path, 1, 1)
    for number, second in enumerate([LONG_AGO, NOW]):
        output.commit(number, ["ok"])
        written_at(output, number, second)
    before = [file.key for file in output.folder.files()]
    output.count()
    assert [file.key for file in output.folder.files()] == before


def test_a_ledger_that_knows_all_is_not_written_again(tmp_path: Path) -> None:
    output = marked(tmp_path, 1, 1)
    for number, second in enumerate([LONG_AGO, NOW]):
        output.commit(number, ["ok"])
        written_at(output, number, second)
    output.settle()
    before = (tmp_path / output.ledger).stat()
    output.settle()
    assert (tmp_path / output.ledger).stat() == before


def test_while_a_run_goes_on_its_ledger_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("birddask.verbs.counting._EVERY_S", 0.01)
    output = marked(tmp_path, 1, 1, 1)
    with remembering(output.prepared, output.plan.store):
        for number in range(3):
            output.commit(number, ["ok"])
            written_at(output, number, LONG_AGO + 10 * number)
        deadline_s = time.monotonic() + 30
        while len(read_ledger(output.folder.read(output.ledger)) if output.folder.exists(output.ledger) else []) < 2:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    for number in range(2):
        spoil(output, number)
    assert output.count().mels.clips_done == 3


def test_a_ledger_that_can_be_neither_read_nor_written_is_done_without(tmp_path: Path) -> None:
    output = marked(tmp_path, 1, 1)
    for number in range(2):
        output.commit(number, ["ok"])
        written_at(output, number, LONG_AGO + 10 * number)
    (tmp_path / output.ledger).mkdir(parents=True)
    assert output.settle().mels.clips_done == output.count().mels.clips_done == 2


def test_where_the_listing_shows_no_time_every_clip_table_is_read(tmp_path: Path) -> None:
    output = Marked(Folder(f"memory://{uuid.uuid4().hex}"), (1, 1))
    output.commit(0, ["ok"])
    output.commit(1, ["ok"])
    assert output.settle().mels.clips_done == 2
    assert not output.folder.exists(output.ledger)
    output.commit(1, ["silent"])
    assert output.settle().mels.clips_silent == 1


def drive(output: Marked, first: int) -> None:
    """A driver that writes, withdraws and settles; every second block from ``first`` on is its own."""
    chance = random.Random(first)
    own = range(first, len(output.sizes), 2)
    for _ in range(40):
        number = chance.choice(own)
        if chance.random() < 0.3:
            output.folder.remove(output.table(number))
        else:
            output.commit(number, chance.choices(STATUSES, k=output.sizes[number]))
        output.settle()


def test_two_drivers_at_once_do_no_harm_to_the_count(tmp_path: Path) -> None:
    output = marked(tmp_path, *[3] * 100)
    for number in range(100):
        output.commit(number, ["ok", "silent", "quarantined"])
        written_at(output, number, LONG_AGO + number)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as drivers:
        list(drivers.map(drive, [output, output], [0, 1]))
    clips = output.clips_in_tables()
    for found in (output.count().mels, output.settle().mels):
        assert (found.clips_done, found.clips_silent) == (clips["ok"], clips["silent"])
        assert found.clips_pending == 300 - clips.total()
