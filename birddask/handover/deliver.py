"""Blocks are handed over: all that are done, or each as it is done until no run is going on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from birddask.detections.found import Found, Part, find_results, results_in
from birddask.detections.query import Columns, opened
from birddask.detections.rules import Rules
from birddask.errors import ConfigError
from birddask.formats.format import Context, Format, Rows
from birddask.handover.files import Files
from birddask.handover.http_endpoint import HttpEndpoint
from birddask.handover.sqlite_file import SUFFIXES, opened_sqlite
from birddask.job import Job
from birddask.outputs import Scans, read_scans
from birddask.storage import Options, folder_at, is_url
from birddask.verbs.notes import recent_notes

_LOOK_EVERY_S = 5.0


class Receiver(Protocol):
    """Whoever takes blocks; to take one twice is to take it once."""

    def columns(self, context: Context) -> Columns:
        """The columns of detections that it needs."""
        ...

    def know(self, scans: Scans) -> None:
        """Learn of the recordings."""
        ...

    def take(self, model: str, part: Part, rows: Rows) -> None:
        """Take the detections of a block."""
        ...


@dataclass(frozen=True)
class Delivered:
    """What was handed over."""

    blocks: int
    detections: int


def receiver_at(place: str, options: Options, file_format: Format) -> AbstractContextManager[Receiver]:
    """The receiver that a user names by a URL or a path.

    Args:
        place: an ``http`` URL for an endpoint, a path that ends with one of ``SUFFIXES`` for a SQLite file, else a
            folder for files.
        options: how to reach the place.
        file_format: of files.

    Raises:
        ConfigError: the place can't take anything.
    """
    if place.startswith(("http://", "https://")):
        return contextlib.nullcontext(HttpEndpoint.at(place, options))
    if place.endswith(SUFFIXES):
        if is_url(place):
            raise ConfigError(f"{place}: a SQLite file must lie on this machine")
        return opened_sqlite(Path(place).expanduser())
    if file_format.per_recording:
        raise ConfigError(
            "a format with a file for each recording can't be exported by block; use `birddask detections`"
        )
    folder = folder_at(place, options)
    folder.require_writable("place")
    return contextlib.nullcontext(Files(folder, file_format))


def deliver(job: Job, model: str | None, rules: Rules, receiver: Receiver, *, following: bool) -> Iterator[Delivered]:
    """Hand over all blocks that are done; then, if ``following``, those that a run goes on to make, until it ends.

    Yields after each look that found some. A block that was made anew is handed over again.

    Raises:
        ConfigError: there are no results, or not of this model, or of several.
        StorageError: the receiver refuses.
        TransientStorageError: the receiver was away for too long.
    """
    done: set[Part] = set()
    while True:
        began_s = time.monotonic()
        # Asked before the listing: what is done while the listing is made comes with the next one.
        going_on = following and any(note.is_alive(datetime.now(UTC)) for note in recent_notes(job.output_folder))
        find = results_in if going_on else find_results
        found = find(job.output_folder, model)
        if found is not None:
            new = [part for part in found.parts if part not in done]
            if new:
                yield _hand_over(job, found, new, rules, receiver)
            done.update(new)
        if not going_on:
            return
        # To look must not cost more than a tenth of the time, on the largest of outputs.
        time.sleep(max(_LOOK_EVERY_S, 9 * (time.monotonic() - began_s)))


def _hand_over(job: Job, found: Found, parts: list[Part], rules: Rules, receiver: Receiver) -> Delivered:
    detections = 0

    def counted(rows: Rows) -> Rows:
        nonlocal detections
        for batch in rows:
            detections += batch.num_rows
            yield batch

    receiver.know(read_scans(found.output))
    columns = receiver.columns(Context.of(found, job.archive_folder))
    with opened(found, rules) as query:
        for part in parts:
            receiver.take(found.name, part, counted(query.detections([part], columns)))
    return Delivered(len(parts), detections)
