"""The plan of an output, what is done of it, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.job import Job
from birddask.mels.store import MelStore
from birddask.outputs import Scans
from birddask.plan import Block, block_sizes, plan_blocks
from birddask.recordings.recording import Recording
from birddask.table.block_files import block_numbers
from birddask.tasks.units import Unit
from birddask.verbs.prepared import Prepared


@dataclass(frozen=True)
class Plan:
    """The blocks of a store; the same each time for the same recordings tables.

    Attributes:
        scans: the recordings tables, in the order of scanning.
        sizes: int32 (block,), clips of each block.
    """

    scans: Iterable[Sequence[Recording]]
    store: MelStore
    sizes: NDArray[np.int32]

    def blocks(self) -> Iterator[Block]:
        """All blocks, one at a time."""
        return plan_blocks(self.scans, self.store.spec.clip, self.store.clips_per_block)


def plan(scans: Iterable[Sequence[Recording]], store: MelStore) -> Plan:
    """The plan of some recordings tables, which are gone through once."""
    return Plan(scans, store, block_sizes(scans, store.spec.clip, store.clips_per_block))


def require_scanned(job: Job, scans: Scans) -> None:
    """Raise ConfigError if the output has no recordings table."""
    if not scans.tables:
        raise ConfigError(
            f"no file of {job.archive_folder.url} was scanned into {job.output_folder.url} yet; `birddask scan` or "
            "`birddask run` does it; if they say this, the archive is empty, or not mounted"
        )


@dataclass(frozen=True)
class Left:
    """What is left to do of each block of a plan.

    Attributes:
        make: bool (block,), its mels.
        score: bool (block,), its part.
        remake: mels that turn out to be lost are made again at once.
    """

    make: NDArray[np.bool_]
    score: NDArray[np.bool_]
    remake: bool = False

    @property
    def blocks(self) -> NDArray[np.bool_]:
        """Bool (block,), where anything is left."""
        return self.make | self.score

    def units(self, blocks: Iterable[Block]) -> Iterator[Unit]:
        """What is left, as work."""
        for block in blocks:
            make, score = bool(self.make[block.number]), bool(self.score[block.number])
            if make or score:
                yield Unit(block, make, score, self.remake)


@dataclass(frozen=True)
class Committed:
    """Which blocks of a plan are done, by one listing of each folder.

    Attributes:
        made: bool (block,), its mels are committed.
        scored: bool (block,), it has a part, and embeddings if these are asked for.
    """

    made: NDArray[np.bool_]
    scored: NDArray[np.bool_]

    def left_to_run(self) -> Left:
        """What is left for the whole way."""
        return Left(make=~self.made, score=~(self.made & self.scored), remake=True)

    def left_to_make(self) -> Left:
        """What is left up to the mels."""
        return Left(make=~self.made, score=np.zeros_like(self.made))

    def left_to_score(self) -> Left:
        """What is left where the mels are there."""
        return Left(make=np.zeros_like(self.made), score=self.made & ~self.scored)


def committed(prepared: Prepared, plan: Plan) -> Committed:
    """List what is done."""
    return Committed(
        made=_among(plan, block_numbers(plan.store.folder.child("clips"))),
        scored=_among(plan, prepared.results.committed()),
    )


def _among(plan: Plan, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Bool (block,), whether a block of the plan has one of the numbers."""
    return np.isin(np.arange(len(plan.sizes)), numbers)
