"""Law 4, in numbers and in words: what was found, what came of it, and that nothing is missing in between; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.recordings.recording import Recording


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
    recordings: RecordingCounts,
    sizes: NDArray[np.int32],
    made: NDArray[np.void],
    scored: NDArray[np.int64],
) -> Accounting:
    """What is planned, against what is there.

    Args:
        recordings: those of the plan, counted.
        sizes: clips of each block of the plan.
        made: ``ledger.ENTRY`` of each block whose mels are committed.
        scored: numbers of the blocks that have a part.
    """
    return Accounting(
        recordings,
        mels=_stage(sizes, made, np.ones(len(made), np.bool_)),
        scores=_stage(sizes, made, np.isin(made["block"], scored)),
    )


def _stage(sizes: NDArray[np.int32], made: NDArray[np.void], done: NDArray[np.bool_]) -> StageCounts:
    planned = int(sizes.sum())
    clips_done = int(made["ok"][done].sum())
    silent, quarantined = int(made["silent"].sum()), int(made["quarantined"].sum())
    return StageCounts(
        blocks_planned=len(sizes),
        blocks_done=int(done.sum()),
        clips_planned=planned,
        clips_done=clips_done,
        clips_silent=silent,
        clips_quarantined=quarantined,
        clips_pending=planned - clips_done - silent - quarantined,
    )


def recordings_lines(counts: RecordingCounts) -> Iterator[str]:
    """Law 4 for the files of the archive."""
    yield (
        f"recordings: {counts.found} found = {counts.usable} usable ({counts.usable_hours:.2f} h) + "
        f"{counts.quarantined} quarantined + {counts.ignored} ignored"
    )
    yield from _reasons("quarantined", counts.quarantine_reasons)
    yield from _reasons("ignored", counts.ignore_reasons)


def accounting_lines(accounting: Accounting) -> Iterator[str]:
    """Law 4 for the whole output."""
    yield from recordings_lines(accounting.recordings)
    yield _stage_line("mels", "made", accounting.mels)
    yield _stage_line("scores", "scored", accounting.scores)


def _stage_line(name: str, done: str, counts: StageCounts) -> str:
    return (
        f"{name}: {counts.clips_planned} clips planned = {counts.clips_done} {done} + "
        f"{counts.clips_silent} silent + {counts.clips_quarantined} quarantined + "
        f"{counts.clips_pending} pending ({counts.blocks_done} of {counts.blocks_planned} blocks)"
    )


def _reasons(status: str, reasons: Mapping[str, int]) -> Iterator[str]:
    for reason, count in reasons.items():
        yield f"  {status}: {count} x {reason}"
