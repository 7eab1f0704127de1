"""The work of one block: read, compute, write, score, commit. No Dask here; anyone may repeat any of it."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from birddask.errors import MelsLost, MisalignedBlock, RecordingError, StorageError
from birddask.mels.ahead import ahead, behind
from birddask.mels.spec import MelSpec
from birddask.mels.store import Mels, MelStore, all_finite
from birddask.mels.transform import FrontEnd
from birddask.mels.waveform import ClipSound, Piece, read_pieces
from birddask.models.ready import BundleRef, ready_classifier, ready_front_end
from birddask.models.session import Scores
from birddask.plan import Block, Stretch
from birddask.recordings.reader import require_unchanged
from birddask.storage import Folder
from birddask.table.parts import ClipRow, clips_file, read_clips, unmeasured
from birddask.table.results import Results


@dataclass(frozen=True)
class MelWork:
    """What a task needs to make mels.

    Attributes:
        computing: how many tasks of one process compute at a time, while others read and write.
    """

    archive: Folder
    store: MelStore
    bundle: BundleRef
    computing: int = 1


@dataclass(frozen=True)
class ScoreWork:
    """What a task needs to classify; ``computing`` as in ``MelWork``."""

    store: MelStore
    results: Results
    bundle: BundleRef
    computing: int = 1


@functools.cache
def _turn(computing: int) -> threading.BoundedSemaphore:
    """Held by whoever computes; one for all tasks of a process."""
    return threading.BoundedSemaphore(computing)


@dataclass(frozen=True)
class BlockReport:
    """What a task tells the driver: numbers, never data.

    Attributes:
        scored: clips that got probabilities; 0 from ``make_mels``.
        audio_s: length of the clips, overlaps counted as often as they were computed.
        wall_s: time that the task took.
    """

    block: int
    clips: int
    ok: int
    silent: int
    quarantined: int
    scored: int
    audio_s: float
    wall_s: float


@dataclass(frozen=True)
class _BlockMels:
    rows: list[ClipRow]
    mels: Mels
    """(clip, channel, mel, frame) of the store's dtype; NaN where the row is not ``ok``."""


@dataclass(frozen=True)
class Unit:
    """What is left to do of a block.

    Attributes:
        remake: mels that turn out to be lost are made again at once.
    """

    block: Block
    make: bool
    score: bool
    remake: bool = False

    def __str__(self) -> str:
        return f"block {self.block.number}"


def perform(mel_work: MelWork, score_work: ScoreWork, unit: Unit) -> BlockReport:
    """Do what is left of a block; raises as the functions below."""
    if not unit.score:
        return make_mels(mel_work, unit.block)
    if not unit.make:
        try:
            return classify(score_work, unit.block)
        except MelsLost:
            if not unit.remake:
                raise
    return both(mel_work, score_work, unit.block)


def make_mels(work: MelWork, block: Block) -> BlockReport:
    """Make and commit the mels of a block."""
    started = time.perf_counter()
    computed = _compute(work, block)
    _commit_mels(work.store, block, computed)
    return _report(block, work.store, computed.rows, 0, started)


def classify(work: ScoreWork, block: Block) -> BlockReport:
    """Score the stored mels of a block and commit its part.

    Raises:
        MelsLost: the clip table promises mels that can't be read; it is withdrawn, so that they are made again.
    """
    started = time.perf_counter()
    rows = _read_rows(work.store, block)
    ok = _ok_index(rows)
    try:
        mels = _read_ok_mels(work.store, block, ok)
    except MelsLost:
        work.store.folder.remove(clip_table_key(block.number))
        raise
    _write_part(work, block, [rows[index] for index in ok], _score(work, mels))
    return _report(block, work.store, rows, len(ok), started)


def both(mel_work: MelWork, score_work: ScoreWork, block: Block) -> BlockReport:
    """Make and commit the mels of a block, then score them from memory: the same bytes as one after the other."""
    started = time.perf_counter()
    computed = _compute(mel_work, block)
    committing = behind(functools.partial(_commit_mels, mel_work.store, block, computed))
    ok = _ok_index(computed.rows)
    scores = _score(score_work, _only(ok, computed.mels))
    committing.result()
    _write_part(score_work, block, [computed.rows[index] for index in ok], scores)
    return _report(block, mel_work.store, computed.rows, len(ok), started)


def clip_table_key(block: int) -> str:
    """Where the clip table of a block lies below the folder of its store."""
    return f"clips/block-{block:06d}.parquet"


def try_stretch(work: MelWork, stretch: Stretch) -> int:
    """Make the mels of a stretch and throw them away: whether it ends the process; how many clips it has."""
    front_end = ready_front_end(work.bundle)
    for piece in read_pieces(work.archive, stretch, work.store.spec):
        for sound in piece.sounds():
            front_end.mels(sound.waveform)
    return stretch.clips


def _compute(work: MelWork, block: Block) -> _BlockMels:
    front_end = ready_front_end(work.bundle)
    spec = work.store.spec
    mels = np.full((block.clips, *spec.shape), np.nan, spec.dtype)
    planned = _planned_rows(work.store, block)
    rows: list[ClipRow] = []
    read = ahead(_unchanged_pieces(work.archive, stretch, spec) for stretch in block.stretches)
    for stretch, pieces in zip(block.stretches, read, strict=True):
        own = slice(len(rows), len(rows) + stretch.clips)
        rows.extend(_made(work, front_end, planned[own], pieces, mels[own]))
    return _BlockMels(rows, mels)


def _made(
    work: MelWork, front_end: FrontEnd, planned: Sequence[ClipRow], pieces: Iterator[Piece], mels: Mels
) -> Iterator[ClipRow]:
    """Compute the mels of a stretch; its rows, from some clip on perhaps with the reason why there are none.

    Raises:
        ConfigError: the archive itself can't be reached any more; that is no recording's fault.
    """
    places = zip(planned, mels, strict=True)
    reason = ""
    try:
        for piece in pieces:
            # Held for the whole piece: two threads that took turns clip by clip would then read and write together.
            with _turn(work.computing):
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


def _planned_rows(store: MelStore, block: Block) -> list[ClipRow]:
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


def _fill(row: ClipRow, sound: ClipSound, front_end: FrontEnd, store: MelStore, target: Mels) -> ClipRow:
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


def _commit_mels(store: MelStore, block: Block, computed: _BlockMels) -> None:
    if any(row.status == "ok" for row in computed.rows):
        store.write_shard(block.number, computed.mels)
    store.folder.publish(clip_table_key(block.number), clips_file(computed.rows))


def _read_rows(store: MelStore, block: Block) -> list[ClipRow]:
    rows = read_clips(store.folder.read(clip_table_key(block.number)))
    if [unmeasured(row, "ok", "") for row in rows] != _planned_rows(store, block):
        raise MisalignedBlock(
            f"block {block.number}: its clip table in {store.folder.url} is not of the clips that are planned; "
            "the recordings tables of this output were changed after the mels were made"
        )
    return rows


def _ok_index(rows: list[ClipRow]) -> NDArray[np.intp]:
    return np.array([index for index, row in enumerate(rows) if row.status == "ok"], np.intp)


def _only(ok: NDArray[np.intp], mels: Mels) -> Mels:
    """The mels of some clips; not copied where they are all."""
    return mels if len(ok) == len(mels) else mels[ok]


def _read_ok_mels(store: MelStore, block: Block, ok: NDArray[np.intp]) -> Mels:
    if not len(ok):
        return np.empty((0, *store.spec.shape), store.spec.dtype)
    mels = _only(ok, store.read_shard(block.number, block.clips))
    if not all(all_finite(clip) for clip in mels):  # a clip at a time, which stays in the core's cache
        raise MelsLost(f"block {block.number}: clips that were computed are missing in its shard")
    return mels


def _score(work: ScoreWork, mels: Mels) -> Scores:
    classifier = ready_classifier(work.bundle)
    with _turn(work.computing):
        return classifier.scores(mels, work.store.offset, embeddings=work.results.embeddings is not None)


def _write_part(work: ScoreWork, block: Block, rows: list[ClipRow], scores: Scores) -> None:
    labels = ready_classifier(work.bundle).labels
    work.results.write(block, rows, scores.probabilities, labels, scores.embeddings)


def _report(block: Block, store: MelStore, rows: list[ClipRow], scored: int, started: float) -> BlockReport:
    statuses = Counter(row.status for row in rows)
    rule = store.spec.clip
    return BlockReport(
        block=block.number,
        clips=len(rows),
        ok=statuses["ok"],
        silent=statuses["silent"],
        quarantined=statuses["quarantined"],
        scored=scored,
        audio_s=len(rows) * rule.length_samples / rule.sample_rate_hz,
        wall_s=time.perf_counter() - started,
    )
