"""A job whose model was found and proven."""

from __future__ import annotations

from dataclasses import dataclass

from birddask.errors import ConfigError
from birddask.job import Job
from birddask.mels.store import MelStore
from birddask.models.bundle import read_bundle
from birddask.models.cache import find_bundle
from birddask.models.card import ModelCard
from birddask.models.ready import BundleRef, ready_classifier
from birddask.outputs import planned_store
from birddask.table.parts import require_distinct_columns
from birddask.table.results import Results

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


def worker_bytes(store: MelStore) -> int:
    """Memory that one worker needs for the blocks of a store, about."""
    return _WORKER_BASE_BYTES + _COPIES_OF_BLOCKS * store.block_bytes
