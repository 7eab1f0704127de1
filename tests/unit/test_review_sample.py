from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from birddask.detections.found import find_results
from birddask.review.answers import Answer, Session, answers_file, key_of_detection, latest, read_answers
from birddask.review.bands import EDGES, band_of, lowest_edge
from birddask.review.sample import Drawn, draw
from birddask.storage import Folder
from birddask.table.parquet import read_columns
from tests.support.outputs import LONG, WIDE, MadeUp, made_up, recording

LABELS = ("Strix aluco_Tawny Owl", '"=wren"<b>,\n\U0001f989', "robin")


def filled(tmp_path: Path, recordings: int = 6, layout: object = LONG) -> MadeUp:
    names = [f"site {n % 2}/<{n}>, \"'\n\U0001f989.wav" for n in range(recordings)]
    output = made_up(tmp_path, [recording(name, 40) for name in names], LABELS, layout=layout, clips_per_block=30)
    output.fill()
    return output


def test_bands_hold_what_their_edges_say() -> None:
    scores = np.array([0, 0.0499, 0.05, 0.1, 0.25, 0.5, 0.75, 0.8999, 0.9, 1.0], np.float32)
    lows = [EDGES[band] for band in band_of(scores).tolist()]
    assert lows == [0.0, 0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.75, 0.9, 0.9]
    assert [lowest_edge(each) for each in (0.0, 0.3, 0.25, 1.0)] == [0.0, 0.25, 0.25, 0.9]


@pytest.mark.parametrize("layout", [WIDE, LONG])
def test_each_band_of_each_label_is_drawn_and_counted(layout: object, tmp_path: Path) -> None:
    output = filled(tmp_path, layout=layout)
    sample = draw(find_results(output.folder, None), None, 0.1, 5, 99)
    # Every detection, band by band, by a literal loop.
    population: defaultdict[tuple[str, float], set[tuple[str, int]]] = defaultdict(set)
    for path, scores in output.scores.items():
        for (clip, label), score in np.ndenumerate(scores):
            low = max(edge for edge in EDGES[:-1] if score >= np.float32(edge))
            if low >= 0.1:
                population[LABELS[label], low].add((path, clip * 1_000_000))
    by_band: defaultdict[tuple[str, float], list[Drawn]] = defaultdict(list)
    for each in sample.drawn:
        by_band[each.label, each.band_low].append(each)
    assert by_band.keys() == population.keys()
    for band, drawn in by_band.items():
        assert len(drawn) == min(5, len(population[band]))
        assert {(each.recording, each.start_us) for each in drawn} <= population[band]
        assert {(each.band_detections, each.band_drawn) for each in drawn} == {(len(population[band]), len(drawn))}
    sizes = Counter({label: sum(len(p) for (of, _), p in population.items() if of == label) for label in LABELS})
    order = list(dict.fromkeys(each.label for each in sample.drawn))
    assert order == sorted(LABELS, key=lambda label: (-sizes[label], label))
    # Within a label bands are mixed: their order tells nothing of the score.
    first = [each.band_low for each in sample.drawn if each.label == order[0]]
    assert first not in (sorted(first), sorted(first, reverse=True))


def test_a_larger_draw_holds_the_smaller_one_in_its_order(tmp_path: Path) -> None:
    found = find_results(filled(tmp_path).folder, None)
    few, many = (draw(found, None, 0.0, per_band, 99).drawn for per_band in (2, 7))
    kept = {key_of_detection(each) for each in few}
    assert [key_of_detection(each) for each in many if key_of_detection(each) in kept] == [
        key_of_detection(each) for each in few
    ]


def test_who_is_drawn_is_chance(tmp_path: Path) -> None:
    # Of 3 x 240 clips with even scores: the mean score of those drawn is that of their band.
    output = filled(tmp_path, recordings=30)
    drawn = draw(find_results(output.folder, None), None, 0.5, 80, 99).drawn
    for low, high in ((0.5, 0.75), (0.75, 0.9), (0.9, 1.0)):
        own = [each.probability for each in drawn if each.band_low == low]
        standard_error = (high - low) / np.sqrt(12 * len(own))
        assert abs(np.mean(own) - (low + high) / 2) < 4 * standard_error


def test_thinning_out_on_the_way_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_results(filled(tmp_path).folder, None)
    at_once = draw(found, None, 0.0, 3, 99)
    monkeypatch.setattr("birddask.detections.query._ROWS_AT_ONCE", 5)
    assert draw(found, None, 0.0, 3, 99) == at_once


def test_a_list_of_species(tmp_path: Path) -> None:
    species = {"tawny owl": "Tawny Owl", "griffin": "Griffin"}
    sample = draw(find_results(filled(tmp_path).folder, None), species, 0.1, 3, 99)
    assert {each.label for each in sample.drawn} == {LABELS[0]}
    assert sample.unanswered == ["Griffin"]
    assert draw(find_results(Folder(str(tmp_path)), None), {"griffin": "Griffin"}, 0.1, 3, 99).drawn == []


def test_the_most_frequent_labels(tmp_path: Path) -> None:
    found = find_results(filled(tmp_path).folder, None)
    every, some = draw(found, None, 0.1, 3, 99), draw(found, None, 0.1, 3, 2)
    first = list(dict.fromkeys(each.label for each in every.drawn))[:2]
    assert some.drawn == [each for each in every.drawn if each.label in first]
    assert (some.labels, every.labels) == (3, 3)


def answer(drawn: Drawn, answered_us: int, **settings: object) -> Answer:
    plain = Answer(drawn, "yes", None, "Ann \U0001f426", answered_us, "tiny-1")
    return dataclasses.replace(plain, **settings)  # type: ignore[arg-type]


def test_answers_come_back_as_they_were_given(tmp_path: Path) -> None:
    output = Folder(str(tmp_path))
    drawn = [
        Drawn("=owl,\n", "s", 'a"<\U0001f989>.wav', 3, 9, 10, None, 0.5, 0.5, 0.75, 90, 3),
        Drawn("owl", "s", "b.wav", 4, 9, 10, 1_700_000_000_000_000, 1.0, 0.9, 1.0, 1, 1),
    ]
    first, second = Session(output), Session(output)
    given = [
        answer(drawn[0], 1, verdict="other", other="'wren\n"),
        answer(drawn[1], 2, verdict="unsure"),
        answer(drawn[0], 3, verdict="no", reviewer="Bob"),
    ]
    first.add(given[0])
    second.add(given[1])
    first.add(given[2])
    second.add(answer(drawn[0], 4, model="another-1"))
    found = read_answers(output, "tiny-1")
    assert found == given
    assert list(latest(found).values()) == [given[2], given[1]]
    assert given[0].weight == 30
    assert (first.count, len(list(output.files("annotations")))) == (2, 2)


def test_of_a_session_that_was_killed_between_two_files_the_longer_counts(tmp_path: Path) -> None:
    output = Folder(str(tmp_path))
    drawn = Drawn("owl", "s", "b.wav", 4, 9, 10, 5, 1.0, 0.9, 1.0, 90, 3)
    session = Session(output)
    session.add(answer(drawn, 1))
    (shorter,) = output.file_keys("annotations")
    content = output.read(f"annotations/{shorter}" if "/" not in shorter else shorter)
    session.add(answer(drawn, 2, verdict="no"))
    assert len(list(output.file_keys("annotations"))) == 1
    output.publish(f"annotations/{Path(shorter).name}", content)
    output.publish("annotations/notes.txt", b"mine")
    assert [each.answered_us for each in read_answers(output, "tiny-1")] == [1, 2]


def test_the_table_says_what_an_answer_stands_for() -> None:
    drawn = Drawn("owl", "s", "b.wav", 4, 9, 10, 5, 1.0, 0.9, 1.0, 90, 3)
    content = answers_file([answer(drawn, 7)])
    names = ["label", "start_time", "verdict", "reviewer", "answered", "weight", "band_low", "band_high", "clip"]
    assert [column[0] for column in read_columns(content, names)] == [
        "owl", 5, "yes", "Ann \U0001f426", 7, 30.0, 0.9, 1.0, 4,
    ]  # fmt: skip


def test_an_answer_that_can_not_be_written_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "annotations").write_text("a file where the folder should be")
    session = Session(Folder(str(tmp_path)))
    drawn = Drawn("owl", "s", "b.wav", 4, 9, 10, 5, 1.0, 0.9, 1.0, 90, 3)
    with pytest.raises(Exception, match="annotations"):
        session.add(answer(drawn, 7))
    assert session.count == 0
