"""What an evaluation says, in words, as a table and for machines; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from birddask.detections.found import Found
from birddask.documents import to_json
from birddask.evaluation.evaluate import Coverage, Evaluation
from birddask.safe_text import printable, safe

_NAMES_SHOWN = 5


def evaluation_lines(evaluation: Evaluation, found: Found) -> Iterator[str]:
    """What was compared, what was not, and the figures over all labels."""
    yield from _coverage_lines(evaluation.coverage)
    if found.layout == "long":
        floor = found.metadata["layout"]["floor"]
        yield f"probabilities below {floor:g} are not in the tables and count as 0"
    labels = sum(each.clips > 0 for each in evaluation.labels)
    yield f"over {labels} labels that a clip has:"
    yield f"  cmAP {_figure(evaluation.cmap)}, of labels on five clips or more (cmAP5) {_figure(evaluation.cmap5)}"
    yield f"  AUROC {_figure(evaluation.auroc)}, top-1 accuracy {_figure(evaluation.top1_accuracy)}"
    for threshold, f1 in evaluation.macro_f1.items():
        yield f"  F1 at {threshold:g}: {_figure(f1)}"


def label_table(evaluation: Evaluation) -> Iterator[Sequence[object]]:
    """A header and a row a label, as text and numbers; what is undefined is empty."""
    thresholds = list(evaluation.macro_f1)
    of_thresholds = [f"{what}_at_{threshold:g}" for threshold in thresholds for what in ("f1", "precision", "recall")]
    yield ["label", "clips", "average_precision", "auroc", *of_thresholds]
    for each in evaluation.labels:
        at = [_cell(value) for one in each.at for value in (one.f1, one.precision, one.recall)]
        yield [safe(each.label), each.clips, _cell(each.average_precision), _cell(each.auroc), *at]


def evaluation_file(evaluation: Evaluation, found: Found, least_overlap_us: int) -> bytes:
    """All of it as JSON, with the model and the rules."""
    about = {
        "results": found.name,
        "model": found.metadata["model"],
        "layout": found.metadata["layout"],
        "least_overlap_us": least_overlap_us,
        **dataclasses.asdict(evaluation),
    }
    return to_json(about)


def _coverage_lines(coverage: Coverage) -> Iterator[str]:
    yield f"{coverage.annotations} annotations of {coverage.recordings} recordings, compared on {coverage.clips} clips"
    yield f"  clips without a label, taken as free of all of them: {coverage.clips_without_label}"
    if coverage.recordings_without_annotations:
        yield (
            f"  left out, for nobody annotated them: {coverage.recordings_without_annotations} recordings with "
            f"{coverage.clips_without_annotations} clips"
        )
    if coverage.missing:
        yield f"  recordings of which no clip was scored: {_some(coverage.missing)}"
    if coverage.ambiguous:
        yield f"  left out, for several recordings have that name: {_some(coverage.ambiguous)}"
    if coverage.unknown:
        unknown = [f"{name} ({times})" for name, times in sorted(coverage.unknown.items())]
        yield f"  names that the model does not know (annotations): {_some(unknown)}"
    if coverage.annotations_without_clip:
        yield f"  annotations that meet no scored clip: {coverage.annotations_without_clip}"


def _some(names: Iterable[str]) -> str:
    there = [printable(name) for name in names]
    more = len(there) - _NAMES_SHOWN
    return f"{len(there)}: {', '.join(there[:_NAMES_SHOWN])}{f' and {more} more' if more > 0 else ''}"


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
