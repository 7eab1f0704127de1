"""Two models on the same mels: how far they agree, and where they differ most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.job import Job
from birddask.mels.coding import Stored
from birddask.mels.store import MelStore
from birddask.models.bundle import read_card
from birddask.models.cache import find_bundle
from birddask.models.ready import BundleRef, ready_classifier
from birddask.models.session import Classifier
from birddask.outputs import existing_store
from birddask.table.block_files import block_numbers
from birddask.table.clip_table import ClipRow, clip_table_key, read_clips

HEARD = 0.1
"""Below this probability from both models, a label was not heard; how they rank what they don't hear is noise."""

_BLOCKS_AT_MOST = 20
_DIFFERENCES_SHOWN = 10


@dataclass(frozen=True)
class Scored:
    """What a model says of some clips.

    Attributes:
        probabilities: float32 (clip, label).
    """

    labels: Sequence[str]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """A clip, and the label of which the models differ most in it."""

    recording: str
    offset_us: int
    label: str
    first: float
    second: float


@dataclass(frozen=True)
class Comparison:
    """Two models on some clips, by the labels that both have.

    Attributes:
        labels: how many both have.
        only_first: labels that the second model lacks; ``only_second`` likewise.
        same_top: clips with the same likeliest label.
        heard: clips in which a model hears a label.
        same_top_heard: those of them with the same likeliest label.
        rank_correlations: Spearman's, over the clips, of each label that was heard; a label to which one model gives
            the same probability in all clips has none.
        differences: one for each of the clips with the largest, largest first.
    """

    clips: int
    labels: int
    only_first: int
    only_second: int
    same_top: int
    heard: int
    same_top_heard: int
    rank_correlations: dict[str, float]
    differences: tuple[Difference, ...]


def compare_models(job: Job, first: str, second: str, clips: int) -> Comparison:
    """Let two models score mels of a job, and compare what they say.

    Args:
        job: whose mels they are; its model is not asked.
        first: name, path or URL of a model.
        second: likewise.
        clips: how many, taken evenly from up to 20 blocks that are spread evenly.

    Raises:
        ConfigError: a model is unknown, eats other mels than there are, or shares no label with the other one.
        MelsLost: mels that were made can't be read.
    """
    (store, ours), (_, theirs) = (_ready(job, model) for model in (first, second))
    if set(ours.labels).isdisjoint(theirs.labels):
        raise ConfigError(
            f"{first} and {second} have no label in common: {ours.labels[0]!r} and {theirs.labels[0]!r} are their first"
        )
    rows: list[ClipRow] = []
    scores: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for some, mels in chosen_clips(store, clips):
        rows += some
        scores.append((ours.probabilities(mels, store.spec.coding), theirs.probabilities(mels, store.spec.coding)))
    if not rows:
        raise ConfigError(f"there are no mels of any clip in {store.folder.url} yet")
    by_ours, by_theirs = (np.concatenate(found) for found in zip(*scores, strict=True))
    return compare_scores(rows, Scored(ours.labels, by_ours), Scored(theirs.labels, by_theirs))


def compare_scores(rows: Sequence[ClipRow], ours: Scored, theirs: Scored) -> Comparison:
    """Two models by what they say of the same clips; pure."""
    from scipy.stats import spearmanr  # noqa: PLC0415 - takes seconds to load, and most commands on models compare nothing

    there = set(theirs.labels)
    labels = [label for label in ours.labels if label in there]
    first, second = (each.probabilities[:, [each.labels.index(label) for label in labels]] for each in (ours, theirs))
    same = first.argmax(axis=1) == second.argmax(axis=1)
    either = np.maximum(first, second)
    heard = either.max(axis=1) >= np.float32(HEARD)
    correlations = {}
    for label in np.flatnonzero(either.max(axis=0) >= np.float32(HEARD)).tolist():
        if np.ptp(first[:, label]) and np.ptp(second[:, label]):
            correlations[labels[label]] = float(spearmanr(first[:, label], second[:, label]).statistic)
    off = np.abs(first - second)
    worst = off.argmax(axis=1)
    largest = np.argsort(-off.max(axis=1), kind="stable")[:_DIFFERENCES_SHOWN]
    differences = tuple(
        Difference(
            rows[clip].recording,
            rows[clip].offset_us,
            labels[worst[clip]],
            float(first[clip, worst[clip]]),
            float(second[clip, worst[clip]]),
        )
        for clip in largest.tolist()
        if off[clip].max() > 0
    )
    return Comparison(
        clips=len(rows),
        labels=len(labels),
        only_first=len(ours.labels) - len(labels),
        only_second=len(theirs.labels) - len(labels),
        same_top=int(same.sum()),
        heard=int(heard.sum()),
        same_top_heard=int((same & heard).sum()),
        rank_correlations=correlations,
        differences=differences,
    )


def _ready(job: Job, model: str) -> tuple[MelStore, Classifier]:
    folder = find_bundle(model, job.model_options)
    card = read_card(folder)
    fitted = job.fit(card)
    store = existing_store(job.output_folder, fitted.mels)
    return store, ready_classifier(BundleRef(folder, card.fingerprint, fitted.precision))


def chosen_clips(store: MelStore, clips: int) -> Iterator[tuple[list[ClipRow], Stored]]:
    """Clips that have mels, block by block."""
    blocks = _evenly(block_numbers(store.folder.child("clips")), min(_BLOCKS_AT_MOST, clips))
    for place, block in enumerate(blocks.tolist()):
        rows = read_clips(store.folder.read(clip_table_key(block)))
        ok = np.flatnonzero([row.status == "ok" for row in rows])
        # So that shares add up.
        share = clips * (place + 1) // len(blocks) - clips * place // len(blocks)
        wanted = _evenly(ok, share)
        if len(wanted):
            yield [rows[index] for index in wanted.tolist()], store.read_shard(block, len(rows))[wanted]


def _evenly(numbers: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """So many of the numbers, or all if there are fewer, spread evenly."""
    if len(numbers) <= count:
        return numbers
    return numbers[np.arange(count) * len(numbers) // count]
