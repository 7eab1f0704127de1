"""``scan``: the archive's files into the recordings tables, and what has changed since the last time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from birddask.engine import Control
from birddask.fingerprint import fingerprint
from birddask.job import Job
from birddask.outputs import Scans, read_scans
from birddask.recordings.recording import Scanned
from birddask.scanning.duplicates import Copies
from birddask.scanning.inspecting import inspected, listed_files
from birddask.scanning.known import Known, recordings_at
from birddask.scanning.refreshing import refresh, retire_superseded

# A table in memory takes some 1.5 KB a row; and a site's blocks are filled up only within a table.
_ROWS_A_TABLE = 32_768
_NAMED_AT_MOST = 20

Add = Callable[[Scans, list[Scanned]], Scans]


@dataclass(frozen=True)
class Growth:
    """How an archive differs from what earlier scans found.

    Attributes:
        new: files without a row until now.
        changed: recordings that are not as they were; their rows and results are still those of before.
        vanished: recordings that are not there any more; their mels and results stay.
        changed_paths: the first of them.
        vanished_paths: the first of them.
        rule_changed: the job's ``site``, ``utc_offset`` or ``clocks`` are not those by which earlier rows were made.
    """

    new: int
    changed: int
    vanished: int
    changed_paths: tuple[str, ...]
    vanished_paths: tuple[str, ...]
    rule_changed: bool


def scan(job: Job, control: Control, *, refreshed: bool = False) -> Growth:
    """Bring the recordings tables up to date with the archive.

    Tables are written one by one in the order of the listing; after a kill the next scan goes on behind the last one.

    Args:
        job: what to scan, and by which rule.
        control: how to run.
        refreshed: recordings that changed, in content or by the job's rule, get new rows and are made anew.

    Raises:
        ConfigError: the archive can't be read, or the output can't be written.
    """
    output, rule = job.output_folder, rule_fingerprint(job)
    output.require_writable("output")
    if refreshed:
        refresh(job, rule, control)
    known = Known(read_scans(output))
    if known.superseded:
        retire_superseded(output, known.scans)
    _, growth = look(job, known, lambda scans, rows: scans.append(rows, rule), control)
    return growth


def rule_fingerprint(job: Job) -> str:
    """What changes if rows would be placed or dated otherwise."""
    return fingerprint(asdict(job.scan_rule()))


def look(job: Job, known: Known, add: Add, control: Control) -> tuple[Scans, Growth]:
    """Go once over the archive; rows of new files are added table by table, copies marked.

    Args:
        job: what to scan, and by which rule.
        known: from earlier scans.
        add: adds a table.
        control: how to run.

    Raises:
        ConfigError: the archive can't be read.
    """
    scans = known.scans
    copies = Copies(job.archive_folder, known, control)
    changed: list[int] = []

    def new_rows() -> Iterator[Scanned]:
        doubtful = (
            listed
            for listed in listed_files(job, known)
            if listed.handle < 0 or known.may_differ(listed.handle, listed.file)
        )
        for listed, row in inspected(job, doubtful, control):
            if listed.handle < 0:
                yield row
            elif known.differs(listed.handle, row.recording.size_bytes, row.about.head_digest):
                changed.append(listed.handle)

    new, grown, rows = 0, scans, new_rows()
    while table := list(islice(rows, _ROWS_A_TABLE)):
        new += len(table)
        grown = add(grown, copies.marked(grown, table))
    vanished = known.vanished()
    changed_at = known.positions(changed)
    growth = Growth(
        new=new,
        changed=len(changed),
        vanished=len(vanished),
        changed_paths=tuple(each.path for each in recordings_at(scans, changed_at[:_NAMED_AT_MOST])),
        vanished_paths=tuple(each.path for each in recordings_at(scans, vanished[:_NAMED_AT_MOST])),
        rule_changed=not set(known.rules) <= {rule_fingerprint(job)},
    )
    return grown, growth
