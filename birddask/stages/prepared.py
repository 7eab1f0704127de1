"""A job whose model was found and proven, and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from birddask.errors import ConfigError
from birddask.job import Job
from birddask.mels.store import MelStore
from birddask.models.bundle import read_bundle
from birddask.models.cache import find_bundle
from birddask.models.card import ModelCard
from birddask.models.ready import BundleRef, ready_classifier
from birddask.outputs import Scans, planned_store
from birddask.plan import Block, plan_blocks
from birddask.recordings.recording import Recording
from birddask.table.parts import require_distinct_columns
from birddask.table.results import Results, block_numbers
from birddask.tasks import Unit

# Measured on BirdNET (tests/benchmarks/scaling_and_memory.py): libraries, network and decoder, then for each of the two
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
    layout = job.layout(len(bundle.labels))
    if layout.kind == "wide":
        require_distinct_columns(bundle.labels)
    ref = BundleRef(folder, bundle.card.fingerprint)
    ready_classifier(ref)
    return Prepared(job, card, ref, Results(job.output_folder, card, layout))


def plan(scans: Iterable[Sequence[Recording]], store: MelStore) -> Iterator[Block]:
    """The blocks of a store; the same each time for the same recordings tables."""
    return plan_blocks(scans, store.spec.clip, store.clips_per_block)


def require_scanned(job: Job, scans: Scans) -> None:
    """Raise ConfigError if the output has no recordings table."""
    if not scans.tables:
        raise ConfigError(
            f"no file of {job.archive_folder.url} was scanned into {job.output_folder.url} yet; `birddask scan` or "
            "`birddask run` does it, if there is a file"
        )


def worker_bytes(store: MelStore) -> int:
    """Memory that one worker needs for the blocks of a store, about."""
    return _WORKER_BASE_BYTES + _COPIES_OF_BLOCKS * store.block_bytes


@dataclass(frozen=True)
class Committed:
    """Which blocks are done, by one listing of each stage.

    Attributes:
        made: numbers of the blocks whose mels are committed.
        scored: numbers of the blocks that have a part.
    """

    made: set[int]
    scored: set[int]

    def left_to_run(self, block: Block) -> Unit | None:
        """What is left of a block for the whole way."""
        make = block.number not in self.made
        score = make or block.number not in self.scored
        return Unit(block, make, score, remake=True) if score else None

    def left_to_make(self, block: Block) -> Unit | None:
        """What is left of a block up to its mels."""
        return None if block.number in self.made else Unit(block, make=True, score=False)

    def left_to_score(self, block: Block) -> Unit | None:
        """What is left of a block whose mels are there."""
        ready = block.number in self.made and block.number not in self.scored
        return Unit(block, make=False, score=True) if ready else None


def committed(prepared: Prepared, store: MelStore) -> Committed:
    """List what is done."""
    return Committed(block_numbers(store.folder.child("clips")), block_numbers(prepared.results.folder))
