"""What the commands of ``cli.review`` do."""

from __future__ import annotations

import asyncio
import getpass
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from birddask.commands.console import say
from birddask.commands.named import Results, new_place, unanswered_lines
from birddask.detections.found import Found, find_results
from birddask.detections.known import known_labels
from birddask.detections.rules import read_species
from birddask.errors import ConfigError
from birddask.evaluation.annotations import Annotation, read_annotations
from birddask.evaluation.evaluate import evaluate
from birddask.evaluation.names import read_translation, translated
from birddask.evaluation.reporting import evaluation_file, evaluation_lines, label_table
from birddask.formats.spreadsheet import csv_lines
from birddask.review import calibration
from birddask.review.answers import latest, read_answers
from birddask.review.bands import lowest_edge
from birddask.review.desk import set_up
from birddask.review.sample import Sample, draw
from birddask.review.server import serve
from birddask.safe_text import printable
from birddask.storage import absolute_url, folder_at, read_file

_TABLES = (".txt", ".tsv", ".csv", ".parquet")
_LABELS_SHOWN = 40


@dataclass(frozen=True)
class Annotations:
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
        labels = {} if self.translation is None else read_translation(read_file(self.translation), self.translation)
        return translated(itertools.chain.from_iterable(self._tables()), labels)

    def _tables(self) -> Iterator[Iterator[Annotation]]:
        if _is_table(self.place):
            yield read_annotations(read_file(self.place), self.place)
            return
        folder = folder_at(absolute_url(self.place))
        folder.require_readable("folder of annotations")
        keys = [key for key in folder.file_keys() if _is_table(key)]
        if not keys:
            raise ConfigError(f"{self.place} has no table of annotations in it ({', '.join(_TABLES)})")
        for key in keys:
            yield read_annotations(folder.read(key), key)


def evaluate_results(results: Results, annotated: Annotations, thresholds: Sequence[float], output: str | None) -> None:
    """Compare results with annotations; print what came of it, and write it."""
    job = results.job()
    found = find_results(job.output_folder, results.model)
    place = None if output is None else new_place(job, output)
    known = known_labels(found, job.model, job.model_options)
    least_us = round(annotated.least_overlap_s * 1_000_000)
    evaluation = evaluate(found, annotated.annotations(), known.labels, thresholds, least_us)
    say(evaluation_lines(evaluation, found))
    if not known.complete:
        say(["the model's own labels are not at hand: a name that its tables do not hold counts as unknown"])
    rows = list(label_table(evaluation))
    if place is None:
        shown = [index for index, name in enumerate(rows[0]) if not str(name).startswith(("precision", "recall"))]
        say(_columns([[row[index] for index in shown] for row in rows[: _LABELS_SHOWN + 1]]))
        if len(rows) > _LABELS_SHOWN + 1:
            say([f"and {len(rows) - _LABELS_SHOWN - 1} more labels; --output FILE has all"])
        return
    folder, name = place
    folder.publish(name, csv_lines(rows))
    folder.publish(f"{name}.about.json", evaluation_file(evaluation, found, least_us))
    say([f"{len(rows) - 1} labels in {folder.place(name)}"])


@dataclass(frozen=True)
class Wanted:
    """What is to be reviewed.

    Attributes:
        threshold: the lowest band is the one that holds it.
        species: a file with names of labels.
        per_band: detections of each label from each band.
        labels: so many, the most frequent ones; all that ``species`` names if that is given.
    """

    threshold: float
    species: str | None
    per_band: int
    labels: int

    def draw(self, found: Found) -> Sample:
        """Draw; raises ConfigError if the species file is wrong."""
        species = None if self.species is None else read_species(read_file(self.species), self.species)
        most = self.labels if species is None else sys.maxsize
        return draw(found, species, lowest_edge(self.threshold), self.per_band, most)


def review(results: Results, wanted: Wanted, reviewer: str | None, port: int) -> None:
    """Serve the review page until it is stopped."""
    job = results.job()
    found = find_results(job.output_folder, results.model)
    job.output_folder.require_writable("output")
    sample = wanted.draw(found)
    say(unanswered_lines(sample.unanswered))
    labels = known_labels(found, job.model, job.model_options).labels
    desk = set_up(job, found, sample.drawn, labels, reviewer or getpass.getuser())
    of_labels = len({each.label for each in sample.drawn})
    if of_labels < sample.labels:
        say([f"the {of_labels} most frequent labels of {sample.labels}; --labels takes more, --species others"])
    say([f"{len(sample.drawn)} detections of {of_labels} labels to review, {desk.answered} of them answered already"])

    def opened(address: str) -> None:
        say([f"open {address}", "^C stops; every answer is kept as it is given"])

    try:
        asyncio.run(serve(desk, port, opened))
    except OSError as error:
        raise ConfigError(f"port {port} of this machine can't be used: {error.strerror}; name another one") from error
    except KeyboardInterrupt:
        say([f"stopped; {desk.session.count} answers in this session, {desk.answered} of {len(sample.drawn)} in all"])


def calibrate(results: Results, probability: float, output: str | None) -> None:
    """Say what the answers of reviews tell, and write thresholds."""
    job = results.job()
    found = find_results(job.output_folder, results.model)
    place = None if output is None else new_place(job, output)
    answers = latest(read_answers(found.output, found.name)).values()
    if not answers:
        raise ConfigError(f"nobody has reviewed {found.name} yet; `birddask review` does it")
    calibrations = calibration.calibrate(answers, probability)
    say(calibration.calibration_lines(calibrations))
    if place is None:
        return
    folder, name = place
    rows = list(calibration.threshold_table(calibrations))
    folder.publish(name, csv_lines(rows))
    folder.publish(f"{name}.about.json", calibration.calibration_file(calibrations, found.name, probability))
    say([f"{len(rows) - 1} thresholds in {folder.place(name)}, for `birddask detections --thresholds`"])


def _is_table(place: str) -> bool:
    return PurePosixPath(place).suffix.lower() in _TABLES


def _columns(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A table for the eye."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
