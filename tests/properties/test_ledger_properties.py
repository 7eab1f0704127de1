"""Whatever happens to an output, the count with a ledger is that of all its clip tables."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from birddask.storage import Folder
from birddask.table.clip_table import ClipStatus
from birddask.table.ledger import ENTRY, ledger_file, read_ledger
from tests.support.marked import Marked

BLOCKS, CLIPS = 3, 3
NUMBERS = st.integers(0, BLOCKS - 1)
# The first two are of one size, so that only the time tells them apart.
TABLES = st.sampled_from([["ok", "silent", "silent"], ["ok", "ok", "silent"], ["ok", "quarantined", "ok"]])
ENTRIES = st.lists(st.tuples(*[st.integers(0, 2**62)] * 3, *[st.integers(0, 2**31 - 1)] * 3), max_size=5)


def flipped(content: bytes, place: float, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[int(place * len(damaged))] ^= 1 << bit
    return bytes(damaged)


class OutputWithLedger(RuleBasedStateMachine):
    """Drivers come and go on storage whose clock goes in steps of two seconds."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.output = Marked(Folder(str(self.folder)), (CLIPS,) * BLOCKS)
        self.now_s = 1_700_000_000.0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(number=NUMBERS, statuses=TABLES)
    def a_clip_table_is_written(self, number: int, statuses: list[ClipStatus]) -> None:
        self.output.commit(number, statuses)
        shown_s = self.now_s // 2 * 2
        os.utime(self.folder / self.output.table(number), (shown_s, shown_s))

    @rule(number=NUMBERS)
    def a_clip_table_is_withdrawn(self, number: int) -> None:
        self.output.folder.remove(self.output.table(number))

    @rule(tables=st.dictionaries(NUMBERS, TABLES, min_size=2), seconds=st.sampled_from([0.5, 5.0]))
    def a_run_writes_and_ends(self, tables: dict[int, list[ClipStatus]], seconds: float) -> None:
        for number, statuses in tables.items():
            self.a_clip_table_is_written(number, statuses)
            self.time_passes(seconds)
        self.output.settle()

    @precondition(lambda self: (self.folder / self.output.ledger).exists())
    @rule(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def the_ledger_is_damaged(self, place: float, bit: int) -> None:
        path = self.folder / self.output.ledger
        path.write_bytes(flipped(path.read_bytes(), place, bit))

    @invariant()
    def the_count_is_that_of_all_clip_tables(self) -> None:
        counted, clips = self.output.count().mels, self.output.clips_in_tables()
        assert counted.clips_done == clips["ok"]
        assert counted.clips_silent == clips["silent"]
        assert counted.clips_quarantined == clips["quarantined"]
        assert counted.clips_pending == CLIPS * BLOCKS - clips.total()


TestOutputWithLedger = OutputWithLedger.TestCase
TestOutputWithLedger.settings = settings(deadline=None, max_examples=60, stateful_step_count=20)


@given(rows=ENTRIES)
def test_a_ledger_comes_back_as_it_was(rows: list[tuple[int, ...]]) -> None:
    entries = np.array(rows, ENTRY)
    assert np.array_equal(read_ledger(ledger_file(entries)), entries)


@given(rows=ENTRIES, place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_ledger_with_a_flipped_bit_is_no_ledger(rows: list[tuple[int, ...]], place: float, bit: int) -> None:
    assert len(read_ledger(flipped(ledger_file(np.array(rows, ENTRY)), place, bit))) == 0


@given(content=st.binary(max_size=100), share=st.floats(0, 1, exclude_max=True))
def test_what_is_no_ledger_or_half_of_one_is_none(content: bytes, share: float) -> None:
    assert len(read_ledger(content)) == 0
    whole = ledger_file(np.ones(3, ENTRY))
    assert len(read_ledger(whole[: int(share * len(whole))])) == 0
