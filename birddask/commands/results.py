"""What the commands of ``cli.results`` do."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from birddask.commands.console import say
from birddask.commands.named import Results, new_place, unanswered_lines
from birddask.detections.found import find_results
from birddask.detections.query import Query, opened
from birddask.detections.rules import Rules
from birddask.effort import FATES, Effort, count_effort, hours
from birddask.formats import find_format
from birddask.formats.about import about_file
from birddask.formats.format import Context, Format, Rows
from birddask.formats.spreadsheet import csv_lines
from birddask.handover.deliver import deliver, receiver_at
from birddask.job import Job
from birddask.models.cache import find_bundle
from birddask.models.location import ALL_YEAR, open_location_model
from birddask.safe_text import safe
from birddask.storage import Folder


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
    say(unanswered_lines(unanswered))
    say([f"{written} detections in {folder.place(name)}"])


def effort(results: Results, output: str | None, *, local: bool) -> None:
    """Write or print effort by site and day."""
    job = results.job()
    offset_min = job.scan_rule().assumed_offset_min if local else None
    efforts = count_effort(find_results(job.output_folder, results.model), offset_min)
    table = csv_lines(_effort_rows(efforts))
    if output is None:
        say(table.decode().removesuffix("\r\n").split("\r\n"))
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
