"""Files of a listing, inspected on the cluster in groups, their rows in the order of the listing."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from birddask.engine import Control, Failed, dashboard_link, run_tasks
from birddask.engine.events import Advanced, Begun
from birddask.errors import BirddaskError, PoisonBlock
from birddask.job import Job
from birddask.recordings.cards import Cards
from birddask.recordings.inspect import ScanRule, crashed, inspect
from birddask.recordings.recording import Scanned
from birddask.scanning.known import Known
from birddask.storage import Folder, FoundFile

_FILES_AT_ONCE = 256
_LOOKED_UP_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a listing; ``handle`` finds its row among those known, -1 if it has none."""

    file: FoundFile
    handle: int


@dataclass(frozen=True)
class _Group:
    number: int
    listed: Sequence[Listed]

    def __str__(self) -> str:
        return f"{len(self.listed)} files from {self.listed[0].file.key} on"


def listed_files(job: Job, known: Known) -> Iterator[Listed]:
    """All files of the archive, apart from the output where it lies inside the archive."""
    archive = job.archive_folder
    archive.require_readable("archive")
    root = f"{archive.url.rstrip('/')}/"
    output = f"{job.output_folder.url.rstrip('/')}/"
    own = output.removeprefix(root) if output.startswith(root) else None
    files = (file for file in archive.files() if not (own and file.key.startswith(own)))
    while chunk := list(itertools.islice(files, _LOOKED_UP_AT_ONCE)):
        for file, handle in zip(chunk, known.look_up(chunk).tolist(), strict=True):
            yield Listed(file, handle)
    # Folders that go away while they are listed are passed over; all of them at once is another matter.
    archive.require_readable("archive")


def inspected(job: Job, files: Iterable[Listed], control: Control) -> Iterator[tuple[Listed, Scanned]]:
    """Each file with its row, in order; a cluster is asked for only if there is a file.

    Raises:
        BirddaskError: some files could not be inspected at all, though nothing is wrong with them.
    """
    waiting = iter(files)
    first = list(itertools.islice(waiting, 1))
    if not first:
        return
    control.watch(Begun("scan", None, "files", dashboard_link(control.connect())))
    task = functools.partial(_inspect_group, job.archive_folder, job.scan_rule())
    groups = _groups(itertools.chain(first, waiting))
    early: dict[int, tuple[_Group, list[Scanned]]] = {}
    following = 0
    for outcome in run_tasks(control, "scan", task, groups):
        group = outcome.item
        if not isinstance(outcome, Failed):
            rows = outcome.result
        elif isinstance(outcome.error, PoisonBlock):
            rows = _one_by_one(job, task, group, control)
        else:
            raise _stopped(group, outcome)
        early[group.number] = (group, rows)
        control.watch(Advanced(len(group.listed)))
        while following in early:
            ready, rows = early.pop(following)
            yield from zip(ready.listed, rows, strict=True)
            following += 1


def _groups(files: Iterator[Listed]) -> Iterator[_Group]:
    for number in itertools.count():
        group = list(itertools.islice(files, _FILES_AT_ONCE))
        if not group:
            return
        yield _Group(number, group)


def _one_by_one(job: Job, task: Callable[[_Group], list[Scanned]], group: _Group, control: Control) -> list[Scanned]:
    """The rows of a group that ended its worker; only the file that does so by itself is quarantined for it."""
    rows: dict[int, Scanned] = {}
    for outcome in run_tasks(control, "scan", task, (_Group(n, [each]) for n, each in enumerate(group.listed))):
        if not isinstance(outcome, Failed):
            (rows[outcome.item.number],) = outcome.result
        elif isinstance(outcome.error, PoisonBlock):
            rows[outcome.item.number] = crashed(job.archive_folder, outcome.item.listed[0].file, job.scan_rule())
        else:
            raise _stopped(outcome.item, outcome)
    return [rows[number] for number in range(len(group.listed))]


def _stopped(group: _Group, failed: Failed[_Group]) -> BirddaskError:
    return BirddaskError(f"the scan stopped at {group}: {failed.message}; start it again to go on")


def _inspect_group(archive: Folder, rule: ScanRule, group: _Group) -> list[Scanned]:
    cards = Cards(archive)
    rows = [inspect(archive, cards, listed.file, rule) for listed in group.listed]
    if any(row.recording.reason in ("vanished", "forbidden") for row in rows):
        # If the archive itself has gone, no file is to blame for it.
        archive.require_readable("archive")
    return rows
