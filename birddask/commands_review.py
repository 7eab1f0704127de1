"""What the commands of ``cli_review`` do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import typer

from birddask.commands_results import Results, new_place, read_place
from birddask.detections.found import find_results
from birddask.detections.known import known_labels
from birddask.errors import ConfigError
from birddask.evaluation.annotations import Annotation, read_annotations
from birddask.evaluation.evaluate import evaluate
from birddask.evaluation.names import read_translation, translated
from birddask.evaluation.reporting import evaluation_file, evaluation_lines, label_table
from birddask.formats.spreadsheet import csv_lines
from birddask.storage import absolute_url, folder_at

_TABLES = (".txt", ".tsv", ".csv", ".parquet")
_LABELS_SHOWN = 40


@dataclass(frozen=True)
class Annotated:
    """What people heard.

    Attributes:
        place: a table, or a folder of tables.
        translation: a file with the model's labels for the names in them.
        least_overlap_s: see ``birddask.evaluation.truth``.
    """

    place: str
    translation: str | None
    least_overlap_s: float

    def annotations(self) -> Iterator[Annotation]:
        """All annotations; raises ConfigError if a file is missing or wrong."""
        labels = {} if self.translation is None else read_translation(read_place(self.translation), self.translation)
        return translated(itertools.chain.from_iterable(self._tables()), labels)

    def _tables(self) -> Iterator[Iterator[Annotation]]:
        if _is_table(self.place):
            yield read_annotations(read_place(self.place), self.place)
            return
        folder = folder_at(absolute_url(self.place))
        folder.require_readable("folder of annotations")
        keys = [key for key in folder.file_keys() if _is_table(key)]
        if not keys:
            raise ConfigError(f"{self.place} has no table of annotations in it ({', '.join(_TABLES)})")
        for key in keys:
            yield read_annotations(folder.read(key), key)


def evaluate_results(results: Results, annotated: Annotated, thresholds: Sequence[float], output: str | None) -> None:
    """Compare results with annotations; print what came of it, and write it."""
    job = results.job()
    found = find_results(job.output_folder, results.model)
    place = None if output is None else new_place(job, output)
    known = known_labels(found, job.model, job.model_options)
    least_us = round(annotated.least_overlap_s * 1_000_000)
    evaluation = evaluate(found, annotated.annotations(), known.labels, thresholds, least_us)
    _say(evaluation_lines(evaluation, found))
    if not known.complete:
        _say(["the model's own labels are not at hand: a name that its tables do not hold counts as unknown"])
    rows = list(label_table(evaluation))
    if place is None:
        shown = [index for index, name in enumerate(rows[0]) if not str(name).startswith(("precision", "recall"))]
        _say(_columns([[row[index] for index in shown] for row in rows[: _LABELS_SHOWN + 1]]))
        if len(rows) > _LABELS_SHOWN + 1:
            _say([f"and {len(rows) - _LABELS_SHOWN - 1} more labels; --output FILE has all"])
        return
    folder, name = place
    folder.publish(name, csv_lines(rows))
    folder.publish(f"{name}.about.json", evaluation_file(evaluation, found, least_us))
    _say([f"{len(rows) - 1} labels in {folder.place(name)}"])


def _is_table(place: str) -> bool:
    return PurePosixPath(place).suffix.lower() in _TABLES


def _columns(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A table for the eye."""
    texts = [[" ".join(str(cell).split()) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
