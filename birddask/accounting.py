"""What was found, what came of it, and that nothing is missing in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from birddask.errors import MisalignedBlock
from birddask.mels.store import MelStore
from birddask.plan import Block
from birddask.recordings.recording import Recording
from birddask.table.parts import ClipStatus, clip_statuses
from birddask.table.results import block_numbers
from birddask.tasks import clip_table_key

_READERS = 16
_TABLES_AT_ONCE = 1024


@dataclass(frozen=True)
class RecordingCounts:
    """Files of the archive by what became of them; ``found`` is the sum of the next three."""

    found: int
    usable: int
    quarantined: int
    ignored: int
    usable_hours: float
    quarantine_reasons: Mapping[str, int]
    ignore_reasons: Mapping[str, int]


@dataclass(frozen=True)
class StageCounts:
    """Blocks and clips of one stage; ``clips_planned`` is the sum of the four after it.

    Attributes:
        clips_done: mels computed, or scored.
        clips_silent: every sample is zero: there is nothing to compute or score.
    """

    blocks_planned: int
    blocks_done: int
    clips_planned: int
    clips_done: int
    clips_silent: int
    clips_quarantined: int
    clips_pending: int

    @property
    def complete(self) -> bool:
        """Whether no block is left to do."""
        return self.blocks_done == self.blocks_planned


@dataclass(frozen=True)
class Accounting:
    """The state of an output, for one store of mels and one model."""

    recordings: RecordingCounts
    mels: StageCounts
    scores: StageCounts


def count_recordings(scans: Iterable[Sequence[Recording]]) -> RecordingCounts:
    """The recordings tables, counted; a file that was changed counts once."""
    statuses: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {"quarantined": Counter(), "ignored": Counter()}
    usable_s = 0.0
    for recording in (each for scan in scans for each in scan):
        if recording.superseded:
            continue
        statuses[recording.status] += 1
        if recording.status == "usable":
            usable_s += recording.frames / recording.sample_rate_hz
        else:
            reasons[recording.status][recording.reason] += 1
    return RecordingCounts(
        found=statuses.total(),
        usable=statuses["usable"],
        quarantined=statuses["quarantined"],
        ignored=statuses["ignored"],
        usable_hours=usable_s / 3600,
        quarantine_reasons=dict(sorted(reasons["quarantined"].items())),
        ignore_reasons=dict(sorted(reasons["ignored"].items())),
    )


def account(
    scans: Iterable[Sequence[Recording]],
    blocks: Iterable[Block],
    store: MelStore,
    parts_done: set[int],
) -> Accounting:
    """Count an output by what lies in it.

    Args:
        scans: the recordings tables.
        blocks: the plan.
        store: of the mels.
        parts_done: numbers of the blocks that have a part.

    Raises:
        MisalignedBlock: a clip table does not have a row for each planned clip: something was lost.
    """
    mels, scores = _Tally(), _Tally()
    mels_done = block_numbers(store.folder.child("clips"))
    waiting: list[Block] = []
    for block in blocks:
        if block.number not in mels_done:
            mels.add_pending(block)
            scores.add_pending(block)
            continue
        waiting.append(block)
        if len(waiting) == _TABLES_AT_ONCE:
            _tally(waiting, store, parts_done, mels, scores)
            waiting = []
    _tally(waiting, store, parts_done, mels, scores)
    return Accounting(count_recordings(scans), mels.counts(), scores.counts())


class _Tally:
    """Running totals of a stage."""

    def __init__(self) -> None:
        self._clips: Counter[str] = Counter()
        self._blocks: Counter[str] = Counter()

    def add_pending(self, block: Block) -> None:
        self._blocks["pending"] += 1
        self._clips["pending"] += block.clips

    def add(self, statuses: Counter[ClipStatus], *, done: bool) -> None:
        self._blocks["done" if done else "pending"] += 1
        self._clips["silent"] += statuses["silent"]
        self._clips["quarantined"] += statuses["quarantined"]
        self._clips["done" if done else "pending"] += statuses["ok"]

    def counts(self) -> StageCounts:
        return StageCounts(
            blocks_planned=self._blocks.total(),
            blocks_done=self._blocks["done"],
            clips_planned=self._clips.total(),
            clips_done=self._clips["done"],
            clips_silent=self._clips["silent"],
            clips_quarantined=self._clips["quarantined"],
            clips_pending=self._clips["pending"],
        )


def _tally(blocks: Sequence[Block], store: MelStore, parts_done: set[int], mels: _Tally, scores: _Tally) -> None:
    def statuses(block: Block) -> Counter[ClipStatus]:
        return Counter(clip_statuses(store.folder.read(clip_table_key(block.number))))

    with ThreadPoolExecutor(_READERS) as readers:
        for block, counted in zip(blocks, readers.map(statuses, blocks), strict=True):
            if counted.total() != block.clips:
                raise MisalignedBlock(
                    f"the accounting does not add up: block {block.number} was planned with {block.clips} clips, "
                    f"its clip table in {store.folder.url} has {counted.total()}"
                )
            mels.add(counted, done=True)
            scores.add(counted, done=block.number in parts_done)
