"""A model in 8-bit integers, and what that does to its scores of clips that it was not calibrated on."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from birddask.errors import ConfigError
from birddask.job import Job
from birddask.mels.arrays import Array32
from birddask.models.bundle import LOCATION, Bundle, read_bundle, read_location_network
from birddask.models.cache import find_bundle
from birddask.models.known_clip import known_answer
from birddask.models.quantising import Kind, quantised
from birddask.models.sealing import publish_bundle
from birddask.models.session import Classifier, start_classifier
from birddask.outputs import existing_store
from birddask.storage import Folder
from birddask.table.clip_table import ClipRow
from birddask.verbs.comparing import Comparison, Scored, chosen_clips, compare_scores

_CLIPS = 400
_TIMED_CLIPS, _ROUNDS = 8, 5


@dataclass(frozen=True)
class Material:
    """Clips of a store, in two halves that have no recording in common.

    Attributes:
        calibrating: float32 (clip, channel, mel, frame).
        rows: of the held-out clips.
        held_out: their mels, likewise.
    """

    calibrating: Array32
    rows: tuple[ClipRow, ...]
    held_out: Array32


@dataclass(frozen=True)
class Quantised:
    """A quantised model beside the one that it was made of.

    Attributes:
        bundle: of the quantised model, with its own known answer.
        comparison: the original first, over the held-out clips.
        off: largest difference of a probability over those clips and the known clip.
        off_mean: the largest difference in a clip, in the mean over the held-out ones.
        ms: time that the original and the quantised network need for a clip, one thread.
        sizes_bytes: of their files.
    """

    bundle: Bundle
    comparison: Comparison
    off: float
    off_mean: float
    ms: tuple[float, float]
    sizes_bytes: tuple[int, int]


def read_material(job: Job, model: str) -> tuple[Bundle, Material]:
    """A model, and mels of a job for it: of recordings in turn for calibration and held out.

    Args:
        job: whose mels they are; its own model is not asked.
        model: name, path or URL.

    Raises:
        ConfigError: the model is unknown or eats other mels than there are, or they are of fewer than two recordings.
        MelsLost: mels that were made can't be read.
    """
    bundle = read_bundle(find_bundle(model, job.model_options))
    store = existing_store(job.output_folder, job.fit(bundle.card).mels)
    found = [(rows, store.spec.coding.decoded(stored)) for rows, stored in chosen_clips(store, _CLIPS)]
    rows = [row for some, _ in found for row in some]
    recordings = {name: number for number, name in enumerate(dict.fromkeys(row.recording for row in rows))}
    if len(recordings) < 2:
        raise ConfigError(
            f"there are mels of {len(recordings)} recordings in {store.folder.url}; two are needed at least, one to "
            "calibrate on and one to try the result on, and many are better"
        )
    mels = np.concatenate([some for _, some in found])
    held_out = np.array([recordings[row.recording] % 2 == 1 for row in rows])
    kept = tuple(row for row, held in zip(rows, held_out, strict=True) if held)
    return bundle, Material(mels[~held_out], kept, mels[held_out])


def quantise(bundle: Bundle, kind: Kind, material: Material) -> Quantised:
    """Quantise a model and try it; nothing is written.

    Raises:
        ModelError: it can't be quantised, or gives what is no probability.
    """
    card = replace(
        bundle.card,
        name=f"{bundle.card.name}-int8",
        title=f"{bundle.card.title}, {kind.title} in 8-bit integers",
        source=(
            f"quantised from {bundle.card.name} ({bundle.card.fingerprint}) on {len(material.calibrating)} clips; "
            f"{bundle.card.source}"
        ),
        files=None,
    )
    network = quantised(bundle.card, bundle.network, kind, material.calibrating)
    answer = known_answer(card, bundle.labels, network, bundle.front_end)
    made = Bundle(card, bundle.labels, network, bundle.front_end, answer)
    old, new = start_classifier(bundle), start_classifier(made)
    before, after = old.probabilities(material.held_out), new.probabilities(material.held_out)
    off = np.abs(after - before).max(axis=1)
    known = bundle.known_answer.mels[np.newaxis]
    off_known = np.abs(new.probabilities(known) - old.probabilities(known)).max()
    return Quantised(
        bundle=made,
        comparison=compare_scores(material.rows, Scored(old.labels, before), Scored(new.labels, after)),
        off=float(max(off.max(), off_known)),
        off_mean=float(off.mean()),
        ms=_ms_a_clip(old, new, material.held_out[:_TIMED_CLIPS]),
        sizes_bytes=(len(bundle.network), len(network)),
    )


def publish(folder: Folder, source: Folder, bundle: Bundle) -> None:
    """Write a quantised model; what is said of places and weeks is not a matter of its network and stays."""
    location = read_location_network(source)[1] if source.exists(LOCATION) else None
    publish_bundle(folder, bundle, location=location)


def _ms_a_clip(old: Classifier, new: Classifier, mels: Array32) -> tuple[float, float]:
    """The best of rounds in turn, so that both meet the same machine."""
    times_s: list[tuple[float, float]] = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        old.probabilities(mels)
        between = time.perf_counter()
        new.probabilities(mels)
        times_s.append((between - began, time.perf_counter() - between))
    best_old, best_new = (1000 * min(times) / len(mels) for times in zip(*times_s, strict=True))
    return best_old, best_new
