"""Recordings that changed after they were scanned: their rows are superseded, what was made of them is retired.

Rows never leave their table, so that no block moves. A superseded row keeps its clips in the plan, but they count as
quarantined; the file gets a new row, and so new clips, by the scan that follows.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from birddask.engine import Control
from birddask.job import Job
from birddask.mels.store import MelStore, open_store
from birddask.outputs import Scans, read_scans, stores
from birddask.plan import Block, plan_blocks
from birddask.recordings.recording import Scanned
from birddask.scanning.inspecting import Listed, inspected, listed_files
from birddask.scanning.known import Known
from birddask.storage import Folder
from birddask.table.block_files import block_numbers
from birddask.table.clip_table import clip_table_key, clips_file, read_clips, unmeasured
from birddask.table.results import parts_of_blocks
from birddask.table.scans import read_scanned

_SUPERSEDED = "superseded"


def refresh(job: Job, rule: str, control: Control) -> None:
    """Mark the rows that the archive, or the job's rule, has overtaken.

    Args:
        job: whose archive is looked through.
        rule: the fingerprint of its scan rule.
        control: how to run.

    Raises:
        ConfigError: the archive can't be read.
    """
    scans = read_scans(job.output_folder)
    known = Known(scans)
    stale = [each != rule for each in known.rules]

    def doubtful() -> Iterator[Listed]:
        for listed in listed_files(job, known):
            if listed.handle < 0:
                continue
            table_number = known.position(listed.handle).table
            if stale[table_number] or known.may_differ(listed.handle, listed.file):
                yield listed

    table = functools.lru_cache(maxsize=2)(lambda number: read_scanned(scans.content(number)))
    overtaken: dict[int, set[int]] = defaultdict(set)
    for listed, fresh in inspected(job, doubtful(), control):
        position = known.position(listed.handle)
        if not _same(table(position.table)[position.row], fresh):
            overtaken[position.table].add(position.row)
    for number, outdated in enumerate(stale):
        if outdated or overtaken[number]:
            marked = [_marked(row) if index in overtaken[number] else row for index, row in enumerate(table(number))]
            scans.replace(number, marked, rule)


def retire_superseded(output: Folder, scans: Scans) -> None:
    """Withdraw what was made of superseded recordings: their clips count as quarantined, their blocks as not scored.

    The mels of all other clips stay, the archive is not needed, and a kill on the way is made good by the next call.
    """
    for name in stores(output):
        store = open_store(output.child("mels", name))
        made = set(block_numbers(store.folder.child("clips")).tolist())
        blocks = [
            block
            for block in plan_blocks(scans, store.spec.clip, store.clips_per_block)
            if block.number in made and any(stretch.recording.superseded for stretch in block.stretches)
        ]
        parts = parts_of_blocks(output, store.spec.fingerprint, {block.number for block in blocks})
        for block in blocks:
            _retire(output, store, block, parts.get(block.number, ()))


def _retire(output: Folder, store: MelStore, block: Block, parts: Sequence[str]) -> None:
    """Take clips out of a block whose mels are committed; its parts first, for a part promises that it is complete."""
    key = clip_table_key(block.number)
    rows = read_clips(store.folder.read(key))
    # By the place in the plan: a path may stand in a block twice, before and after its change.
    places = [stretch.recording.superseded for stretch in block.stretches for _ in range(stretch.clips)]
    if all(row.reason == _SUPERSEDED for row, superseded in zip(rows, places, strict=True) if superseded):
        return
    for part in parts:
        output.remove(part)
    retired = [
        unmeasured(row, "quarantined", _SUPERSEDED) if superseded else row
        for row, superseded in zip(rows, places, strict=True)
    ]
    store.folder.publish(key, clips_file(retired))


def _same(old: Scanned, fresh: Scanned) -> bool:
    if (old.recording.size_bytes, old.about.head_digest) != (fresh.recording.size_bytes, fresh.about.head_digest):
        return False
    return old.recording.reason == "duplicate" or old.recording == fresh.recording


def _marked(row: Scanned) -> Scanned:
    return Scanned(replace(row.recording, superseded=True), row.about)
