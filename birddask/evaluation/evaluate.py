"""A model's probabilities against annotations, over the whole output; what is left out is counted.

Evaluated are all scored clips of each recording that the annotations name. A clip that no annotation gives a label
counts as one on which nothing is to be heard. Labels are those that the annotations name and the model knows, as in
BirdSet, which leaves a model's other labels out of account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from birddask.detections.found import Found
from birddask.errors import ConfigError
from birddask.evaluation.annotations import Annotation
from birddask.evaluation.clips import Clips, scored_clips, scores_of
from birddask.evaluation.matching import Matched, match_recordings
from birddask.evaluation.measures import AtThreshold, at_thresholds, auroc, average_precision, mean
from birddask.evaluation.truth import ClipLabels, Positives, clip_labels, labels_by_name
from birddask.outputs import read_scans

# Scores in memory at a time: 128 MiB.
_SCORES_AT_ONCE = 32 << 20
_FEW = 5


@dataclass(frozen=True)
class OfLabel:
    """How one label does.

    Attributes:
        clips: how many have it.
        average_precision: None if no clip has it.
        auroc: None if no clip or every clip has it.
        at: for each threshold.
    """

    label: str
    clips: int
    average_precision: float | None
    auroc: float | None
    at: Sequence[AtThreshold]


@dataclass(frozen=True)
class Coverage:
    """What was compared, and what was not.

    Attributes:
        annotations: all of them, repeated ones once.
        recordings: that annotations name and that have scored clips.
        clips: scored ones of these.
        clips_without_label: of these, those that no annotation gives a label that the model knows.
        recordings_without_annotations: left out, with ``clips_without_annotations``.
        missing: names of recordings that the output does not have, or has no scored clip of.
        ambiguous: names that several recordings answer to.
        unknown: names that no label of the model answers to, and how many annotations have them.
        annotations_without_clip: that meet no scored clip: silent, quarantined or pending ones, or behind the end.
    """

    annotations: int
    recordings: int
    clips: int
    clips_without_label: int
    recordings_without_annotations: int
    clips_without_annotations: int
    missing: Sequence[str]
    ambiguous: Sequence[str]
    unknown: Mapping[str, int]
    annotations_without_clip: int


@dataclass(frozen=True)
class Evaluation:
    """How a model does.

    Attributes:
        cmap: mean of average precisions over the labels that a clip has; None if there is none.
        cmap5: the same over the labels that five clips have.
        auroc: mean over the labels that have one.
        top1_accuracy: of the clips with labels, the share whose highest score among ``labels`` is right.
        macro_f1: for each threshold, the mean over the labels that a clip has.
        labels: in the order of the alphabet.
    """

    coverage: Coverage
    cmap: float | None
    cmap5: float | None
    auroc: float | None
    top1_accuracy: float | None
    macro_f1: Mapping[float, float | None]
    labels: Sequence[OfLabel]


def evaluate(
    found: Found,
    annotations: Iterable[Annotation],
    known_labels: Iterable[str],
    thresholds: Sequence[float],
    least_overlap_us: int,
) -> Evaluation:
    """Compare results with annotations.

    Args:
        found: the results.
        annotations: what people heard.
        known_labels: that the model can give.
        thresholds: for F1, precision and recall.
        least_overlap_us: see ``birddask.evaluation.truth``.

    Raises:
        ConfigError: no annotated recording has a scored clip, the model knows none of the names, or a part was
            withdrawn meanwhile.
    """
    distinct = list(dict.fromkeys(annotations))
    matched = match_recordings({each.recording for each in distinct}, read_scans(found.output))
    clips = scored_clips(found, {recording.path for recording in matched.recordings.values()})
    if not len(clips.number):
        names = ", ".join(sorted({each.recording for each in distinct})[:3])
        raise ConfigError(
            f"no annotated recording has a scored clip in {found.output.url}: the annotations name {names or 'none'}"
        )
    labelled = clip_labels(distinct, matched, clips, labels_by_name(known_labels), least_overlap_us)
    if not labelled.positives:
        unknown = ", ".join(sorted(labelled.unknown)[:10])
        raise ConfigError(f"the model knows none of the names in the annotations: {unknown or 'none'}")
    of_labels, top1_accuracy = _measure(found, clips, labelled.positives, thresholds)
    with_clips = [each for each in of_labels if each.clips]
    return Evaluation(
        _coverage(distinct, matched, clips, labelled),
        mean([each.average_precision for each in with_clips]),
        mean([each.average_precision for each in with_clips if each.clips >= _FEW]),
        mean([each.auroc for each in with_clips]),
        top1_accuracy,
        {threshold: mean([each.at[index].f1 for each in with_clips]) for index, threshold in enumerate(thresholds)},
        of_labels,
    )


def _measure(
    found: Found, clips: Clips, positives: Positives, thresholds: Sequence[float]
) -> tuple[list[OfLabel], float | None]:
    """Each label, and the top-1 accuracy; so many labels at a time that their scores fit into memory."""
    labels, count = list(positives), len(clips.number)
    at_once = max(1, _SCORES_AT_ONCE // count)
    best, best_is_right = np.zeros(count, np.float32), np.zeros(count, np.bool_)
    any_label = np.zeros(count, np.bool_)
    measured = []
    for first in range(0, len(labels), at_once):
        group = labels[first : first + at_once]
        scores = scores_of(found, clips, group)
        truth = np.zeros(scores.shape, np.bool_)
        for index, label in enumerate(group):
            truth[positives[label], index] = True
            own, has = scores[:, index].copy(), truth[:, index].copy()
            at = at_thresholds(own, has, thresholds)
            measured.append(OfLabel(label, int(has.sum()), average_precision(own, has), auroc(own, has), at))
        rows, highest = np.arange(count), scores.argmax(axis=1)
        better = scores[rows, highest] > best
        best = np.where(better, scores[rows, highest], best)
        best_is_right = np.where(better, truth[rows, highest], best_is_right)
        any_label |= truth.any(axis=1)
    return measured, float(best_is_right[any_label].mean()) if any_label.any() else None


def _coverage(annotations: Sequence[Annotation], matched: Matched, clips: Clips, labelled: ClipLabels) -> Coverage:
    with_label = np.unique(np.concatenate([np.empty(0, np.int64), *labelled.positives.values()]))
    scored = {clips.recordings[index] for index in np.unique(clips.recording).tolist()}
    unscored = [name for name, recording in matched.recordings.items() if recording.path not in scored]
    return Coverage(
        annotations=sum(bool(each.names) for each in annotations),
        recordings=len(scored),
        clips=len(clips.number),
        clips_without_label=len(clips.number) - len(with_label),
        recordings_without_annotations=clips.others[0],
        clips_without_annotations=clips.others[1],
        missing=sorted([*matched.missing, *unscored]),
        ambiguous=matched.ambiguous,
        unknown=dict(labelled.unknown),
        annotations_without_clip=labelled.without_clip,
    )
