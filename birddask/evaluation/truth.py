"""Which labels a clip has: annotations over clips; pure.

An annotation gives its labels to each clip that it overlaps for at least ``least_us``, or for its whole length if it is
shorter than that. With 0 any overlap counts. To touch is not to overlap; an annotation without length belongs to
the clips that it lies in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.detections.labels import key_of, keys_of
from birddask.evaluation.annotations import Annotation
from birddask.evaluation.clips import Clips
from birddask.evaluation.matching import Matched, real_time_us
from birddask.evaluation.names import in_one_line

Micros = NDArray[np.int64]
Positives = Mapping[str, NDArray[np.int64]]
"""By label, the indices of the clips that have it."""


@dataclass(frozen=True)
class ClipLabels:
    """Which clips have which labels.

    Attributes:
        positives: by label, in the order of the alphabet, the indices of the clips that have it; int64, rising.
        unknown: names that no label answers to, and how many annotations have them.
        without_clip: how many annotations with a name meet no scored clip.
    """

    positives: Positives
    unknown: Mapping[str, int]
    without_clip: int


def labels_by_name(known_labels: Iterable[str]) -> dict[str, str]:
    """By each name that a user may write, the label that it means; a whole label goes before a name in another one."""
    answers: dict[str, str] = {}
    keys = [(label, keys_of(label)) for label in known_labels]
    for rank in range(3):
        for label, names in keys:
            answers.setdefault(in_one_line(names[rank]), label)
    return answers


def clip_labels(
    annotations: Sequence[Annotation],
    matched: Matched,
    clips: Clips,
    answers: Mapping[str, str],
    least_us: int,
) -> ClipLabels:
    """Which clips have which labels.

    Args:
        annotations: what people heard.
        matched: the recordings that they mean.
        clips: the scored clips of these.
        answers: by each name that an annotation may have, the label that it means.
        least_us: the smallest overlap that counts.
    """
    positives: dict[str, set[int]] = defaultdict(set)
    unknown: Counter[str] = Counter()
    without_clip = 0
    slices = {path: clips.of_recording(index) for index, path in enumerate(clips.recordings)}
    for each in annotations:
        meant = {name: answers.get(in_one_line(key_of(name))) for name in each.names}
        labels = {label for label in meant.values() if label is not None}
        unknown.update(name for name, label in meant.items() if label is None)
        recording = matched.recordings.get(each.recording)
        if recording is None:
            continue
        span_us = each.start_us, each.end_us
        if each.in_file:
            span_us = real_time_us(each.start_us, recording), real_time_us(each.end_us, recording)
        where = slices[recording.path]
        met = clips_of_annotation(clips.start_us[where], clips.length_us, span_us, least_us) + where.start
        for label in labels:
            positives[label].update(met.tolist())
        without_clip += bool(each.names) and not len(met)
    ordered = {label: np.array(sorted(met), np.int64) for label, met in sorted(positives.items())}
    return ClipLabels(ordered, unknown, without_clip)


def clips_of_annotation(starts_us: Micros, length_us: int, annotation_us: tuple[int, int], least_us: int) -> Micros:
    """The indices of the clips that an annotation gives its labels to.

    Args:
        starts_us: of the clips of one recording, in order.
        length_us: of a clip.
        annotation_us: begin and end of the annotation.
        least_us: the smallest overlap that counts.
    """
    begin_us, end_us = annotation_us
    if begin_us == end_us:
        return np.flatnonzero((starts_us <= begin_us) & (begin_us < starts_us + length_us))
    overlap_us = np.minimum(starts_us + length_us, end_us) - np.maximum(starts_us, begin_us)
    # Never more than the annotation or the clip can give, and at least a microsecond.
    wanted_us = max(1, min(least_us, end_us - begin_us, length_us))
    return np.flatnonzero(overlap_us >= wanted_us)
