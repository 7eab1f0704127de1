"""Effort adds up: to the accounting clip by clip, to the length of the recordings microsecond by microsecond."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from birddask.accounting import Accounting
from birddask.detections.found import find_results
from birddask.effort import Effort, count_effort
from birddask.job import Job
from birddask.models.ready import BundleRef
from birddask.outputs import existing_store, read_scans
from birddask.recordings.recording import Scanned
from birddask.storage import Folder
from birddask.verbs.counting import count
from birddask.verbs.pending import plan
from birddask.verbs.prepared import Prepared
from tests.support.models import TINY_RATE, tiny_spec
from tests.support.outputs import NOON_US, MadeUp, recording

LABELS = ("wren", "owl")
SITES = ("a", "b", "\u00e9 %")
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Case:
    recordings: tuple[Scanned, ...]
    hop_samples: int
    clips_per_block: int
    seed: int
    local_offset_min: int | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    recordings = []
    for number in range(draw(st.integers(1, 5))):
        start = draw(st.one_of(st.none(), st.integers(NOON_US, NOON_US + 40 * DAY_US)))
        near_midnight = draw(st.booleans())
        if start is not None and near_midnight:
            start = start // DAY_US * DAY_US - draw(st.integers(1, 3_000_000))
        path = f"{draw(st.sampled_from(SITES))}/{number}.wav"
        row = recording(
            path, draw(st.floats(0.05, 9)), start, utc_offset_min=draw(st.sampled_from([None, 0, 330, -480]))
        )
        if draw(st.integers(0, 4)) == 0:
            row = replace(row, recording=replace(row.recording, status="quarantined", reason="no_header", frames=0))
        recordings.append(row)
    return Case(
        tuple(sorted(recordings, key=lambda row: row.recording.path)),
        draw(st.sampled_from([TINY_RATE, TINY_RATE // 2, 2999])),
        draw(st.integers(1, 6)),
        draw(st.integers(0, 1 << 16)),
        draw(st.sampled_from([None, 0, 60, -600])),
    )


def filled(case: Case, folder: str) -> MadeUp:
    """Some blocks are scored, some only made, some neither; some clips are silent."""
    generator = np.random.default_rng(case.seed)
    rule = tiny_spec(case.hop_samples).clip
    scores = {}
    for row in case.recordings:
        clips = rule.clips(row.recording.frames, TINY_RATE) if row.recording.frames else 0
        matrix = generator.uniform(0, 1, (clips, len(LABELS))).astype(np.float32)
        matrix[generator.uniform(0, 1, clips) < 0.2] = np.nan
        scores[row.recording.path] = matrix
    output = MadeUp(
        Folder(folder),
        case.recordings,
        LABELS,
        scores,
        hop_samples=case.hop_samples,
        clips_per_block=case.clips_per_block,
    )
    output.scan()
    for block in output.blocks():
        progress = generator.integers(0, 3) if block.number else 2
        if progress:
            output.make(block)
        if progress == 2:
            output.score(block)
    return output


def counted(output: MadeUp) -> Accounting:
    store = existing_store(output.folder, tiny_spec(output.hop_samples))
    job = Job("/archive", output.folder.url, "tiny")
    prepared = Prepared(job, output.results.card, BundleRef(Folder("/no bundle"), ""), output.results)
    return count(prepared, plan(read_scans(output.folder), store))


def days(case: Case) -> Counter[tuple[str, str]]:
    """Planned clips by site and day, one by one."""
    rule = tiny_spec(case.hop_samples).clip
    found: Counter[tuple[str, str]] = Counter()
    for row in case.recordings:
        start, offset = row.recording.start_time_us, row.about.utc_offset_min
        minutes = 0 if case.local_offset_min is None else case.local_offset_min if offset is None else offset
        for clip in range(rule.clips(row.recording.frames, TINY_RATE)):
            day = "unknown"
            if start is not None:
                moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
                    minutes=minutes, microseconds=start + rule.offset_us(clip)
                )
                day = moment.date().isoformat()
            found[row.recording.site, day] += 1
    return found


@given(cases())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_effort_adds_up(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output = filled(case, folder)
        if not output.blocks():
            return
        efforts = count_effort(find_results(output.folder, None), case.local_offset_min)
        accounting = counted(output)

    def total(fate: str) -> int:
        return sum(each.clips[fate] for each in efforts)

    scores = accounting.scores
    assert (total("scored"), total("silent"), total("quarantined"), total("pending")) == (
        scores.clips_done,
        scores.clips_silent,
        scores.clips_quarantined,
        scores.clips_pending,
    )
    assert sum(each.files_quarantined for each in efforts) == accounting.recordings.quarantined
    lengths = [Fraction(row.recording.frames, TINY_RATE) * 1_000_000 for row in case.recordings]
    assert sum(sum(each.time_us.values()) for each in efforts) == sum(round(length) for length in lengths)
    assert {(each.site, each.day): sum(each.clips.values()) for each in efforts if sum(each.clips.values())} == days(
        case
    )
    assert efforts == sorted(efforts, key=lambda each: (each.site, each.day))
    assert all(isinstance(each, Effort) for each in efforts)
