"""Mels into scores: the clips of a block that are ok, read back or from memory, scored, and committed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from birddask.errors import MelsLost
from birddask.mels.coding import Stored, all_finite
from birddask.mels.store import MelStore
from birddask.models.ready import ready_classifier
from birddask.models.session import Scores
from birddask.plan import Block
from birddask.table.clip_table import ClipRow
from birddask.tasks.work import ScoreWork, turn


def ok_index(rows: list[ClipRow]) -> NDArray[np.intp]:
    """The places of the rows whose clips have mels."""
    return np.array([index for index, row in enumerate(rows) if row.status == "ok"], np.intp)


def only(ok: NDArray[np.intp], mels: Stored) -> Stored:
    """The mels at these places, not copied where they are all of them."""
    return mels if len(ok) == len(mels) else mels[ok]


def read_ok_mels(store: MelStore, block: Block, ok: NDArray[np.intp]) -> Stored:
    """The stored mels of the clips that are ok.

    Raises:
        MelsLost: the shard is missing or damaged, or lacks some of them.
    """
    if not len(ok):
        return store.blank(0)
    mels = only(ok, store.read_shard(block.number, block.clips))
    if not all(all_finite(clip) for clip in mels):  # a clip at a time, which stays in the core's cache
        raise MelsLost(f"block {block.number}: clips that were computed are missing in its shard")
    return mels


def score(work: ScoreWork, mels: Stored) -> Scores:
    """The scores of clips, when it is their turn.

    Raises:
        ModelError: the model can't be trusted.
    """
    classifier = ready_classifier(work.bundle)
    with turn(work.computing):
        return classifier.scores(mels, work.store.spec.coding, embeddings=work.results.embeddings is not None)


def write_part(work: ScoreWork, block: Block, rows: list[ClipRow], scores: Scores) -> None:
    """Write the part of a block, which commits it: ``rows`` are those of the clips that were scored."""
    labels = ready_classifier(work.bundle).labels
    work.results.write(block, rows, scores.probabilities, labels, scores.embeddings)
