"""Sound into mels: the clips of a block read, computed, and committed with their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from birddask.errors import RecordingError, StorageError
from birddask.mels.coding import Stored, all_finite
from birddask.mels.spec import MelSpec
from birddask.mels.store import MelStore
from birddask.mels.transform import FrontEnd
from birddask.mels.waveform import ClipSound, Piece, read_pieces
from birddask.models.ready import ready_front_end
from birddask.plan import Block, Stretch
from birddask.recordings.reader import require_unchanged
from birddask.storage import Folder
from birddask.storage.ahead import ahead
from birddask.table.clip_table import ClipRow, clip_table_key, clips_file
from birddask.tasks.rows import planned_rows
from birddask.tasks.work import MelWork, turn


@dataclass(frozen=True)
class BlockMels:
    """The clips of a block, computed.

    Attributes:
        rows: of its clip table.
        mels: as the store keeps them; blank where the row is not ``ok``.
    """

    rows: list[ClipRow]
    mels: Stored


def compute(work: MelWork, block: Block) -> BlockMels:
    """Read and compute all clips of a block; of a recording that can't be read they are quarantined with the reason.

    Raises:
        ConfigError: the archive itself can't be reached any more; that is no recording's fault.
        TransientStorageError: storage failed in a way that may pass.
    """
    front_end = ready_front_end(work.bundle)
    spec = work.store.spec
    mels = work.store.blank(block.clips)
    planned = planned_rows(work.store, block)
    rows: list[ClipRow] = []
    read = ahead(_unchanged_pieces(work.archive, stretch, spec) for stretch in block.stretches)
    for stretch, pieces in zip(block.stretches, read, strict=True):
        own = slice(len(rows), len(rows) + stretch.clips)
        rows.extend(_made(work, front_end, planned[own], pieces, mels[own]))
    return BlockMels(rows, mels)


def _made(
    work: MelWork, front_end: FrontEnd, planned: Sequence[ClipRow], pieces: Iterator[Piece], mels: Stored
) -> Iterator[ClipRow]:
    """Compute the mels of a stretch; its rows, from some clip on perhaps with the reason why there are none."""
    places = zip(planned, mels, strict=True)
    reason = ""
    try:
        for piece in pieces:
            # Held for the whole piece: two threads that took turns clip by clip would then read and write together.
            with turn(work.computing):
                for sound, (row, target) in zip(piece.sounds(), places, strict=False):
                    yield _fill(row, sound, front_end, work.store, target)
    except RecordingError as error:
        reason = error.reason
    except (FileNotFoundError, StorageError) as error:
        work.archive.require_readable("archive")
        reason = "forbidden" if isinstance(error, StorageError) else "vanished"
    for row, _ in places:
        yield replace(row, status="quarantined", reason=reason)


def _unchanged_pieces(archive: Folder, stretch: Stretch, spec: MelSpec) -> Iterator[Piece]:
    require_unchanged(archive, stretch.recording)
    yield from read_pieces(archive, stretch, spec)


def _fill(row: ClipRow, sound: ClipSound, front_end: FrontEnd, store: MelStore, target: Stored) -> ClipRow:
    """Compute the mels of a clip into ``target``, or say why not."""
    quality = sound.quality
    if quality is None:
        return replace(row, status="silent")
    with np.errstate(invalid="ignore"):
        mels = store.to_stored(front_end.mels(sound.waveform))
    if not all_finite(mels):
        return replace(row, status="quarantined", reason="not_finite")
    target[:] = mels
    return replace(
        row,
        level_dbfs=quality.level_dbfs,
        clipped_share=quality.clipped_share,
        zero_share=quality.zero_share,
    )


def commit_mels(store: MelStore, block: Block, computed: BlockMels) -> None:
    """Write the shard of a block, unless no clip is ok, then the clip table, which commits it."""
    if any(row.status == "ok" for row in computed.rows):
        store.write_shard(block.number, computed.mels)
    store.folder.publish(clip_table_key(block.number), clips_file(computed.rows))


def try_stretch(work: MelWork, stretch: Stretch) -> int:
    """Make the mels of a stretch and throw them away: whether it ends the process; how many clips it has."""
    front_end = ready_front_end(work.bundle)
    for piece in read_pieces(work.archive, stretch, work.store.spec):
        for sound in piece.sounds():
            front_end.mels(sound.waveform)
    return stretch.clips
