"""``scan``: the archive's files into the recordings tables."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from birddask.accounting import RecordingCounts, count_recordings
from birddask.engine import Connect, Failed, dashboard_link, run_tasks
from birddask.errors import BirddaskError
from birddask.events import Advanced, Begun, Watch
from birddask.job import Job
from birddask.outputs import read_scans, write_scan
from birddask.recordings.inspect import ScanRule, inspect, row_path
from birddask.recordings.recording import Recording
from birddask.storage import Folder, FoundFile

_FILES_AT_ONCE = 256


def scan(job: Job, connect: Connect, watch: Watch) -> RecordingCounts:
    """Bring the recordings tables up to date with the archive.

    Raises:
        ConfigError: the archive can't be read, or the output can't be written.
    """
    output = job.output_folder
    output.require_writable("output")
    scans = read_scans(output)
    new = inspect_new(job, scans, connect, watch)
    if new:
        write_scan(output, len(scans), new)
    return count_recordings([*scans, new])


def inspect_new(job: Job, scans: Sequence[Sequence[Recording]], connect: Connect, watch: Watch) -> list[Recording]:
    """A row for each file that is in no recordings table yet, in the order of paths; writes nothing."""
    files = _new_files(job, scans)
    if not files:
        return []
    client = connect()
    watch(Begun("scan", len(files), "files", dashboard_link(client)))
    groups = [(start, files[start : start + _FILES_AT_ONCE]) for start in range(0, len(files), _FILES_AT_ONCE)]
    rows: dict[int, list[Recording]] = {}
    task = functools.partial(_inspect_group, job.archive_folder, job.scan_rule())
    for outcome in run_tasks(client, "scan", task, groups):
        start, group = outcome.item
        if isinstance(outcome, Failed):
            raise BirddaskError(f"the scan stopped, nothing was written: near {group[0].key}: {outcome.message}")
        rows[start] = outcome.result
        watch(Advanced(len(group)))
    return [row for start, _ in groups for row in rows[start]]


def _inspect_group(archive: Folder, rule: ScanRule, group: tuple[int, Sequence[FoundFile]]) -> list[Recording]:
    rows = [inspect(archive, file, rule) for file in group[1]]
    if any(row.reason in ("vanished", "forbidden") for row in rows):
        # If the archive itself has gone, no file is to blame for it.
        archive.require_readable("archive")
    return rows


def _new_files(job: Job, scans: Sequence[Sequence[Recording]]) -> list[FoundFile]:
    """Files of the archive that no scan has seen, apart from the output where it lies inside the archive."""
    archive = job.archive_folder
    archive.require_readable("archive")
    known = {recording.path for recordings in scans for recording in recordings}
    root = f"{archive.url.rstrip('/')}/"
    output = f"{job.output_folder.url.rstrip('/')}/"
    own = output.removeprefix(root) if output.startswith(root) else None
    return [
        file for file in archive.files() if row_path(file.key) not in known and not (own and file.key.startswith(own))
    ]
