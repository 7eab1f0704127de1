"""The clips of an output that people annotated, and what stands in the tables about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.detections.found import Found, Part, read_part
from birddask.detections.rows import clips_of, rows_of
from birddask.storage import in_order


@dataclass(frozen=True)
class Clips:
    """The scored clips of some recordings, ordered by recording and start.

    Attributes:
        number: int64 (clip,), rows of the store.
        recording: int64 (clip,), index into ``recordings``.
        start_us: int64 (clip,), behind the begin of the recording.
        length_us: of each clip.
        recordings: their paths.
        parts: those that hold any of them.
        others: how many recordings and clips the output has beside.
    """

    number: NDArray[np.int64]
    recording: NDArray[np.int64]
    start_us: NDArray[np.int64]
    length_us: int
    recordings: Sequence[str]
    parts: Sequence[Part]
    others: tuple[int, int]

    def of_recording(self, index: int) -> slice:
        """Where the clips of a recording stand."""
        first, behind = np.searchsorted(self.recording, [index, index + 1])
        return slice(int(first), int(behind))


def scored_clips(found: Found, recordings: Collection[str]) -> Clips:
    """The scored clips of these recordings: one look at every part.

    Raises:
        ConfigError: a part was withdrawn meanwhile.
    """
    paths = sorted(recordings)
    index = {path: number for number, path in enumerate(paths)}
    kept, parts, other_clips = [], [], 0
    other_recordings: set[str] = set()
    tables = in_order(lambda part: clips_of(read_part(found.output, part), found.layout), found.parts)
    for part, table in zip(found.parts, tables, strict=True):
        names = table.column("recording").combine_chunks()
        of_name = np.array([index.get(name, -1) for name in names.dictionary.to_pylist()], np.int64)
        recording = of_name[names.indices.to_numpy()]
        wanted = recording >= 0
        other_clips += int((~wanted).sum())
        other_recordings.update(set(names.dictionary.to_pylist()) - index.keys())
        if wanted.any():
            columns = [table.column("clip").to_numpy(), recording, table.column("offset_us").to_numpy()]
            kept.append(np.stack([column[wanted] for column in columns]))
            parts.append(part)
    clips = np.concatenate(kept, axis=1) if kept else np.empty((3, 0), np.int64)
    number, recording, start_us = clips[:, np.lexsort((clips[2], clips[1]))]
    length_us = round(found.clip.length_samples * 1_000_000 / found.clip.sample_rate_hz)
    return Clips(number, recording, start_us, length_us, paths, parts, (len(other_recordings), other_clips))


def scores_of(found: Found, clips: Clips, labels: Sequence[str]) -> NDArray[np.float32]:
    """The probabilities of some labels, float32 (clip, label) in [0, 1]; 0 where a long table does not hold one.

    Raises:
        ConfigError: a part was withdrawn meanwhile.
    """
    columns = {label: column for column, label in enumerate(labels)}
    order = np.argsort(clips.number)
    numbers = clips.number[order]
    scores = np.zeros((len(numbers), len(labels)), np.float32)

    def least(label: str) -> float | None:
        return 0.0 if label in columns else None

    for table in in_order(lambda part: rows_of(read_part(found.output, part), found.layout, least), clips.parts):
        clip = table.column("clip").to_numpy()
        place = np.minimum(np.searchsorted(numbers, clip), len(numbers) - 1)
        wanted = numbers[place] == clip
        label = table.column("label").combine_chunks()
        of_label = np.array([columns.get(name, -1) for name in label.dictionary.to_pylist()], np.int64)
        column = of_label[label.indices.to_numpy()]
        scores[order[place[wanted]], column[wanted]] = table.column("probability").to_numpy()[wanted]
    return scores
