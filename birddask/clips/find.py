"""A clip by recording and time, and what is known of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from birddask.detections.found import Found, read_part
from birddask.detections.rows import rows_of
from birddask.errors import ConfigError
from birddask.mels.store import MelStore
from birddask.outputs import Scans
from birddask.plan import ClipRule, block_sizes, plan_blocks
from birddask.recordings.moments import US_PER_S
from birddask.recordings.recording import Recording
from birddask.table.clip_table import ClipRow, clip_table_key, read_clips


def find_recording(scans: Scans, path: str) -> Recording:
    """The usable recording at a path below the archive.

    Raises:
        ConfigError: there is none.
    """
    found = [each for table in scans for each in table if each.path == path and not each.superseded]
    usable = [each for each in found if each.status == "usable"]
    if usable:
        return usable[-1]
    what = f"it is {found[-1].status}: {found[-1].reason}" if found else "give its path below the archive"
    raise ConfigError(f"there is no usable recording {path!r} in {scans.output.url}/recordings; {what}")


def usable_recordings(scans: Scans, paths: Collection[str]) -> Mapping[str, Recording]:
    """Those of some recordings that are usable, by path; one pass through the tables."""
    return {
        each.path: each
        for table in scans
        for each in table
        if each.path in paths and each.status == "usable" and not each.superseded
    }


def clip_number(rule: ClipRule, offset_us: int) -> int:
    """Which clip of its recording begins at an offset, as it is rounded in the tables."""
    hop = rule.hop_samples * US_PER_S
    return (2 * offset_us * rule.sample_rate_hz + hop) // (2 * hop)


def clip_number_at(rule: ClipRule, recording: Recording, at_us: int) -> int:
    """The last clip of a recording that begins at or before a time in it.

    Raises:
        ConfigError: the recording does not last so long, or has no clip.
    """
    length_us = recording.frames * US_PER_S // recording.sample_rate_hz
    clips = rule.clips(recording.frames, recording.sample_rate_hz)
    if not 0 <= at_us < length_us or not clips:
        raise ConfigError(f"{recording.path} is {length_us / US_PER_S:g} s long and has {clips} clips; none is there")
    return min(at_us * rule.sample_rate_hz // (rule.hop_samples * US_PER_S), clips - 1)


def row_of(scans: Scans, store: MelStore, recording: Recording, number: int) -> ClipRow:
    """The row of the clip table of a clip of a recording.

    Raises:
        ConfigError: the mels of its block are not made yet.
    """
    clip = _place(scans, store, recording, number)
    block, index = divmod(clip, store.clips_per_block)
    try:
        content = store.folder.read(clip_table_key(block))
    except FileNotFoundError as error:
        raise ConfigError(f"the mels of this clip are not made yet (block {block}); `birddask run` goes on") from error
    return read_clips(content)[index]


def labels_of(found: Found, clip: int, clips_per_block: int) -> list[tuple[str, float]]:
    """The labels of a clip and their probabilities, the likeliest first; none if it is not scored.

    Raises:
        ConfigError: a part was withdrawn meanwhile.
    """
    block = clip // clips_per_block
    probabilities: list[tuple[str, float]] = []
    for part in found.parts:
        if part.block == block:
            rows = rows_of(read_part(found.output, part), found.layout, lambda _: 0.0).to_pylist()
            probabilities.extend((row["label"], row["probability"]) for row in rows if row["clip"] == clip)
    return sorted(probabilities, key=lambda each: (-each[1], each[0]))


def _place(scans: Scans, store: MelStore, recording: Recording, number: int) -> int:
    """The row of the mel array of a clip; the plan says it, table by table."""
    rule, size = store.spec.clip, store.clips_per_block
    first = 0
    for table in scans:
        if recording not in table:
            first += len(block_sizes([table], rule, size))
            continue
        for block in plan_blocks([table], rule, size):
            row = (first + block.number) * size
            for stretch in block.stretches:
                if stretch.recording == recording and 0 <= number - stretch.first_clip < stretch.clips:
                    return row + number - stretch.first_clip
                row += stretch.clips
    raise ConfigError(f"{recording.path} has no clip {number}")
