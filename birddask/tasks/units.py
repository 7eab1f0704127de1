"""What is left to do of a block, and doing it: make its mels, score them, or both."""

from __future__ import annotations

import functools
import time
from collections import Counter
from dataclasses import dataclass

from birddask.errors import MelsLost
from birddask.mels.store import MelStore
from birddask.plan import Block
from birddask.storage.ahead import behind
from birddask.table.clip_table import ClipRow, clip_table_key
from birddask.tasks.making import commit_mels, compute
from birddask.tasks.rows import read_rows
from birddask.tasks.scoring import ok_index, only, read_ok_mels, score, write_part
from birddask.tasks.work import MelWork, ScoreWork


@dataclass(frozen=True)
class BlockReport:
    """What a task tells the driver: numbers, never data.

    Attributes:
        scored: clips that got probabilities; 0 from ``make_mels``.
        audio_s: length of the clips, overlaps counted as often as they were computed.
        wall_s: time that the task took.
    """

    block: int
    clips: int
    ok: int
    silent: int
    quarantined: int
    scored: int
    audio_s: float
    wall_s: float


@dataclass(frozen=True)
class Unit:
    """What is left to do of a block.

    Attributes:
        remake: mels that turn out to be lost are made again at once.
    """

    block: Block
    make: bool
    score: bool
    remake: bool = False

    def __str__(self) -> str:
        return f"block {self.block.number}"


def perform(mel_work: MelWork, score_work: ScoreWork, unit: Unit) -> BlockReport:
    """Do what is left of a block; raises as the functions below."""
    if not unit.score:
        return make_mels(mel_work, unit.block)
    if not unit.make:
        try:
            return classify(score_work, unit.block)
        except MelsLost:
            if not unit.remake:
                raise
    return both(mel_work, score_work, unit.block)


def make_mels(work: MelWork, block: Block) -> BlockReport:
    """Make and commit the mels of a block; raises as ``compute``."""
    started = time.perf_counter()
    computed = compute(work, block)
    commit_mels(work.store, block, computed)
    return _report(block, work.store, computed.rows, 0, started)


def classify(work: ScoreWork, block: Block) -> BlockReport:
    """Score the stored mels of a block and commit its part.

    Raises:
        MelsLost: the clip table promises mels that can't be read; it is withdrawn, so that they are made again.
        MisalignedBlock: the clip table is not of the clips that are planned.
        ModelError: the model can't be trusted.
    """
    started = time.perf_counter()
    rows = read_rows(work.store, block)
    ok = ok_index(rows)
    try:
        mels = read_ok_mels(work.store, block, ok)
    except MelsLost:
        work.store.folder.remove(clip_table_key(block.number))
        raise
    write_part(work, block, [rows[index] for index in ok], score(work, mels))
    return _report(block, work.store, rows, len(ok), started)


def both(mel_work: MelWork, score_work: ScoreWork, block: Block) -> BlockReport:
    """Make and commit the mels of a block, then score them from memory: the same bytes as one after the other.

    Raises as ``compute`` and ``score``.
    """
    started = time.perf_counter()
    computed = compute(mel_work, block)
    committing = behind(functools.partial(commit_mels, mel_work.store, block, computed))
    ok = ok_index(computed.rows)
    scores = score(score_work, only(ok, computed.mels))
    committing.result()
    write_part(score_work, block, [computed.rows[index] for index in ok], scores)
    return _report(block, mel_work.store, computed.rows, len(ok), started)


def _report(block: Block, store: MelStore, rows: list[ClipRow], scored: int, started: float) -> BlockReport:
    statuses = Counter(row.status for row in rows)
    rule = store.spec.clip
    return BlockReport(
        block=block.number,
        clips=len(rows),
        ok=statuses["ok"],
        silent=statuses["silent"],
        quarantined=statuses["quarantined"],
        scored=scored,
        audio_s=len(rows) * rule.length_samples / rule.sample_rate_hz,
        wall_s=time.perf_counter() - started,
    )
