from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from birddask.detections import query
from birddask.detections.found import Found, find_results, results_in
from birddask.detections.query import opened
from birddask.detections.rules import Rules, Thresholds, one_threshold, read_species, read_thresholds
from birddask.errors import BirddaskError, ConfigError
from birddask.recordings.recording import Segment
from birddask.storage import Folder
from tests.support.outputs import LONG, WIDE, MadeUp, made_up, recording

LABELS = ("wren", "robin", "owl")
COLUMNS = {name: name for name in ("site", "recording", "start_us", "end_us", "label", "probability", "clips")}


def rows(found: Found, rules: Rules, columns: dict[str, str] = COLUMNS) -> list[dict[str, object]]:
    with opened(found, rules) as asked:
        return [
            row for _, parts in found.sites() for batch in asked.detections(parts, columns) for row in batch.to_pylist()
        ]


def test_sites_recordings_starts_and_labels_are_in_order(tmp_path: Path) -> None:
    names = ["b/2.wav", "b/10.wav", "b/\u00e9.wav", "a b/Z.wav", "a%2Fb/1.wav", "\u00e9/1.wav"]
    made_up(tmp_path, [recording(name, 3) for name in sorted(names)], LABELS).fill()
    found = rows(find_results(Folder(str(tmp_path)), None), Rules(one_threshold(0.2)))
    keys = [(row["site"], row["recording"], row["start_us"], row["label"]) for row in found]
    assert keys == sorted(keys)
    assert {key[1] for key in keys} == set(names)


def test_labels_that_look_like_nested_columns(tmp_path: Path) -> None:
    labels = ("a", "a.b", "a.b.c", "b.*", "x y")
    output = made_up(tmp_path, [recording("s/1.wav", 2)], labels, layout=WIDE)
    output.fill()
    found = rows(find_results(output.folder, None), Rules(Thresholds(None, {"a": 0.0, "b.*": 0.0})))
    scores = output.scores["s/1.wav"]
    assert [(row["start_us"], row["label"], row["probability"]) for row in found] == [
        (clip * 1_000_000, label, float(scores[clip, labels.index(label)]))
        for clip in range(2)
        for label in ("a", "b.*")
    ]


def test_the_place_in_the_file_of_a_triggered_recording(tmp_path: Path) -> None:
    # One second, two seconds cut out, one second, one cut out, a half; in the file a marker of 256 frames in each gap.
    segments = (Segment(0, 0, 8000), Segment(24_000, 8256, 8000), Segment(40_000, 16_512, 4000))
    output = made_up(tmp_path, [recording("s/1T.wav", 5.5, segments=segments)], ("owl",))
    output.fill()
    columns = {name: name for name in ("start_us", "file_start_us", "file_end_us")}
    found = rows(find_results(output.folder, None), Rules(one_threshold(0.0)), columns)
    marker_us = 32_000
    assert [tuple(row.values()) for row in found] == [
        (0, 0, 1_000_000),
        (1_000_000, 1_000_000, 1_000_000),
        (2_000_000, 1_000_000, 1_000_000 + marker_us),
        (3_000_000, 1_000_000 + marker_us, 2_000_000 + marker_us),
        (4_000_000, 2_000_000 + marker_us, 2_000_000 + 2 * marker_us),
        (5_000_000, 2_000_000 + 2 * marker_us, 2_500_000 + 2 * marker_us),
    ]


def test_a_merged_detection_names_its_surest_clip(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("s/1.wav", 6)], ("owl",))
    scores = np.array([[0.5], [0.9], [0.9], [0.1], [0.6], [0.7]], np.float32)
    replace(output, scores={"s/1.wav": scores}).fill()
    columns = {name: name for name in ("start_us", "end_us", "clip", "clips", "probability")}
    found = rows(find_results(output.folder, None), Rules(one_threshold(0.3), merge=True), columns)
    assert [tuple(row.values()) for row in found] == [
        (0, 3_000_000, 1, 3, pytest.approx(0.9)),
        (4_000_000, 6_000_000, 5, 2, pytest.approx(0.7)),
    ]


def test_a_detection_at_the_threshold_counts_as_it_is_stored(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("s/1.wav", 3)], ("owl",), layout=WIDE)
    just = np.float32(0.1)
    scores = np.array([[just], [np.nextafter(just, np.float32(0))], [np.nan]], np.float32)
    replace(output, scores={"s/1.wav": scores}).fill()
    assert len(rows(find_results(output.folder, None), Rules(one_threshold(0.1)))) == 1


@pytest.mark.parametrize("layout", [WIDE, LONG])
def test_a_table_larger_than_the_memory_for_it(layout: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [f"species {number:03d}" for number in range(100)]
    recordings = [recording(f"s/{number:03d}.wav", 100) for number in range(40)]
    output = made_up(tmp_path, recordings, labels, layout=layout, clips_per_block=400, hop_samples=4000)
    output.fill()
    found = find_results(output.folder, None)
    rules = Rules(one_threshold(0.02), best=80, merge=True)
    roomy = rows(found, rules)
    monkeypatch.setattr(query, "_MEMORY", "40MiB")
    monkeypatch.setattr(query, "_BATCH_BYTES", 1 << 20)
    assert rows(found, rules) == roomy


def test_no_room_for_what_does_not_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [f"species {number:03d}" for number in range(100)]
    made_up(tmp_path, [recording(f"s/{n}.wav", 400) for n in range(12)], labels, clips_per_block=400).fill()
    monkeypatch.setattr(query, "_MEMORY", "10MiB")
    with pytest.raises(BirddaskError, match="TMPDIR"):
        rows(find_results(Folder(str(tmp_path)), None), Rules(one_threshold(0.0)))


def test_one_model_of_several_is_named(tmp_path: Path) -> None:
    first = made_up(tmp_path, [recording("s/1.wav", 2)], LABELS)
    first.fill()
    assert find_results(first.folder, None).name == first.results.name
    second = replace(first, name="tiny-two", layout=WIDE)
    for block in second.blocks():
        second.score(block)
    with pytest.raises(ConfigError, match=r"name one model of .*--model \(there: tiny-.*, tiny-two-"):
        find_results(first.folder, None)
    with pytest.raises(ConfigError, match="name one model"):
        find_results(first.folder, "tiny")
    with pytest.raises(ConfigError, match="name one model"):
        find_results(first.folder, "birdnet")
    assert find_results(first.folder, "tiny-two").layout == "wide"
    assert find_results(first.folder, first.results.name).layout == "long"


def test_an_output_without_results(tmp_path: Path) -> None:
    assert results_in(Folder(str(tmp_path)), None) is None
    with pytest.raises(ConfigError, match="no probabilities in"):
        find_results(Folder(str(tmp_path)), None)


def test_a_part_that_is_withdrawn_meanwhile(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("s/1.wav", 2)], LABELS)
    output.fill()
    found = find_results(output.folder, None)
    output.folder.remove(f"probabilities/{found.parts[0].key}")
    with pytest.raises(ConfigError, match="withdrawn"):
        rows(found, Rules(one_threshold(0.5)))


def test_results_without_their_recordings_tables(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("s/1.wav", 1.5)], LABELS)
    for block in output.blocks():
        output.score(block)
    found = rows(find_results(output.folder, None), Rules(one_threshold(0.0)))
    assert {row["end_us"] for row in found} == {1_000_000, 2_000_000}


def test_nothing_heard_is_no_row(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("s/1.wav", 3)], LABELS)
    replace(output, scores={"s/1.wav": np.full((3, 3), np.nan, np.float32)}).fill()
    found = find_results(output.folder, None)
    for rules in (Rules(one_threshold(0.0)), Rules(one_threshold(0.0), best=1, merge=True)):
        assert rows(found, rules) == []


def test_smoothing_needs_overlap(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("s/1.wav", 2)], LABELS)
    output.fill()
    with pytest.raises(ConfigError, match="overlap_s"):
        rows(find_results(output.folder, None), Rules(one_threshold(0.5), smooth=True))


def test_names_that_no_label_answers_to(tmp_path: Path) -> None:
    output: MadeUp = made_up(tmp_path, [recording("s/1.wav", 2)], ("Turdus merula_Blackbird", "owl"))
    output.fill()
    found = find_results(output.folder, None)
    thresholds = read_thresholds(b"label,threshold\n Blackbrid ,0.1\nOWL,0.2\n*,0.5\n", "t.csv")
    rules = Rules(thresholds, species=read_species(b"turdus merula\nOwl\nJenny Wren \n", "s.txt"))
    with opened(found, rules) as asked:
        for _, parts in found.sites():
            list(asked.detections(parts, COLUMNS))
        assert asked.unanswered() == ["Blackbrid", "Jenny Wren"]
