"""What the commands do that show results: pictures and pages."""

from __future__ import annotations

import re

from rich.console import Console

from birddask.clips.figure import png
from birddask.clips.find import clip_number_at, find_recording, labels_of, row_of
from birddask.clips.frequencies import bin_centres, front_end_arrays
from birddask.clips.looked_at import LookedAt
from birddask.clips.picture import Panel, panels, time_marks
from birddask.clips.terminal import show as show_in_terminal
from birddask.commands.console import say
from birddask.commands.named import Results, new_place, unanswered_lines
from birddask.detections.found import Found, find_results, results_in, scored_store
from birddask.detections.rules import Rules
from birddask.errors import ConfigError
from birddask.job import Job
from birddask.mels.store import MelStore, open_store
from birddask.outputs import read_scans, stores
from birddask.page.analysed import Clock
from birddask.page.build import build
from birddask.page.render import render

_LABELS_SHOWN = 8
_TIME = re.compile(r"(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d{1,6})?)")


def show(results: Results, recording: str, at: str, output: str | None) -> None:
    """Draw a clip to a file or the terminal."""
    at_us = _time_us(at)
    job = results.job()
    if output is None:
        show_in_terminal(_look(job, results.model, recording, at_us), Console())
        return
    if not output.lower().endswith(".png"):
        raise ConfigError(f"the picture is a PNG file; give --output a name that ends with .png, not {output}")
    folder, name = new_place(job, output)
    clip = _look(job, results.model, recording, at_us)
    if not clip.panels:
        raise ConfigError(f"the clip is {clip.row.status} {clip.row.reason}: it has no mels to draw")
    folder.publish(name, png(clip))
    say([f"written to {folder.place(name)}"])


def report(results: Results, rules: Rules, output: str, *, local: bool) -> None:
    """Write the page."""
    job = results.job()
    found = find_results(job.output_folder, results.model)
    folder, name = new_place(job, output)
    content = build(job, found, rules, Clock(job.scan_rule().assumed_offset_min if local else None))
    page = render(content)
    folder.publish(name, page)
    say([f"{content.heard.detections} detections of {len(content.heard.labels)} labels"])
    if not content.sounds:
        say([f"without sound: {job.archive_folder.url} can't be reached"])
    say(unanswered_lines(content.unanswered))
    say([f"written to {folder.place(name)}, {len(page) / 1e6:.1f} MB"])


def _look(job: Job, model: str | None, path: str, at_us: int) -> LookedAt:
    found = results_in(job.output_folder, model)
    store = _only_store(job) if found is None else scored_store(found)
    scans = read_scans(job.output_folder)
    spec = store.spec
    recording = find_recording(scans, path.removeprefix(job.archive_folder.place("")))
    row = row_of(scans, store, recording, clip_number_at(spec.clip, recording, at_us))
    drawn: tuple[Panel, ...] = ()
    if row.status == "ok":
        drawn = panels(store.read_clip(row.clip), spec, bin_centres(spec, front_end_arrays(job)))
    length_us = spec.clip.length_samples * 1_000_000 // spec.clip.sample_rate_hz
    return LookedAt(row, length_us, drawn, time_marks(spec), _labels(found, row.clip, store))


def _labels(found: Found | None, clip: int, store: MelStore) -> list[tuple[str, float]] | None:
    labels = labels_of(found, clip, store.clips_per_block) if found else []
    return labels[:_LABELS_SHOWN] or None


def _only_store(job: Job) -> MelStore:
    names = stores(job.output_folder)
    if len(names) != 1:
        raise ConfigError(f"there are no results in {job.output_folder.url} yet; `birddask run` makes them")
    return open_store(job.output_folder.child("mels", names[0]))


def _time_us(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ConfigError(f"--at {text!r} is no time in a recording; write 00:12:30, 12:30 or 750.5")
    seconds = int(match["hours"] or 0) * 3600 + int(match["minutes"] or 0) * 60 + float(match["seconds"])
    return round(seconds * 1_000_000)
