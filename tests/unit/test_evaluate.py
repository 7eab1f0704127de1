from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from birddask.detections.found import find_results
from birddask.errors import ConfigError
from birddask.evaluation import evaluate as module
from birddask.evaluation.annotations import Annotation
from birddask.evaluation.evaluate import Evaluation, evaluate
from tests.support.outputs import LONG, WIDE, MadeUp, made_up, recording
from tests.support.program import birddask, write_job

S = 1_000_000
LABELS = ("Strix aluco_Tawny Owl", "wren", "robin", "Owl", "rain")
THRESHOLDS = (0.1, 0.5)


def annotated(output: MadeUp, truth: dict[str, np.ndarray]) -> list[Annotation]:
    """An annotation for each clip and label, in the middle of the clip."""
    return [
        Annotation(path, clip * S + 400_000, clip * S + 600_000, (output.labels[label],))
        for path, has in truth.items()
        for clip, label in zip(*np.nonzero(has), strict=True)
    ]


def random_truth(output: MadeUp, seed: int) -> dict[str, np.ndarray]:
    """Likelier where the score is high; no clip has the last label."""
    random = np.random.default_rng(seed)
    truth = {path: random.uniform(0, 1.3, scores.shape) < scores for path, scores in output.scores.items()}
    for has in truth.values():
        has[:, -1] = False
    return truth


@pytest.mark.parametrize("layout", [WIDE, replace(LONG, floor=0.3)])
@pytest.mark.parametrize("at_once", [1, 1 << 20])
def test_figures_are_those_of_scikit_learn_over_all_clips(
    layout: object, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SCORES_AT_ONCE", at_once)
    output = made_up(tmp_path, [recording(f"s/{n}.wav", 9) for n in range(8)], LABELS, layout=layout)
    output.fill()
    truth = random_truth(output, 1)
    found = evaluate(find_results(output.folder, None), annotated(output, truth), LABELS, THRESHOLDS, 0)

    has = np.concatenate(list(truth.values()))[:, :-1]
    dense = np.concatenate(list(output.scores.values()))
    if output.layout.kind == "long":
        kept = dense >= np.float32(0.3)
        kept[np.arange(len(dense)), dense.argmax(axis=1)] = True
        dense = np.where(kept, dense, 0)
    scores = dense[:, :-1]
    assert [each.label for each in found.labels] == sorted(LABELS[:-1])
    for each in found.labels:
        label = LABELS.index(each.label)
        assert each.clips == has[:, label].sum()
        assert each.average_precision == pytest.approx(metrics.average_precision_score(has[:, label], scores[:, label]))
        assert each.auroc == pytest.approx(metrics.roc_auc_score(has[:, label], scores[:, label]))
    assert found.cmap == pytest.approx(metrics.average_precision_score(has, scores, average="macro"))
    assert found.auroc == pytest.approx(metrics.roc_auc_score(has, scores, average="macro"))
    for threshold in THRESHOLDS:
        heard = scores >= np.float32(threshold)
        assert found.macro_f1[threshold] == pytest.approx(metrics.f1_score(has, heard, average="macro"))
    some = has.any(axis=1)
    right = has[np.arange(len(has)), scores.argmax(axis=1)] & (scores.max(axis=1) > 0)
    assert found.top1_accuracy == pytest.approx(right[some].mean())
    assert found.coverage.clips_without_label == (~some).sum()


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    recordings = [recording(path, 4) for path in ("a/1.wav", "a/2.wav", "b/2.wav", "b/3.wav")]
    output = made_up(tmp_path, recordings, LABELS)
    silent = np.full((4, len(LABELS)), np.nan, np.float32)
    output = replace(output, scores={**output.scores, "b/3.wav": silent})
    output.scores["a/1.wav"][2] = np.nan
    output.fill()
    annotations = [
        Annotation("a/1.wav", 0, S, ("tawny owl", "griffin")),
        Annotation("a/1.wav", 0, S, ("tawny owl", "griffin")),
        Annotation("1.wav", 2 * S, 3 * S, ("owl",)),
        Annotation("2.wav", 0, S, ("wren",)),
        Annotation("b/3.wav", 0, S, ("wren",)),
        Annotation("lost.wav", 0, S, ("wren", "griffin")),
        Annotation("a/1.wav", 3 * S, 4 * S, ()),
    ]
    found = evaluate(find_results(output.folder, None), annotations, LABELS, THRESHOLDS, 0)
    coverage = found.coverage
    assert (coverage.annotations, coverage.recordings, coverage.clips) == (5, 1, 3)
    assert coverage.clips_without_label == 2
    assert (coverage.recordings_without_annotations, coverage.clips_without_annotations) == (2, 8)
    assert coverage.missing == ["b/3.wav", "lost.wav"]
    assert coverage.ambiguous == ["2.wav"]
    assert coverage.unknown == {"griffin": 2}
    assert coverage.annotations_without_clip == 2
    by_label = {each.label: each for each in found.labels}
    assert by_label["Strix aluco_Tawny Owl"].clips == 1
    # The whole label `Owl` goes before a common name that ends with it, and its only clip was not scored.
    assert (by_label["Owl"].clips, by_label["Owl"].average_precision) == (0, None)
    assert found.cmap == by_label["Strix aluco_Tawny Owl"].average_precision
    assert found.cmap5 is None


def test_times_in_the_file_are_those_of_the_recording_where_nothing_was_cut_out(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("a/1.wav", 4)], LABELS)
    output.fill()

    def clips(*, in_file: bool) -> Evaluation:
        note = Annotation("a/1.wav", 1_500_000, 3_200_000, ("wren",), in_file=in_file)
        return evaluate(find_results(output.folder, None), [note], LABELS, THRESHOLDS, 300_000)

    assert clips(in_file=True) == clips(in_file=False)
    assert [each.clips for each in clips(in_file=True).labels] == [2]


def test_annotations_of_another_archive(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("a/1.wav", 4)], LABELS)
    output.fill()
    found = find_results(output.folder, None)
    with pytest.raises(ConfigError, match=r"no annotated recording has a scored clip .*: the annotations name x\.wav"):
        evaluate(found, [Annotation("x.wav", 0, S, ("wren",))], LABELS, THRESHOLDS, 0)
    with pytest.raises(ConfigError, match="knows none of the names in the annotations: griffin"):
        evaluate(found, [Annotation("1.wav", 0, S, ("griffin",))], LABELS, THRESHOLDS, 0)


@pytest.mark.parametrize("file_format", ["csv", "raven"])
def test_a_model_against_its_own_detections_is_perfect(file_format: str, tmp_path: Path) -> None:
    labels = ('=Owl, "old" <b>\U0001f989', "wren\tor\nrobin", "rain")
    names = ["=a b/<1>, '\".wav", "=a b/2\n\U0001f989.wav"]
    output = made_up(tmp_path / "out", [recording(name, 30) for name in names], labels)
    output.fill()
    job = write_job(tmp_path / "job.yaml", tmp_path / "archive", output.folder.url, "tiny")
    heard = tmp_path / ("heard.csv" if file_format == "csv" else "heard")
    assert birddask("detections", job, "--threshold", "0.6", "--format", file_format, "--output", heard).returncode == 0
    done = birddask("evaluate", job, heard, "--threshold", "0.6", "--output", tmp_path / "evaluation.csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "evaluation.csv").read_text(), newline="")))
    about = json.loads((tmp_path / "evaluation.csv.about.json").read_text())
    assert [each["label"] for each in about["labels"]] == sorted(labels)
    assert [row["label"] for row in rows] == [f"'{label}" if label[0] == "=" else label for label in sorted(labels)]
    assert {row["f1_at_0.6"] for row in rows} == {"1.000000"} == {row["average_precision"] for row in rows}
    assert "does not know" not in done.stdout
    assert "no clip was scored" not in done.stdout
    assert about["coverage"]["clips"] == 60
    assert about["cmap"] == 1
