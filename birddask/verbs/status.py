"""``status`` and ``--dry-run``: what is, and what would be; nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from birddask.accounting import RecordingCounts, StageCounts, count_recordings
from birddask.engine import Control
from birddask.mels.store import MelStore
from birddask.outputs import read_scans
from birddask.scanning.known import Known
from birddask.scanning.scan import look, rule_fingerprint
from birddask.verbs.counting import count
from birddask.verbs.dtypes import Stored, stored_as_each
from birddask.verbs.notes import RunNote, recent_notes
from birddask.verbs.pending import committed, plan, require_scanned
from birddask.verbs.prepared import Prepared, worker_bytes
from birddask.verbs.speed import clips_per_s


@dataclass(frozen=True)
class Intention:
    """What ``run`` would do.

    Attributes:
        recordings: in the archive, new ones included.
        new_files: not in the recordings tables yet.
        clips_by_site: in the whole plan.
        blocks_pending: of ``blocks``, without mels or without a part.
        store: of the mels, as it is or would be made.
        stored: mels of a clip with each dtype, of which the store has one.
        worker_bytes: memory that a worker will need, about.
        worker_s: time that one worker like this machine's will need, about.
    """

    recordings: RecordingCounts
    new_files: int
    clips_by_site: Mapping[str, int]
    blocks: int
    blocks_pending: int
    store: MelStore
    stored: tuple[Stored, ...]
    worker_bytes: int
    worker_s: float


@dataclass(frozen=True)
class Standing:
    """How an output stands.

    Attributes:
        runs: the last few, the latest last.
    """

    recordings: RecordingCounts
    mels: StageCounts
    scores: StageCounts
    runs: tuple[RunNote, ...]


def status(prepared: Prepared) -> Standing:
    """The state of the output, from what lies in it.

    Raises:
        ConfigError: nothing was scanned yet, and nothing ran.
    """
    store = prepared.store()
    scans = read_scans(prepared.job.output_folder)
    notes = recent_notes(prepared.job.output_folder)
    if not notes:
        require_scanned(prepared.job, scans)
    counted = count(prepared, plan(scans, store))
    return Standing(counted.recordings, counted.mels, counted.scores, tuple(notes))


def intend(prepared: Prepared, control: Control) -> Intention:
    """What ``run`` would do.

    Raises:
        ConfigError: the archive can't be read.
    """
    job = prepared.job
    rule = rule_fingerprint(job)
    scans, growth = look(
        job,
        Known(read_scans(job.output_folder)),
        lambda scans, rows: scans.imagine(rows, rule),
        control,
    )
    store = prepared.store()
    planned = plan(scans, store)
    left = committed(prepared, planned).left_to_run().blocks
    clips_pending = int(planned.sizes[left].sum())
    sites: Counter[str] = Counter()
    for block in planned.blocks():
        sites[block.site] += block.clips
    return Intention(
        recordings=count_recordings(scans),
        new_files=growth.new,
        clips_by_site=dict(sorted(sites.items())),
        blocks=len(planned.sizes),
        blocks_pending=int(left.sum()),
        store=store,
        stored=stored_as_each(prepared),
        worker_bytes=worker_bytes(store),
        worker_s=clips_pending / clips_per_s(prepared) if clips_pending else 0.0,
    )
