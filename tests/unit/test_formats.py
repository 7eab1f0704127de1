"""Each format, letter by letter, as the program that it is for wants it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from birddask.detections.found import find_results
from birddask.detections.query import opened
from birddask.detections.rules import Rules, one_threshold
from birddask.formats import FORMATS, find_format
from birddask.formats.about import about_file
from birddask.formats.format import Context
from birddask.formats.per_recording import file_key
from birddask.storage import Folder
from birddask.table.parquet import TIME
from tests.support.outputs import NOON_US, made_up, recording

LABELS = ("Turdus merula_Eurasian Blackbird", "Engine_Engine", "amerob")
SCORES = np.array([[0.81405609, 0.1, 0.3], [0.25, 0.5, 0.0]], np.float32)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every format of the same three detections: of a recording with a position and a clock, and of one without."""
    folder = tmp_path_factory.mktemp("formats")
    rows = [
        recording("ridge/card 1/A.WAV", 1.5, NOON_US, recorder="24F3", latitude_deg=-12.5, longitude_deg=-69.25),
        recording("unknown.WAV", 1.5, None, site="unknown"),
    ]
    output = made_up(folder / "out", rows, LABELS)
    scores = {"ridge/card 1/A.WAV": SCORES, "unknown.WAV": np.array([[0.0, 0.0, 0.9], [0.0, 0.0, 0.0]], np.float32)}
    replace(output, scores=scores).fill()
    with opened(find_results(output.folder, None), Rules(one_threshold(0.5))) as query:
        for name in FORMATS:
            file_format = find_format(name)
            columns = file_format.columns(Context.of(query.found, Folder("/mnt/cards")))
            batches = (batch for _, parts in query.found.sites() for batch in query.detections(parts, columns))
            file_format.save(batches, Folder(str(folder)), name)
    return folder


def test_every_format_has_its_test_here() -> None:
    tests = [name for name in globals() if name.startswith("test_")]
    assert [
        name for name in FORMATS if not any(test.startswith(f"test_{name.replace('-', '_')}") for test in tests)
    ] == []


def test_birdnet_analyzer(written: Path) -> None:
    assert (written / "birdnet-analyzer").read_bytes().decode() == (
        "Start (s),End (s),Scientific name,Common name,Confidence,File\r\n"
        "0.000000,1.000000,Turdus merula,Eurasian Blackbird,0.8141,/mnt/cards/ridge/card 1/A.WAV\r\n"
        "1.000000,1.500000,Engine,Engine,0.5000,/mnt/cards/ridge/card 1/A.WAV\r\n"
        "0.000000,1.000000,amerob,amerob,0.9000,/mnt/cards/unknown.WAV\r\n"
    )


def test_kaleidoscope(written: Path) -> None:
    assert (written / "kaleidoscope").read_bytes().decode() == (
        "INDIR,FOLDER,IN FILE,OFFSET,DURATION,TOP1MATCH,TOP1DIST\r\n"
        "/mnt/cards,ridge/card 1,A.WAV,0.000000,1.000000,Eurasian Blackbird,0.8141\r\n"
        "/mnt/cards,ridge/card 1,A.WAV,1.000000,0.500000,Engine,0.5000\r\n"
        "/mnt/cards,,unknown.WAV,0.000000,1.000000,amerob,0.9000\r\n"
    )


def test_raven(written: Path) -> None:
    files = sorted(str(path.relative_to(written / "raven")) for path in (written / "raven").rglob("*.txt"))
    assert files == ["ridge/card 1/A.WAV.selections.txt", "unknown.WAV.selections.txt"]
    header, *lines = (written / "raven" / files[0]).read_bytes().decode().split("\n")
    assert header.split("\t") == [
        *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"),
        *("Begin File", "Begin Path", "File Offset (s)", "Common Name", "Scientific Name", "Confidence"),
    ]
    where = "0.0\t4000.0\tA.WAV\t/mnt/cards/ridge/card 1/A.WAV"
    assert lines == [
        f"1\tSpectrogram 1\t1\t0.000000\t1.000000\t{where}\t0.000000\tEurasian Blackbird\tTurdus merula\t0.8141",
        f"2\tSpectrogram 1\t1\t1.000000\t1.500000\t{where}\t1.000000\tEngine\tEngine\t0.5000",
        "",
    ]


def test_audacity(written: Path) -> None:
    assert (written / "audacity/ridge/card 1/A.WAV.labels.txt").read_bytes().decode() == (
        "0.000000\t1.000000\tEurasian Blackbird 0.8141\n1.000000\t1.500000\tEngine 0.5000\n"
    )


def test_csv(written: Path) -> None:
    with (written / "csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    model = rows[0]["model"]
    assert list(rows[0].values()) == [
        *("ridge", "ridge/card 1/A.WAV", "24F3", "0.000000", "1.000000", "2024-05-01T12:00:00.000000Z", LABELS[0]),
        *("Turdus merula", "Eurasian Blackbird", "0.8140561", "1", "-12.5", "-69.25", model),
    ]
    assert [row["start_time"] for row in rows] == ["2024-05-01T12:00:00.000000Z", "2024-05-01T12:00:01.000000Z", ""]


def test_parquet(written: Path) -> None:
    table = parquet.ParquetFile(written / "parquet").read(use_threads=False)
    assert table.schema.field("start_time").type == TIME
    assert table["start_time"].cast("int64").to_pylist() == [NOON_US, NOON_US + 1_000_000, None]
    assert table["probability"].to_pylist() == [float(SCORES[0, 0]), 0.5, float(np.float32(0.9))]
    assert table["recorder"].to_pylist() == ["24F3", "24F3", None]


def test_geojson_has_places_only_where_they_are_known(written: Path) -> None:
    collection = json.loads((written / "geojson").read_text())
    assert set(collection) == {"type", "features"}
    assert [feature["type"] for feature in collection["features"]] == ["Feature"] * 3
    assert [feature["geometry"] for feature in collection["features"]] == [
        {"type": "Point", "coordinates": [-69.25, -12.5]},
        {"type": "Point", "coordinates": [-69.25, -12.5]},
        None,
    ]
    assert collection["features"][0]["properties"]["probability"] == 0.8140561


def test_ndjson(written: Path) -> None:
    first, _, last = (json.loads(line) for line in (written / "ndjson").read_text().splitlines())
    assert first["model"]
    assert first | {"model": ""} == {
        "model": "",
        "clip": 0,
        "clips": 1,
        "site": "ridge",
        "recording": "ridge/card 1/A.WAV",
        "recorder": "24F3",
        "start_us": 0,
        "end_us": 1_000_000,
        "start_time": "2024-05-01T12:00:00.000000Z",
        "label": LABELS[0],
        "scientific_name": "Turdus merula",
        "common_name": "Eurasian Blackbird",
        "probability": 0.8140561,
    }
    assert (last["recorder"], last["start_time"]) == (None, None)


def test_darwin_core_says_no_more_than_is_known(written: Path) -> None:
    with (written / "darwin-core").open(newline="", encoding="utf-8") as file:
        blackbird, engine, robin = csv.DictReader(file)
    assert blackbird["basisOfRecord"] == "MachineObservation"
    assert blackbird["eventDate"] == "2024-05-01T12:00:00.000000Z/2024-05-01T12:00:01.000000Z"
    assert (blackbird["scientificName"], blackbird["vernacularName"]) == ("Turdus merula", "Eurasian Blackbird")
    assert (blackbird["decimalLatitude"], blackbird["decimalLongitude"]) == ("-12.5", "-69.25")
    assert blackbird["geodeticDatum"] == "EPSG:4326"
    assert blackbird["locationID"] == "ridge"
    assert blackbird["identificationVerificationStatus"] == "unverified"
    assert "0.8141" in blackbird["identificationRemarks"]
    assert (engine["scientificName"], engine["verbatimIdentification"]) == ("", "Engine_Engine")
    for unknown in ("scientificName", "vernacularName", "eventDate", "locationID", "decimalLatitude", "geodeticDatum"):
        assert robin[unknown] == ""
    assert robin["verbatimIdentification"] == "amerob"
    assert len({row["occurrenceID"] for row in (blackbird, engine, robin)}) == 3


def test_the_name_of_a_recording_as_every_system_takes_it() -> None:
    assert file_key("a/b c/\u00e9 \U0001f989.WAV") == "a/b c/\u00e9 \U0001f989.WAV"
    assert file_key('a:b/<1> "2".WAV') == "a%3Ab/%3C1%3E %222%22.WAV"
    assert file_key("dots./space /100%") == "dots%2E/space%20/100%25"
    long_names = [file_key("\u00e9" * 200 + number) for number in "12"]
    assert long_names[0] != long_names[1]
    assert all(len(name.encode()) < 200 for name in long_names)


def test_what_stands_beside_an_output_is_the_model_and_the_rules(tmp_path: Path) -> None:
    output = made_up(tmp_path, [recording("s/1.wav", 1)], LABELS)
    output.fill()
    rules = Rules(one_threshold(0.5), best=2, species={"wren": "Wren", "owl": "Owl"}, merge=True)
    about = json.loads(about_file(find_results(output.folder, None), rules, 7))
    assert about["species"] == ["owl", "wren"]
    assert (about["detections"], about["threshold_of_others"]) == (7, 0.5)
    assert about["model"]["title"] == "A model for tests"
    assert about["mel_spec_fingerprint"] == output.results.card.mels.fingerprint
