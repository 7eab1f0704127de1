"""A job whose model was found and proven, and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.job import Job
from birddask.mels.store import MelStore
from birddask.models.bundle import read_bundle
from birddask.models.cache import find_bundle
from birddask.models.card import ModelCard
from birddask.models.ready import BundleRef, ready_classifier
from birddask.outputs import Scans, planned_store
from birddask.plan import Block, block_sizes, plan_blocks
from birddask.recordings.recording import Recording
from birddask.table.block_files import block_numbers
from birddask.table.parts import require_distinct_columns
from birddask.table.results import Results
from birddask.tasks import Unit

# Measured on BirdNET (tests/benchmarks/first_pass.py): libraries, network and decoder, then for each of the two
# blocks that a worker has in its hands copies of the mels while the shard is encoded.
_WORKER_BASE_BYTES = 650 << 20
_COPIES_OF_BLOCKS = 6


@dataclass(frozen=True)
class Prepared:
    """A job ready to start.

    Attributes:
        card: of the model, with the job's clip rule and dtype in it.
        bundle: where workers find the model.
        results: where its probabilities go.
    """

    job: Job
    card: ModelCard
    bundle: BundleRef
    results: Results

    def store(self) -> MelStore:
        """The store of the job's mels, as it is or would be made."""
        return planned_store(self.job.output_folder, self.card.mels, self.job.block_bytes)


def prepare(job: Job) -> Prepared:
    """Find the job's model and let it score its known clip here, before anything is written.

    Raises:
        ConfigError: the model is unknown, its bundle is wrong, or it does not fit the job.
        ModelError: it does not work on this machine.
    """
    folder = find_bundle(job.model, job.model_options)
    bundle = read_bundle(folder)
    card = job.fit(bundle.card)
    if job.embeddings is not None and card.embedding is None:
        raise ConfigError(
            f"the model {card.name} gives no embeddings: its card names no output for them (`embedding`); take "
            "`embeddings` out of the job file, or fetch the model anew if it was fetched by an earlier version"
        )
    layout = job.layout(len(bundle.labels))
    if layout.kind == "wide":
        require_distinct_columns(bundle.labels)
    ref = BundleRef(folder, bundle.card.fingerprint, card.precision)
    ready_classifier(ref)
    return Prepared(job, card, ref, Results(job.output_folder, card, layout, job.embeddings))


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


def worker_bytes(store: MelStore) -> int:
    """Memory that one worker needs for the blocks of a store, about."""
    return _WORKER_BASE_BYTES + _COPIES_OF_BLOCKS * store.block_bytes


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
