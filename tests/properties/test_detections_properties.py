"""Detections against the rules spelled out row by row in Python, for any table, any rules, both layouts."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from birddask.detections import query
from birddask.detections.found import find_results
from birddask.detections.query import opened
from birddask.detections.rules import Location, Rules, Thresholds
from birddask.recordings.recording import Scanned
from birddask.storage import Folder
from tests.support.models import TINY_RATE, location_oracle, tiny_spec, write_located_bundle
from tests.support.outputs import LONG, NOON_US, WIDE, MadeUp, Scores, recording

LABELS = ("Turdus merula_Blackbird", "rain", "owl", "Owl")
HERE, BESIDE, THERE, NOWHERE = (48.0, 11.5), (48.0, 21.5), (-33.5, 11.5), Folder("nowhere")
_PROBABILITIES = st.sampled_from([0.0, 0.005, 0.01, 0.1, 0.25, 0.3, 0.5, 0.7, 0.95, 1.0]).map(np.float32)


@dataclass(frozen=True)
class Case:
    recordings: tuple[Scanned, ...]
    scores: dict[str, Scores]
    hop_samples: int
    clips_per_block: int
    rules: Rules


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("models") / "located"
    write_located_bundle(folder, LABELS)
    return Folder(str(folder))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    # Whether recordings know their position, and whether the rules give one.
    own, given_position = draw(st.sampled_from([(None, None), (None, HERE), (True, None), (True, HERE)]))
    hop = draw(st.sampled_from([TINY_RATE, TINY_RATE // 2, TINY_RATE // 3, 3000, 7777]))
    rule = tiny_spec(hop).clip
    recordings, scores = [], {}
    for path in draw(st.lists(st.sampled_from(["a/1.wav", "a/2.wav", "b/1.wav"]), min_size=1, unique=True).map(sorted)):
        # Around midnight at the end of a month, so that a recording is in two blocks of two months.
        start = draw(st.sampled_from([None, NOON_US, NOON_US + 30 * 86_400_000_000 + 43_199_000_000]))
        row = recording(path, draw(st.floats(0.3, 4.0)), start, recorder=draw(st.sampled_from([None, "24F3"])))
        known = [BESIDE, THERE, HERE]
        position = draw(st.sampled_from(known if given_position is None else [*known, (None, None)]))
        row = replace(row, about=replace(row.about, latitude_deg=position[0], longitude_deg=position[1]))
        clips = rule.clips(row.recording.frames, TINY_RATE)
        values = draw(st.lists(_PROBABILITIES, min_size=clips * len(LABELS), max_size=clips * len(LABELS)))
        matrix = np.array(values, np.float32).reshape(clips, len(LABELS))
        if clips > 2:
            matrix[draw(st.integers(0, clips - 1))] = np.nan
        recordings.append(row)
        scores[path] = matrix
    named = draw(st.dictionaries(st.sampled_from(["blackbird", "turdus merula", "owl", "rain"]), st.floats(0, 1)))
    thresholds = Thresholds(draw(st.sampled_from([None, 0.0, 0.1, 0.25, 0.3])), named)
    rules = Rules(
        thresholds,
        best=draw(st.sampled_from([None, 1, 2])),
        species=draw(st.sampled_from([None, {"owl": "Owl", "turdus merula": "Turdus merula"}])),
        smooth=hop < TINY_RATE and draw(st.booleans()),
        merge=draw(st.booleans()),
        location=None if (own, given_position) == (None, None) else Location(NOWHERE, 0.5, given_position, bool(own)),
    )
    return Case(tuple(recordings), scores, hop, draw(st.integers(1, 5)), rules)


@dataclass(frozen=True, order=True)
class Detection:
    site: str
    recording: str
    start_us: int
    label: str
    end_us: int
    start_time_us: int | None
    probability: float
    clips: int


def expected(case: Case, floor: float) -> list[Detection]:
    """The rules, clip by clip; times by exact fractions."""
    length, hop = Fraction(1), Fraction(case.hop_samples, TINY_RATE)
    found = []
    for row in case.recordings:
        path = row.recording.path
        scored = {clip: values for clip, values in enumerate(case.scores[path]) if not np.isnan(values).any()}
        kept = {
            clip: {
                label: float(value)
                for label, value in zip(LABELS, values, strict=True)
                if value >= np.float32(floor) or label == LABELS[int(values.argmax())]
            }
            for clip, values in scored.items()
        }
        if case.rules.smooth:
            kept = {clip: smoothed(clip, kept, hop, length) for clip in kept}
        by_label: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for clip, values in sorted(kept.items()):
            occurring = {label: value for label, value in values.items() if occurs(label, clip * hop, row, case.rules)}
            for label, value in sorted(counting(occurring, case.rules), key=lambda pair: pair[0]):
                by_label[label].append((clip, value))
        for label, clips in by_label.items():
            for run in runs(clips, hop, length) if case.rules.merge else [[pair] for pair in clips]:
                start, end = run[0][0] * hop, min(run[-1][0] * hop + length, Fraction(row.recording.frames, TINY_RATE))
                begun = row.recording.start_time_us
                found.append(
                    Detection(
                        row.recording.site,
                        path,
                        microseconds(start),
                        label,
                        microseconds(end),
                        None if begun is None else begun + microseconds(start),
                        max(value for _, value in run),
                        len(run),
                    )
                )
    return sorted(found, key=lambda each: (each.site, each.recording, each.start_us, each.label))


def occurs(label: str, offset_s: Fraction, row: Scanned, rules: Rules) -> bool:
    if rules.location is None:
        return True
    known = (row.about.latitude_deg, row.about.longitude_deg)
    position = known if rules.location.own and None not in known else rules.location.position
    assert position is not None
    week = -1
    if row.recording.start_time_us is not None:
        start = datetime.fromtimestamp((row.recording.start_time_us + microseconds(offset_s)) / 1e6, UTC)
        week = (start.month - 1) * 4 + (1 if start.day < 8 else 2 if start.day < 15 else 3 if start.day < 22 else 4)
    return bool(location_oracle(*position, week, len(LABELS))[LABELS.index(label)] >= rules.location.least)


def smoothed(clip: int, kept: dict[int, dict[str, float]], hop: Fraction, length: Fraction) -> dict[str, float]:
    near = [values for other, values in kept.items() if abs(other - clip) * hop < length]
    labels = {label for values in near for label in values}
    return {
        label: float(np.float32(math.fsum(values.get(label, 0.0) for values in near) / len(near))) for label in labels
    }


def counting(values: dict[str, float], rules: Rules) -> list[tuple[str, float]]:
    passing = [
        (label, value)
        for label, value in values.items()
        if (least := threshold(label, rules)) is not None and np.float32(value) >= np.float32(least)
    ]
    return sorted(passing, key=lambda pair: (-pair[1], pair[0]))[: rules.best]


def threshold(label: str, rules: Rules) -> float | None:
    names = [label.lower(), *label.lower().split("_")]
    if rules.species is not None and rules.species.keys().isdisjoint(names):
        return None
    for name in names:
        if name in rules.thresholds.by_name:
            return rules.thresholds.by_name[name]
    return rules.thresholds.others


def runs(clips: list[tuple[int, float]], hop: Fraction, length: Fraction) -> list[list[tuple[int, float]]]:
    joined: list[list[tuple[int, float]]] = []
    for clip, value in clips:
        if joined and clip * hop <= joined[-1][-1][0] * hop + length:
            joined[-1].append((clip, value))
        else:
            joined.append([(clip, value)])
    return joined


def microseconds(seconds: Fraction) -> int:
    return math.floor(seconds * 1_000_000 + Fraction(1, 2))


@given(cases(), st.sampled_from([WIDE, LONG, replace(LONG, floor=0.3)]), st.sampled_from([1, 1 << 20]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_detections_are_what_the_rules_say(bundle: Folder, case: Case, layout: object, batch_bytes: int) -> None:
    rules = case.rules
    if rules.location is not None:
        rules = replace(rules, location=replace(rules.location, bundle=bundle))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(query, "_BATCH_BYTES", batch_bytes)
        output = MadeUp(
            Folder(folder),
            case.recordings,
            LABELS,
            case.scores,
            layout,  # type: ignore[arg-type]
            case.hop_samples,
            case.clips_per_block,
        )
        output.fill()
        found = find_results(output.folder, None)
        columns = {name: name for name in Detection.__dataclass_fields__}
        with opened(found, rules) as asked:
            rows = [
                Detection(**row)
                for _, parts in found.sites()
                for batch in asked.detections(parts, columns)
                for row in batch.to_pylist()
            ]
    assert rows == expected(case, output.layout.floor)
