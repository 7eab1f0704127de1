"""Effort: how long was listened, by site and day, so that the absence of a species means something.

Every planned clip counts once, as scored, silent, quarantined or pending, in the sense and with the numbers of the
accounting. A clip stands for the time from its start to the start of the next one, the last one of a recording for the
rest that it covers: time in which clips overlap counts once. It belongs to the day on which it starts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from birddask.detections.found import Found, scored_store
from birddask.errors import MisalignedBlock
from birddask.mels.store import MelStore
from birddask.outputs import Scans, read_scans
from birddask.plan import Block, ClipRule, Stretch, microseconds, plan_blocks
from birddask.recordings.moments import US_PER_DAY, US_PER_MIN
from birddask.recordings.recording import UNKNOWN, Recording
from birddask.storage import in_order
from birddask.table.block_files import block_numbers
from birddask.table.clip_table import ClipStatus, clip_statuses, clip_table_key
from birddask.table.scans import read_scanned

FATES = ("scored", "silent", "quarantined", "pending")

_Key = tuple[str, str]
"""Site and day."""
_Total = NDArray[np.int64]
"""Clips and microseconds, each by fate: shape (2, 4)."""


@dataclass(frozen=True)
class Effort:
    """What became of the time that was recorded at a site on a day.

    Attributes:
        day: ``yyyy-mm-dd``, or ``unknown``.
        clips: how many, by fate.
        time_us: how long, by fate, in microseconds.
        files_quarantined: recordings that can't be used at all, of unknown length.
    """

    site: str
    day: str
    clips: Mapping[str, int]
    time_us: Mapping[str, int]
    files_quarantined: int


def count_effort(found: Found, local_offset_min: int | None) -> list[Effort]:
    """Effort by site and day, ordered.

    Args:
        found: the results; what they lack of their store counts as pending.
        local_offset_min: None for days of UTC. Else days are those of the recorders' clocks, and this is the offset
            from UTC of those that do not say it.

    Raises:
        ConfigError: the store of the results is not there.
        MisalignedBlock: a clip table does not have a row for each planned clip.
    """
    store = scored_store(found)
    made = set(block_numbers(store.folder.child("clips")).tolist())
    fates_of = _FatesOf(store, made, {part.block for part in found.parts})
    totals: defaultdict[_Key, _Total] = defaultdict(_nothing)
    files: Counter[_Key] = Counter()
    tables = _tables(read_scans(found.output), local_offset_min, files)
    for planned, fates in in_order(fates_of, _planned(tables, store)):
        first = 0
        for stretch in planned.block.stretches:
            _add(totals, stretch, fates[first : first + stretch.clips], planned.table, store.spec.clip)
            first += stretch.clips
    keys = sorted(totals.keys() | files.keys())
    return [_effort(key, totals.get(key, _nothing()), files[key]) for key in keys]


def hours(time_us: int) -> float:
    """A time in microseconds, in hours."""
    return time_us / (60 * US_PER_MIN)


def clock_offset_min(own_offset_min: int | None, local_offset_min: int | None) -> int:
    """The offset from UTC of the clock by which a recording's time is told, in minutes.

    Args:
        own_offset_min: what the recorder says; None if it does not.
        local_offset_min: as in ``count_effort``.
    """
    if local_offset_min is None:
        return 0
    return local_offset_min if own_offset_min is None else own_offset_min


@dataclass(frozen=True)
class _Table:
    """A recordings table: its rows as planning wants them, and by path the offset of local time from UTC."""

    recordings: Sequence[Recording]
    offsets_min: Mapping[str, int]


@dataclass(frozen=True)
class _Planned:
    """A block, and the table that it comes from."""

    block: Block
    table: _Table


@dataclass(frozen=True)
class _FatesOf:
    """What became of the clips of a block.

    Attributes:
        made: blocks that have a clip table.
        scored: blocks that have a part.
    """

    store: MelStore
    made: set[int]
    scored: set[int]

    def __call__(self, planned: _Planned) -> tuple[_Planned, NDArray[np.int8]]:
        block = planned.block
        statuses = self._statuses(block) if block.number in self.made else None
        if statuses is None:
            return planned, np.full(block.clips, FATES.index("pending"), np.int8)
        if len(statuses) != block.clips:
            raise MisalignedBlock(
                f"block {block.number} was planned with {block.clips} clips, its clip table in "
                f"{self.store.folder.url} has {len(statuses)}"
            )
        ok = "scored" if block.number in self.scored else "pending"
        fates = [FATES.index(ok if status == "ok" else status) for status in statuses]
        return planned, np.array(fates, np.int8)

    def _statuses(self, block: Block) -> list[ClipStatus] | None:
        """The clips of a block; None if its clip table was withdrawn since it was listed."""
        try:
            return clip_statuses(self.store.folder.read(clip_table_key(block.number)))
        except FileNotFoundError:
            return None


def _tables(scans: Scans, local_offset_min: int | None, files: Counter[_Key]) -> Iterator[_Table]:
    """The recordings tables one by one; files that can't be used are counted on the way."""
    for number in range(scans.tables):
        rows = read_scanned(scans.content(number))
        offsets_min = {row.recording.path: clock_offset_min(row.about.utc_offset_min, local_offset_min) for row in rows}
        for recording in (row.recording for row in rows):
            if recording.status == "quarantined" and not recording.superseded:
                files[recording.site, _day(recording.start_time_us, offsets_min[recording.path])] += 1
        yield _Table([row.recording for row in rows], offsets_min)


def _planned(tables: Iterable[_Table], store: MelStore) -> Iterator[_Planned]:
    """The plan: the blocks of one table follow those of the table before, and none holds clips of two."""
    first = 0
    for table in tables:
        blocks = 0
        for block in plan_blocks([table.recordings], store.spec.clip, store.clips_per_block):
            yield _Planned(replace(block, number=first + block.number), table)
            blocks += 1
        first += blocks


def _add(
    totals: defaultdict[_Key, _Total], stretch: Stretch, fates: NDArray[np.int8], table: _Table, rule: ClipRule
) -> None:
    """Count the clips of a stretch."""
    recording = stretch.recording
    bounds_us = _bounds_us(stretch, rule)
    spans_us = np.diff(bounds_us)
    if recording.start_time_us is None:
        _count(totals[recording.site, UNKNOWN], fates, spans_us)
        return
    offset_us = table.offsets_min[recording.path] * US_PER_MIN
    days = (recording.start_time_us + offset_us + bounds_us[:-1]) // US_PER_DAY
    for day in np.unique(days):
        on_it = days == day
        _count(totals[recording.site, str(day.astype("datetime64[D]"))], fates[on_it], spans_us[on_it])


def _count(total: _Total, fates: NDArray[np.int8], spans_us: NDArray[np.int64]) -> None:
    np.add.at(total[0], fates, 1)
    np.add.at(total[1], fates, spans_us)


def _bounds_us(stretch: Stretch, rule: ClipRule) -> NDArray[np.int64]:
    """Where the time begins that each clip stands for, and where that of the last one ends; shape (clips + 1)."""
    recording = stretch.recording
    end = stretch.first_clip + stretch.clips
    samples = np.arange(stretch.first_clip, end + 1) * rule.hop_samples
    bounds_us = microseconds(samples, rule.sample_rate_hz)
    if end == rule.clips(recording.frames, recording.sample_rate_hz):
        covered_us = microseconds(samples[-2:-1] + rule.length_samples, rule.sample_rate_hz)
        whole_us = microseconds(np.array([recording.frames]), recording.sample_rate_hz)
        bounds_us[-1:] = np.minimum(covered_us, whole_us)
    return bounds_us


def _day(moment_us: int | None, offset_min: int) -> str:
    if moment_us is None:
        return UNKNOWN
    return str(np.datetime64((moment_us + offset_min * US_PER_MIN) // US_PER_DAY, "D"))


def _nothing() -> _Total:
    return np.zeros((2, len(FATES)), np.int64)


def _effort(key: _Key, total: _Total, files_quarantined: int) -> Effort:
    clips, time_us = (dict(zip(FATES, row, strict=True)) for row in total.tolist())
    return Effort(*key, clips, time_us, files_quarantined)
