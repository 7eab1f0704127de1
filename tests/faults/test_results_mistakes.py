"""What a user can get wrong after a run: one clear message, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from birddask.formats import FORMATS
from tests.support.outputs import MadeUp, made_up, recording
from tests.support.program import birddask_here, write_job


@pytest.fixture
def output(tmp_path: Path) -> MadeUp:
    recordings = [
        recording(
            f"=ridge/{number}.wav", 3, utc_offset_min=600 if number else None, latitude_deg=1.5, longitude_deg=2.5
        )
        for number in range(2)
    ]
    output = made_up(tmp_path / "out", recordings, ("Turdus merula_Blackbird", "owl"))
    output.fill()
    return output


@pytest.fixture
def job(output: MadeUp, tmp_path: Path) -> Path:
    return write_job(tmp_path / "job.yaml", tmp_path / "archive", output.folder.url, "tiny", utc_offset="+13:00")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["detections", "--threshold", "1.5"], "--threshold: 1.5 is not a probability"),
        (["detections", "--threshold", "0.5", "--thresholds", "t.csv"], "either --threshold or --thresholds"),
        (["detections", "--thresholds", "none.csv"], "none.csv can't be read: there is no such file"),
        (["detections", "--species", "s3ecies.txt"], "s3ecies.txt can't be read"),
        (["detections", "--format", "xlsx"], "no format 'xlsx'; there are audacity, birdnet-analyzer, csv"),
        (["detections", "--model", "birdnet"], "name one model"),
        (["detections", "--smooth"], "clips that overlap"),
        (["detections", "--output", "job.yaml"], "job.yaml is there already"),
        (["detections", "--output", "job.yaml/x.csv"], "can't be written"),
        (["effort", "--output", "job.yaml"], "job.yaml is there already"),
        (["effort", "--model", "birdnet"], "name one model"),
        (["report", "job.yaml"], "job.yaml is there already"),
        (["report", "x.html", "--threshold", "2"], "not a probability"),
        (["report", "x.html", "--model", "birdnet"], "name one model"),
        (["export", "--to", "here", "--format", "audacity"], "birddask detections"),
        (["evaluate", "none.csv"], "none.csv can't be read: there is no such file"),
        (["evaluate", "nowhere"], "nowhere does not exist"),
        (["evaluate", "none.csv", "--names", "names.csv"], "names.csv can't be read"),
        (["evaluate", "none.csv", "--output", "job.yaml"], "job.yaml is there already"),
        (["review", "--species", "none.txt"], "none.txt can't be read"),
        (["review", "--model", "birdnet"], "name one model"),
        (["calibrate"], "nobody has reviewed"),
        (["export", "--to", "s3://bucket/heard.sqlite"], "must lie on this machine"),
        (["export", "--to", "https://wren:secret@example.org/x"], "form https://host/path; a token goes into"),
        (["export", "--to", "https://"], "form https://host/path"),
        (["export", "--to", "https://example.org:x/"], "no URL"),
    ],
)
def test_a_mistake_gets_one_clear_message(
    arguments: list[str], complaint: str, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = birddask_here(arguments[0], job, *arguments[1:])
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("error: ")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_results_that_are_not_there_yet(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job.yaml", tmp_path / "archive", tmp_path / "out", "tiny")
    for verb in (
        ["detections"],
        ["effort"],
        ["report", str(tmp_path / "x.html")],
        ["export", "--to", str(tmp_path / "x")],
        ["evaluate", str(tmp_path)],
        ["review"],
        ["calibrate"],
    ):
        done = birddask_here(verb[0], job, *verb[1:])
        assert done.returncode == 2
        assert "no probabilities" in done.stderr
        assert "birddask run" in done.stderr


def test_detections_say_by_which_rules_and_of_which_model_they_are(
    job: Path, output: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("label,threshold\nblackbrid,0.2\nowl,0.5\n")
    done = birddask_here("detections", job, "--thresholds", "t.csv", "--best", "1", "--merge")
    assert done.returncode == 0, done.stderr
    for said in (
        "2 by name and no other labels",
        "best of a clip: 1",
        "highest probability",
        "no label answers to: blackbrid",
    ):
        assert said in done.stdout
    rows = list(csv.DictReader(io.StringIO((tmp_path / "detections.csv").read_text(), newline="")))
    assert f"{len(rows)} detections in {tmp_path}/detections.csv" in done.stdout
    about = json.loads((tmp_path / "detections.csv.about.json").read_text())
    assert about["detections"] == len(rows)
    assert about["thresholds"] == {"blackbrid": 0.2, "owl": 0.5}
    assert about["model"]["licence"] == "Apache-2.0"
    assert about["results"] == output.results.name
    assert {row["label"] for row in rows} == {"owl"}
    assert {(row["site"], row["latitude_deg"], row["longitude_deg"]) for row in rows} == {("'=ridge", "1.5", "2.5")}
    # Somebody may have worked in that file.
    assert birddask_here("detections", job).returncode == 2


def test_effort_in_utc_and_on_the_recorders_clocks(job: Path, tmp_path: Path) -> None:
    printed = birddask_here("effort", job)
    assert printed.returncode == 0, printed.stderr
    rows = list(csv.DictReader(io.StringIO(printed.stdout, newline="")))
    assert [(row["site"], row["day"], row["scored_clips"]) for row in rows] == [("'=ridge", "2024-05-01", "6")]
    assert float(rows[0]["scored_h"]) == pytest.approx(6 / 3600, abs=1e-4)
    written = birddask_here("effort", job, "--local", "--output", tmp_path / "effort.csv")
    assert "0.00 h scored, 0.00 h silent" in written.stdout
    rows = list(csv.DictReader(io.StringIO((tmp_path / "effort.csv").read_text(), newline="")))
    # Noon in UTC is one o'clock of the next day thirteen hours ahead, which the job says for the first recording.
    assert [(row["day"], row["scored_clips"]) for row in rows] == [("2024-05-01", "3"), ("2024-05-02", "3")]


def test_effort_of_results_whose_store_was_deleted(job: Path, output: MadeUp) -> None:
    for file in list(output.folder.files("mels")):
        output.folder.remove(file.key)
    done = birddask_here("effort", job)
    assert done.returncode == 2
    assert "clip tables" in done.stderr


def test_nothing_heard_is_an_empty_table_in_every_format(output: MadeUp, job: Path, tmp_path: Path) -> None:
    silent = replace(output, scores={path: np.zeros_like(each) for path, each in output.scores.items()})
    silent.fill()
    for name in FORMATS:
        done = birddask_here("detections", job, "--format", name, "--output", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "0 detections" in done.stdout
    assert (tmp_path / "csv").read_text().startswith("site,recording,")
    assert json.loads((tmp_path / "geojson").read_text()) == {"type": "FeatureCollection", "features": []}
    assert not (tmp_path / "raven").exists()
