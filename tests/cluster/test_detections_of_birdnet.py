"""BirdNET's own stored results for a real soundscape, met by `birddask detections` and read back from each format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from birddask import prepare, read_job_file, run
from birddask.engine import Control
from birddask.storage import Folder
from tests.support.program import birddask_here, write_job

SOUNDSCAPE = "birdnet_soundscape.flac"
# Tables for other programs round to four digits.
FOUR_DIGITS = 0.6e-4

Scores = dict[tuple[float, float, str], float]
"""By begin and end in seconds, and common name."""


def stored(shared: Path, overlap_s: float, minimum: float, species: list[str] | None) -> Scores:
    """BirdNET's own."""
    wanted = {
        "chunk_overlap_s": overlap_s,
        "min_confidence": minimum,
        "apply_sigmoid": True,
        "sigmoid_sensitivity": 1.0,
        "filter_species": species,
    }
    sets = json.loads((shared / "birds/birdnet_soundscape.expected.json").read_text())
    predictions = next(each for each in sets if wanted.items() <= each["params"].items())["predictions"]
    return {
        (each["start"], each["end"], label.split("_")[1]): score
        for each in predictions
        for label, score in each["scores"].items()
    }


@pytest.fixture(scope="module")
def scored(shared: Path, birdnet: Folder, tmp_path_factory: pytest.TempPathFactory) -> Callable[[float, Control], Path]:
    """The job file of a run with this overlap."""
    folder = tmp_path_factory.mktemp("soundscape")
    (folder / "archive").mkdir()
    (folder / "archive" / SOUNDSCAPE).symlink_to(shared / "birds" / SOUNDSCAPE)

    def job(overlap_s: float, control: Control) -> Path:
        place = folder / f"overlap-{overlap_s}.yaml"
        output = folder / f"out-{overlap_s}"
        if not place.exists():
            write_job(place, folder / "archive", output, birdnet.url, dtype="float32", overlap_s=overlap_s)
            assert run(prepare(read_job_file(place)), control).complete
        return place

    return job


@pytest.mark.parametrize(
    ("overlap_s", "minimum", "species"),
    [
        (0.0, 0.1, None),
        (2.0, 0.1, None),
        (1.0, 0.3, None),
        (0.0, 0.1, ["Engine_Engine", "Poecile atricapillus_Black-capped Chickadee"]),
    ],
)
def test_detections_equal_the_stored_results(
    overlap_s: float,
    minimum: float,
    species: list[str] | None,
    scored: Callable[[float, Control], Path],
    shared: Path,
    control: Control,
    tmp_path: Path,
) -> None:
    job = scored(overlap_s, control)
    listed = []
    if species:
        (tmp_path / "species.txt").write_text("poecile atricapillus\nEngine\n")
        listed = ["--species", str(tmp_path / "species.txt")]
    done = birddask_here("detections", job, "--threshold", str(minimum), *listed, "--output", tmp_path / "heard.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "heard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {
        (float(row["start_s"]), float(row["end_s"]), row["common_name"]): float(row["probability"]) for row in rows
    }
    assert len(found) == len(rows)
    expected = stored(shared, overlap_s, minimum, species)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=1e-5)


def csv_columns(begin: str, end: str, name: str, probability: str) -> Callable[[Path], Scores]:
    def read(path: Path) -> Scores:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                (float(row[begin]), float(row[end]), row[name]): float(row[probability]) for row in csv.DictReader(file)
            }

    return read


def kaleidoscope(path: Path) -> Scores:
    with path.open(newline="", encoding="utf-8") as file:
        return {
            (float(row["OFFSET"]), float(row["OFFSET"]) + float(row["DURATION"]), row["TOP1MATCH"]): float(
                row["TOP1DIST"]
            )
            for row in csv.DictReader(file)
        }


def raven(path: Path) -> Scores:
    lines = (path / f"{SOUNDSCAPE}.selections.txt").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return {
        (float(row["Begin Time (s)"]), float(row["End Time (s)"]), row["Common Name"]): float(row["Confidence"])
        for row in rows
    }


def audacity(path: Path) -> Scores:
    lines = (path / f"{SOUNDSCAPE}.labels.txt").read_text(encoding="utf-8").splitlines()
    found = {}
    for begin, end, text in (line.split("\t") for line in lines):
        name, _, probability = text.rpartition(" ")
        found[float(begin), float(end), name] = float(probability)
    return found


def geojson(path: Path) -> Scores:
    features = [each["properties"] for each in json.loads(path.read_text(encoding="utf-8"))["features"]]
    return {
        (each["start_us"] / 1e6, each["end_us"] / 1e6, each["common_name"]): each["probability"] for each in features
    }


def ndjson(path: Path) -> Scores:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(row["start_us"] / 1e6, row["end_us"] / 1e6, row["common_name"]): row["probability"] for row in rows}


def parquet_rows(path: Path) -> Scores:
    rows = parquet.ParquetFile(path).read(use_threads=False).to_pylist()
    return {(row["start_us"] / 1e6, row["end_us"] / 1e6, row["common_name"]): row["probability"] for row in rows}


@pytest.mark.parametrize(
    ("file_format", "read"),
    [
        ("parquet", parquet_rows),
        ("birdnet-analyzer", csv_columns("Start (s)", "End (s)", "Common name", "Confidence")),
        ("kaleidoscope", kaleidoscope),
        ("raven", raven),
        ("audacity", audacity),
        ("geojson", geojson),
        ("ndjson", ndjson),
    ],
)
def test_every_format_gives_the_stored_results_back(
    file_format: str,
    read: Callable[[Path], Scores],
    scored: Callable[[float, Control], Path],
    shared: Path,
    control: Control,
    tmp_path: Path,
) -> None:
    job = scored(0.0, control)
    arguments = ["--threshold", "0.1", "--format", file_format, "--output", str(tmp_path / "heard")]
    done = birddask_here("detections", job, *arguments)
    assert done.returncode == 0, done.stderr
    expected = stored(shared, 0.0, 0.1, None)
    found = read(tmp_path / "heard")
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=FOUR_DIGITS)
