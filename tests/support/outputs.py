"""Outputs made up row by row, without audio and without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birddask.outputs import Scans, planned_store
from birddask.plan import Block, plan_blocks
from birddask.recordings.recording import About, Recording, Scanned
from birddask.storage import Folder
from birddask.table.clip_table import ClipRow, clip_table_key, clips_file
from birddask.table.parts import PartLayout
from birddask.table.results import Results
from tests.support.models import TINY_RATE, tiny_card, tiny_spec

Scores = NDArray[np.float32]
"""(clip, label) of one recording; a clip of NaN is silent."""

WIDE, LONG = PartLayout("wide", 0.0), PartLayout("long", 0.01)
NOON_US = 1_714_564_800_000_000
"""1 May 2024, 12:00 UTC."""


def recording(path: str, seconds: float, start_time_us: int | None = NOON_US, **settings: object) -> Scanned:
    """A usable recording at the tiny model's rate; settings go to its row, those that it lacks to ``About``."""
    own = {name: value for name, value in settings.items() if name in Recording.__dataclass_fields__}
    about = {name: value for name, value in settings.items() if name not in own}
    row = Recording(
        path,
        1,
        "usable",
        site=path.split("/", maxsplit=1)[0],
        container="wav",
        sample_rate_hz=TINY_RATE,
        channels=1,
        frames=round(seconds * TINY_RATE),
        start_time_us=start_time_us,
    )
    return Scanned(replace(row, **own), About(**about))  # type: ignore[arg-type]


@dataclass(frozen=True)
class MadeUp:
    """An output, to be filled block by block.

    Attributes:
        scores: by the path of a recording; its clips are planned by the tiny model's rule.
    """

    folder: Folder
    recordings: Sequence[Scanned]
    labels: Sequence[str]
    scores: Mapping[str, Scores]
    layout: PartLayout = LONG
    hop_samples: int = TINY_RATE
    clips_per_block: int = 4
    name: str = "tiny"

    @property
    def results(self) -> Results:
        return Results(self.folder, replace(tiny_card(self.name), mels=tiny_spec(self.hop_samples)), self.layout)

    def blocks(self) -> list[Block]:
        rule = tiny_spec(self.hop_samples).clip
        return list(plan_blocks([[row.recording for row in self.recordings]], rule, self.clips_per_block))

    def scan(self) -> None:
        Scans(self.folder, 0).append(self.recordings, "rule")

    def make(self, block: Block) -> None:
        """Commit the clip table."""
        spec = tiny_spec(self.hop_samples)
        store = replace(planned_store(self.folder, spec, 1), clips_per_block=self.clips_per_block)
        store.create()
        store.folder.publish(clip_table_key(block.number), clips_file([row for row, _ in self._clips(block)]))

    def draw(self) -> None:
        """Write mels of noise for all clips that are not silent; needs the clip tables."""
        blocks = self.blocks()
        spec = tiny_spec(self.hop_samples)
        store = replace(planned_store(self.folder, spec, 1), clips_per_block=self.clips_per_block)
        store.grow(len(blocks))
        generator = np.random.default_rng(0)
        for block in blocks:
            mels = generator.normal(-40, 10, (block.clips, *spec.shape)).astype(np.float32)
            mels[[row.status != "ok" for row, _ in self._clips(block)]] = np.nan
            store.write_shard(block.number, mels)

    def score(self, block: Block) -> None:
        """Commit the part."""
        ok = [(row, scores) for row, scores in self._clips(block) if row.status == "ok"]
        scores = np.array([each for _, each in ok], np.float32).reshape(len(ok), len(self.labels))
        self.results.write(block, [row for row, _ in ok], scores, self.labels, np.empty((len(ok), 0), np.float32))

    def fill(self) -> None:
        """Commit everything."""
        self.scan()
        for block in self.blocks():
            self.make(block)
            self.score(block)

    def _clips(self, block: Block) -> Iterator[tuple[ClipRow, Scores]]:
        rule = tiny_spec(self.hop_samples).clip
        clip = block.number * self.clips_per_block
        for stretch in block.stretches:
            row = stretch.recording
            for number in range(stretch.first_clip, stretch.first_clip + stretch.clips):
                scores = self.scores[row.path][number]
                offset_us = rule.offset_us(number)
                start_time_us = None if row.start_time_us is None else row.start_time_us + offset_us
                status = "silent" if np.isnan(scores).any() else "ok"
                yield ClipRow(clip, row.path, row.site, row.recorder, offset_us, start_time_us, status), scores
                clip += 1


def made_up(tmp_path: Path, recordings: Sequence[Scanned], labels: Sequence[str], **settings: object) -> MadeUp:
    """An output with random scores for all clips."""
    generator = np.random.default_rng(0)
    rule = tiny_spec(int(settings.get("hop_samples", TINY_RATE))).clip  # type: ignore[call-overload]
    scores = {
        row.recording.path: generator.uniform(
            0, 1, (rule.clips(row.recording.frames, row.recording.sample_rate_hz), len(labels))
        ).astype(np.float32)
        for row in recordings
    }
    return MadeUp(Folder(str(tmp_path)), recordings, labels, scores, **settings)  # type: ignore[arg-type]
