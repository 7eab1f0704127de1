"""Recordings are cut into clips and clips are grouped into blocks; pure.

Law: the blocks of a plan tile its clip axis in order, each holds clips of one site and one month, and the blocks of
earlier scans never move when a scan is added.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from birddask.documents import document
from birddask.errors import ConfigError
from birddask.recordings.moments import US_PER_DAY, US_PER_S
from birddask.recordings.recording import UNKNOWN, Recording

Samples = TypeVar("Samples", int, NDArray[np.int64])


def microseconds(samples: Samples, rate_hz: int) -> Samples:
    """How long so many samples last, in microseconds, rounded half up."""
    return (2 * samples * US_PER_S + rate_hz) // (2 * rate_hz)


@document
@dataclass(frozen=True)
class ClipRule:
    """How a recording is cut into clips; lengths are counted at ``sample_rate_hz``, the rate the model hears.

    Attributes:
        sample_rate_hz: the rate that the model hears.
        length_samples: of a clip.
        hop_samples: distance between clip starts.
        tail: ``pad`` completes the last clip with zeros, and ends with the first clip that reaches the end of the
            recording (the rule of BirdNET-Analyzer); ``drop`` leaves out what does not fill a clip.
    """

    sample_rate_hz: int
    length_samples: int
    hop_samples: int
    tail: Literal["pad", "drop"]

    def __post_init__(self) -> None:
        if self.sample_rate_hz < 1 or not 1 <= self.hop_samples <= self.length_samples:
            raise ConfigError(
                f"clips of {self.length_samples} samples every {self.hop_samples} at {self.sample_rate_hz} Hz: "
                "all must be positive and the hop must not exceed the length"
            )

    def clips(self, frames: int, sample_rate_hz: int) -> int:
        """The number of clips in a recording of ``frames`` at its own ``sample_rate_hz``."""
        if frames <= 0:
            return 0
        # Compare in units of 1 / (rate of the model * rate of the recording) seconds: no rounding.
        missing = frames * self.sample_rate_hz - self.length_samples * sample_rate_hz
        hop = self.hop_samples * sample_rate_hz
        if self.tail == "pad":
            return max(0, -(-missing // hop)) + 1
        return 0 if missing < 0 else missing // hop + 1

    def offset_us(self, clip: int) -> int:
        """Where the clip with this number begins in its recording, in microseconds, rounded."""
        return microseconds(clip * self.hop_samples, self.sample_rate_hz)


@dataclass(frozen=True)
class Stretch:
    """Consecutive clips of one recording."""

    recording: Recording
    first_clip: int
    clips: int


@dataclass(frozen=True)
class Block:
    """The unit of work: one task, one shard, one clip table, one part.

    Attributes:
        number: place in the plan; rows of the store are ``[number * clips_per_block, ...)``.
        month: ``yyyy-mm`` in UTC, or ``unknown``.
    """

    number: int
    site: str
    month: str
    stretches: tuple[Stretch, ...]

    @property
    def clips(self) -> int:
        """Clips in the block, at most the store's clips per block."""
        return sum(stretch.clips for stretch in self.stretches)


def plan_blocks(scans: Iterable[Sequence[Recording]], rule: ClipRule, clips_per_block: int) -> Iterator[Block]:
    """All blocks of an archive, scan by scan in the order of scanning.

    Within a scan blocks are ordered by site, then month; clips by the order of recordings, then time.
    """
    number = 0
    for recordings in scans:
        for site, month, stretches in _groups(recordings, rule):
            for filled in _fill(stretches, clips_per_block):
                yield Block(number, site, month, filled)
                number += 1


def block_sizes(scans: Iterable[Sequence[Recording]], rule: ClipRule, clips_per_block: int) -> NDArray[np.int32]:
    """How many clips each block of ``plan_blocks`` has, in order; several times as fast, and 4 bytes a block."""
    sizes = [np.empty(0, np.int32)]
    for recordings in scans:
        for _, _, stretches in _groups(recordings, rule):
            full, rest = divmod(sum(stretch.clips for stretch in stretches), clips_per_block)
            sizes.append(np.array([clips_per_block] * full + [rest] * bool(rest), np.int32))
    return np.concatenate(sizes)


def _groups(recordings: Sequence[Recording], rule: ClipRule) -> Iterator[tuple[str, str, list[Stretch]]]:
    groups: dict[tuple[str, str], list[Stretch]] = {}
    for recording in recordings:
        if recording.status == "usable":
            for month, stretch in _months(recording, rule):
                groups.setdefault((recording.site, month), []).append(stretch)
    for site, month in sorted(groups):
        yield site, month, groups[site, month]


def _months(recording: Recording, rule: ClipRule) -> Iterator[tuple[str, Stretch]]:
    """The clips of a recording, split where a clip's start enters another month."""
    clips = rule.clips(recording.frames, recording.sample_rate_hz)
    start_us = recording.start_time_us
    if start_us is None:
        if clips:
            yield UNKNOWN, Stretch(recording, 0, clips)
        return
    first = 0
    while first < clips:
        month = _month_of((start_us + rule.offset_us(first)) // US_PER_DAY)
        left_us = month.end_us - start_us
        # The first clip that starts in the following month; offsets are rounded, so look around the quotient.
        after = left_us * rule.sample_rate_hz // (rule.hop_samples * US_PER_S)
        while rule.offset_us(after) < left_us:
            after += 1
        end = min(after, clips)
        yield month.name, Stretch(recording, first, end - first)
        first = end


@dataclass(frozen=True)
class _Month:
    """A month of UTC, and the first microsecond since 1970 that is not in it."""

    name: str
    end_us: int


@functools.lru_cache(maxsize=1 << 12)
def _month_of(day: int) -> _Month:
    """The month that a day since 1970 is in."""
    month = np.datetime64(day, "D").astype("datetime64[M]")
    return _Month(str(month), int((month + 1).astype("datetime64[D]").astype(np.int64)) * US_PER_DAY)


def _fill(stretches: Iterable[Stretch], clips_per_block: int) -> Iterator[tuple[Stretch, ...]]:
    """Blocks full of clips, and a last one with the rest."""
    block: list[Stretch] = []
    free = clips_per_block
    for stretch in stretches:
        first, left = stretch.first_clip, stretch.clips
        while left:
            taken = min(left, free)
            block.append(Stretch(stretch.recording, first, taken))
            first, left, free = first + taken, left - taken, free - taken
            if free == 0:
                yield tuple(block)
                block, free = [], clips_per_block
    if block:
        yield tuple(block)
