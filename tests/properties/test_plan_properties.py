from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birddask.errors import ConfigError
from birddask.plan import Block, ClipRule, block_sizes, plan_blocks
from birddask.recordings.recording import Recording

Tail = Literal["pad", "drop"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RATES = st.sampled_from([8_000, 22_050, 32_000, 44_100, 48_000, 96_000, 250_000, 384_000]) | st.integers(1, 400_000)

thorough = settings(deadline=None, max_examples=200)


@st.composite
def rules(draw: st.DrawFn) -> ClipRule:
    rate = draw(RATES)
    length = draw(st.integers(1, 5 * rate))
    hop = draw(st.integers(max(1, length // 20), length))
    return ClipRule(rate, length, hop, draw(st.sampled_from(["pad", "drop"])))


def frames_of(rule: ClipRule, rate: int) -> st.SearchStrategy[int]:
    """Frames of at most some thirty clips, often at or beside the end of a clip."""
    most = 30 * rule.length_samples * rate // rule.sample_rate_hz + 2
    edges = st.builds(
        lambda clip, nudge: max(
            0, (clip * rule.hop_samples + rule.length_samples) * rate // rule.sample_rate_hz + nudge
        ),
        st.integers(0, 20),
        st.integers(-1, 1),
    )
    return edges | st.integers(0, most)


MONTH_STARTS = st.builds(
    lambda year, month: datetime(year, month, 1, tzinfo=UTC), st.integers(1999, 2101), st.integers(1, 12)
)
START_TIMES_US = st.builds(
    lambda start, before_us: (start - EPOCH) // timedelta(microseconds=1) - before_us,
    MONTH_STARTS,
    st.integers(-2, 90_000_000),
)


@st.composite
def archives(draw: st.DrawFn) -> tuple[ClipRule, list[list[Recording]]]:
    """A clip rule and up to three scans; a recording's path names its scan and its place in it."""
    rule = draw(rules())
    scans: list[list[Recording]] = []
    for scan in range(draw(st.integers(1, 3))):
        recordings = []
        for number in range(draw(st.integers(0, 6))):
            rate = draw(RATES)
            recording = Recording(
                path=f"{scan}/{number}",
                size_bytes=1,
                status=draw(st.sampled_from(["usable", "usable", "usable", "quarantined", "ignored"])),
                site=draw(st.sampled_from(["marsh", "moor", "Ödland", "unknown"])),
                sample_rate_hz=rate,
                channels=1,
                frames=draw(frames_of(rule, rate)),
                start_time_us=draw(st.none() | START_TIMES_US),
            )
            recordings.append(recording)
        scans.append(recordings)
    return rule, scans


def clips_one_by_one(rule: ClipRule, frames: int, rate: int) -> int:
    """Clip k starts at k hops; padded, the first that reaches the end is the last; else the last that fits."""
    if frames == 0:
        return 0
    end = Fraction(frames, rate)
    hop = Fraction(rule.hop_samples, rule.sample_rate_hz)
    length = Fraction(rule.length_samples, rule.sample_rate_hz)
    clips = 0
    while True:
        clip_end = clips * hop + length
        if rule.tail == "drop" and clip_end > end:
            return clips
        clips += 1
        if rule.tail == "pad" and clip_end >= end:
            return clips


def month_of(recording: Recording, rule: ClipRule, clip: int) -> str:
    if recording.start_time_us is None:
        return "unknown"
    offset_us = math.floor(Fraction(clip * rule.hop_samples * 1_000_000, rule.sample_rate_hz) + Fraction(1, 2))
    return (EPOCH + timedelta(microseconds=recording.start_time_us + offset_us)).strftime("%Y-%m")


def clips_of(block: Block) -> list[tuple[Recording, int]]:
    return [(each.recording, each.first_clip + index) for each in block.stretches for index in range(each.clips)]


def scan_of(block: Block) -> str:
    return block.stretches[0].recording.path.split("/")[0]


def planned(scans: Sequence[Sequence[Recording]], rule: ClipRule, clips_per_block: int) -> list[Block]:
    return list(plan_blocks(scans, rule, clips_per_block))


@thorough
@given(st.data())
def test_clips_are_counted_as_one_by_one(data: st.DataObject) -> None:
    rule, rate = data.draw(rules()), data.draw(RATES)
    frames = data.draw(frames_of(rule, rate))
    assert rule.clips(frames, rate) == clips_one_by_one(rule, frames, rate)


@pytest.mark.parametrize(
    ("frames", "rate", "hop_s", "tail", "clips"),
    [
        (0, 48_000, 3, "pad", 0),
        (1, 48_000, 3, "pad", 1),
        (144_000, 48_000, 3, "pad", 1),
        (144_001, 48_000, 3, "pad", 2),
        (60 * 48_000, 48_000, 3, "pad", 20),
        (60 * 48_000, 48_000, 1, "pad", 58),
        (61 * 48_000, 48_000, 3, "pad", 21),
        (61 * 48_000, 48_000, 3, "drop", 20),
        (143_999, 48_000, 3, "drop", 0),
        (3 * 44_100, 44_100, 3, "drop", 1),
        (3 * 44_100 - 1, 44_100, 3, "drop", 0),
        (3 * 44_100 + 1, 44_100, 3, "pad", 2),
    ],
)
def test_clips_of_three_seconds(frames: int, rate: int, hop_s: int, tail: Tail, clips: int) -> None:
    assert ClipRule(48_000, 144_000, hop_s * 48_000, tail).clips(frames, rate) == clips


@given(rule=rules(), clip=st.integers(0, 10**9))
def test_offsets_are_rounded_to_the_nearest_microsecond(rule: ClipRule, clip: int) -> None:
    exact = Fraction(clip * rule.hop_samples * 1_000_000, rule.sample_rate_hz)
    assert abs(rule.offset_us(clip) - exact) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("rate", "length", "hop"), [(0, 10, 10), (-1, 10, 10), (8000, 0, 0), (8000, 10, 0), (8000, 10, 11), (8000, 10, -1)]
)
def test_a_rule_that_makes_no_sense_is_refused(rate: int, length: int, hop: int) -> None:
    with pytest.raises(ConfigError) as raised:
        ClipRule(rate, length, hop, "pad")
    assert str(raised.value) == (
        f"clips of {length} samples every {hop} at {rate} Hz: "
        "all must be positive and the hop must not exceed the length"
    )


def test_the_shortest_clips_are_of_one_sample_a_second() -> None:
    assert ClipRule(1, 1, 1, "drop").clips(3, 1) == 3


@thorough
@given(archives(), st.integers(1, 9))
def test_every_clip_of_every_usable_recording_is_in_one_block_once(
    archive: tuple[ClipRule, list[list[Recording]]], clips_per_block: int
) -> None:
    rule, scans = archive
    found = [
        (recording.path, clip) for block in planned(scans, rule, clips_per_block) for recording, clip in clips_of(block)
    ]
    expected = {
        (recording.path, clip)
        for scan in scans
        for recording in scan
        if recording.status == "usable"
        for clip in range(clips_one_by_one(rule, recording.frames, recording.sample_rate_hz))
    }
    assert len(found) == len(set(found))
    assert set(found) == expected


@thorough
@given(archives(), st.integers(1, 9))
def test_blocks_tile_the_clip_axis_and_only_the_last_of_a_group_is_short(
    archive: tuple[ClipRule, list[list[Recording]]], clips_per_block: int
) -> None:
    rule, scans = archive
    blocks = planned(scans, rule, clips_per_block)
    assert [block.number for block in blocks] == list(range(len(blocks)))
    groups = [(key, list(group)) for key, group in groupby(blocks, lambda each: (scan_of(each), each.site, each.month))]
    keys = [key for key, _ in groups]
    assert len(keys) == len(set(keys))
    assert keys == sorted(keys)
    for _, group in groups:
        assert all(block.clips == clips_per_block for block in group[:-1])
        assert 1 <= group[-1].clips <= clips_per_block


@thorough
@given(archives(), st.integers(1, 9))
def test_a_block_holds_clips_of_one_scan_one_site_and_one_month(
    archive: tuple[ClipRule, list[list[Recording]]], clips_per_block: int
) -> None:
    rule, scans = archive
    for block in planned(scans, rule, clips_per_block):
        assert block.clips == len(clips_of(block))
        for recording, clip in clips_of(block):
            assert recording.path.split("/")[0] == scan_of(block)
            assert recording.site == block.site
            assert month_of(recording, rule, clip) == block.month


@thorough
@given(archives(), st.integers(1, 9))
def test_clips_of_a_group_keep_the_order_of_the_scan_and_of_time(
    archive: tuple[ClipRule, list[list[Recording]]], clips_per_block: int
) -> None:
    rule, scans = archive
    place = {recording.path: number for scan in scans for number, recording in enumerate(scan)}
    for _, group in groupby(planned(scans, rule, clips_per_block), lambda each: (scan_of(each), each.site, each.month)):
        order = [(place[recording.path], clip) for block in group for recording, clip in clips_of(block)]
        assert all(before < after for before, after in pairwise(order))


@thorough
@given(archives(), st.integers(1, 9))
def test_a_further_scan_leaves_earlier_blocks_as_they_are(
    archive: tuple[ClipRule, list[list[Recording]]], clips_per_block: int
) -> None:
    rule, scans = archive
    before = planned(scans[:-1], rule, clips_per_block)
    assert planned(scans, rule, clips_per_block)[: len(before)] == before


@thorough
@given(archives(), st.integers(1, 9))
def test_blocks_are_measured_without_being_made(
    archive: tuple[ClipRule, list[list[Recording]]], clips_per_block: int
) -> None:
    rule, scans = archive
    made = [block.clips for block in planned(scans, rule, clips_per_block)]
    sizes = block_sizes(scans, rule, clips_per_block)
    assert sizes.tolist() == made
    assert sizes.dtype == np.int32


@given(archives(), st.integers(1, 9))
def test_planning_again_gives_the_same(archive: tuple[ClipRule, list[list[Recording]]], clips_per_block: int) -> None:
    rule, scans = archive
    assert planned(scans, rule, clips_per_block) == planned(scans, rule, clips_per_block)


@pytest.mark.parametrize(
    ("last_second", "months"),
    [
        (datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC), {"2023-12": 1, "2024-01": 3}),
        (datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC), {"2024-02": 1, "2024-03": 3}),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), {"9999-12": 1, "10000-01": 3}),
    ],
)
def test_a_recording_over_the_end_of_a_month_is_split_there(last_second: datetime, months: dict[str, int]) -> None:
    start_us = (last_second - EPOCH) // timedelta(microseconds=1)
    recording = Recording("a.wav", 1, "usable", frames=32_000, sample_rate_hz=8000, start_time_us=start_us)
    blocks = planned([[recording]], ClipRule(8000, 8000, 8000, "pad"), 10)
    assert {block.month: block.clips for block in blocks} == months
