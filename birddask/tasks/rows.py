"""The rows of a block's clips: as they are planned, and as its clip table has them."""

from __future__ import annotations

from birddask.errors import MisalignedBlock
from birddask.mels.store import MelStore
from birddask.plan import Block
from birddask.table.clip_table import ClipRow, clip_table_key, read_clips, unmeasured


def planned_rows(store: MelStore, block: Block) -> list[ClipRow]:
    """The rows of a block before anything is known of its sound."""
    rows: list[ClipRow] = []
    for stretch in block.stretches:
        recording, start_us = stretch.recording, stretch.recording.start_time_us
        for clip in range(stretch.first_clip, stretch.first_clip + stretch.clips):
            offset_us = store.spec.clip.offset_us(clip)
            row = ClipRow(
                clip=block.number * store.clips_per_block + len(rows),
                recording=recording.path,
                site=block.site,
                recorder=recording.recorder,
                offset_us=offset_us,
                start_time_us=None if start_us is None else start_us + offset_us,
                status="ok",
            )
            rows.append(row)
    return rows


def read_rows(store: MelStore, block: Block) -> list[ClipRow]:
    """The rows of a committed block.

    Raises:
        MisalignedBlock: they are not of the clips that are planned.
    """
    rows = read_clips(store.folder.read(clip_table_key(block.number)))
    if [unmeasured(row, "ok", "") for row in rows] != planned_rows(store, block):
        raise MisalignedBlock(
            f"block {block.number}: its clip table in {store.folder.url} is not of the clips that are planned; "
            "the recordings tables of this output were changed after the mels were made"
        )
    return rows
