"""What the commands of ``cli.results`` do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import typer

from birddask.commands.console import say
from birddask.detections.found import find_results
from birddask.detections.query import Query, opened
from birddask.detections.rules import Location, Rules, Thresholds, one_threshold, read_species, read_thresholds
from birddask.effort import FATES, Effort, count_effort, hours
from birddask.errors import ConfigError
from birddask.formats import find_format
from birddask.formats.about import about_file
from birddask.formats.format import Context, Format, Rows
from birddask.formats.spreadsheet import csv_lines
from birddask.handover.deliver import deliver, receiver_at
from birddask.job import Job, read_job_file
from birddask.models.cache import find_bundle
from birddask.models.location import ALL_YEAR, open_location_model
from birddask.safe_text import safe
from birddask.storage import Folder, absolute_url, folder_at, read_file

_THRESHOLD = 0.25


@dataclass(frozen=True)
class Results:
    """Which results are meant.

    Attributes:
        model: a folder below ``probabilities/``, without ``model=``, or how it begins; None if there is only one.
    """

    job_file: str
    model: str | None

    def job(self) -> Job:
        """The job that made them."""
        return read_job_file(self.job_file)


@dataclass(frozen=True)
class Choice:
    """What counts, as the user says it.

    Attributes:
        threshold: for all labels.
        thresholds: a file with one for each label.
        species: a file with names of labels.
    """

    threshold: float | None
    thresholds: str | None
    best: int | None
    species: str | None

    def rules(self, *, smooth: bool = False, merge: bool = False) -> Rules:
        """The rules that follow; raises ConfigError if a file is wrong."""
        species = None if self.species is None else read_species(read_file(self.species), self.species)
        return Rules(self._thresholds(), self.best, species, smooth, merge)

    def _thresholds(self) -> Thresholds:
        if self.thresholds is None:
            return one_threshold(_THRESHOLD if self.threshold is None else self.threshold)
        if self.threshold is not None:
            raise ConfigError(
                "give either --threshold or --thresholds; in the file a row for `*` is for all other labels"
            )
        return read_thresholds(read_file(self.thresholds), self.thresholds)


@dataclass(frozen=True)
class Where:
    """Where the recordings were made, as the user says it.

    Attributes:
        latitude_deg: of all recordings; of those that don't know their own, if ``own``.
        longitude_deg: likewise.
        own: recordings know where they were made.
        least: smallest occurrence that counts.
    """

    latitude_deg: float | None
    longitude_deg: float | None
    own: bool
    least: float

    def narrowed(self, rules: Rules, results: Results) -> Rules:
        """Rules by which labels must occur there, as the job's model has it; the same if nothing was said.

        Raises:
            ConfigError: one of latitude and longitude is missing, or the model is.
        """
        if (self.latitude_deg is None) != (self.longitude_deg is None):
            raise ConfigError("give --lat and --lon together")
        position = None
        if self.latitude_deg is not None and self.longitude_deg is not None:
            position = self.latitude_deg, self.longitude_deg
        if position is None and not self.own:
            return rules
        job = results.job()
        bundle = find_bundle(job.model, job.model_options)
        return replace(rules, location=Location(bundle, self.least, position, self.own))


def detections(results: Results, rules: Rules, format_name: str, output: str | None) -> None:
    """Write all detections of an output."""
    job, file_format = results.job(), find_format(format_name)
    found = find_results(job.output_folder, results.model)
    folder, name = new_place(job, output or f"detections{'' if file_format.per_recording else file_format.extension}")
    with opened(found, rules) as query:
        written = _save(query, job, file_format, folder, name)
        unanswered = query.unanswered()
    folder.publish(f"{name}.about.json", about_file(found, rules, written))
    say(rules.lines())
    if unanswered:
        say([f"no label answers to: {', '.join(unanswered)} (misspelt, or nowhere in the tables)"])
    say([f"{written} detections in {folder.place(name)}"])


def effort(results: Results, output: str | None, *, local: bool) -> None:
    """Write or print effort by site and day."""
    job = results.job()
    offset_min = job.scan_rule().assumed_offset_min if local else None
    efforts = count_effort(find_results(job.output_folder, results.model), offset_min)
    table = csv_lines(_effort_rows(efforts))
    if output is None:
        typer.echo(table, nl=False)
        return
    folder, name = new_place(job, output)
    folder.publish(name, table)
    total_us = {fate: sum(each.time_us[fate] for each in efforts) for fate in FATES}
    say([", ".join(f"{hours(total_us[fate]):.2f} h {fate}" for fate in FATES), f"written to {folder.place(name)}"])


def species(model: str, position: tuple[float, float], week: int | None, least: float) -> None:
    """Print what occurs at a place."""
    location_model = open_location_model(find_bundle(model))
    place = np.array([[*position, ALL_YEAR if week is None else week]], np.float32)
    (occurrence,) = location_model.occurrence(place)
    order = np.argsort(-occurrence, kind="stable")
    say(location_model.labels[index] for index in order.tolist() if occurrence[index] >= np.float32(least))


def export(results: Results, rules: Rules, format_name: str, place: str, *, following: bool) -> None:
    """Hand blocks over."""
    job = results.job()
    say(rules.lines())
    with receiver_at(place, job.export_options, find_format(format_name)) as receiver:
        for delivered in deliver(job, results.model, rules, receiver, following=following):
            say([f"{delivered.blocks} blocks with {delivered.detections} detections handed over to {place}"])


def _save(query: Query, job: Job, file_format: Format, folder: Folder, name: str) -> int:
    """Write all detections of a query; how many there are."""
    found, count = query.found, 0
    columns = file_format.columns(Context.of(found, job.archive_folder))

    def rows() -> Rows:
        nonlocal count
        for _, parts in found.sites():
            for batch in query.detections(parts, columns):
                count += batch.num_rows
                yield batch

    file_format.save(rows(), folder, name)
    return count


def _effort_rows(efforts: Iterable[Effort]) -> Iterable[Iterable[object]]:
    yield ["site", "day", *(f"{fate}_h" for fate in FATES), *(f"{fate}_clips" for fate in FATES), "files_quarantined"]
    for each in efforts:
        times_h = (f"{hours(each.time_us[fate]):.4f}" for fate in FATES)
        yield [safe(each.site), each.day, *times_h, *(each.clips[fate] for fate in FATES), each.files_quarantined]


def new_place(job: Job, place: str) -> tuple[Folder, str]:
    """The folder and the name of a place that is to be written.

    Raises:
        ConfigError: there is something already, in which somebody may have worked; or it can't be written.
    """
    base, _, name = absolute_url(place.rstrip("/")).rpartition("/")
    folder = folder_at(base or "/", job.export_options)
    folder.require_writable("place")
    if folder.exists(name):
        raise ConfigError(f"{folder.place(name)} is there already; take it away, or name another place with --output")
    return folder, name
