"""Whatever files, sites and labels are called, every format is read back by the rules of the program that it is for."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from birddask.detections.found import find_results
from birddask.detections.query import Query, opened
from birddask.detections.rules import Rules, one_threshold
from birddask.formats import FORMATS, find_format
from birddask.formats.format import Context, Rows
from birddask.handover.sqlite_file import opened_sqlite
from birddask.outputs import read_scans
from birddask.storage import Folder
from tests.support.outputs import LONG, NOON_US, MadeUp, recording

NASTY = "\"'<>&,;\t\n\r=+-@|%*?:\\ ._/~#`$\u00e9\U0001f989\u202e\u2028\x1f\x85\uff1d\u200b"
OWLS = "\U0001f989" * 60
ARCHIVE = Folder("/archive, \"of\" 'cards'")
_TEXT = st.text(st.sampled_from(NASTY.replace("/", "") + "abC"), min_size=1, max_size=8)
_NAMES = _TEXT.filter(lambda name: name not in {".", ".."})
_PATHS = st.lists(_NAMES, min_size=2, max_size=3).map("/".join)
_LABELS = st.one_of(_TEXT, st.sampled_from(["Turdus merula_Blackbird", "Engine_Engine", "=cmd|'/c calc'!A1", "-1"]))

Row = tuple[str, int, int, str, float]
"""Recording, begin and end in microseconds, label, probability."""


def is_distinct_on_disk(paths: list[str]) -> bool:
    """No recording has the name of another one's folder."""
    return not any(other.startswith(f"{path}/") for path in paths for other in paths)


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


def unguarded(text: str) -> str:
    assert text[:1] not in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"), "a spreadsheet would take this for a formula"
    return re.sub(r"^'(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])", "", text)


def on_one_line(text: str) -> str:
    return re.sub("[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)


def us(seconds: str) -> int:
    whole, _, digits = seconds.partition(".")
    return int(whole) * 1_000_000 + int(digits.ljust(6, "0"))


def common(label: str) -> str:
    return {"Turdus merula_Blackbird": "Blackbird", "Engine_Engine": "Engine"}.get(label, label)


def check(name: str, path: Path, rows: list[Row]) -> None:
    """Read a format back; raise AssertionError unless it holds these rows."""
    prefix = f"{ARCHIVE.url}/"
    if name == "csv":
        found = [
            (
                unguarded(row["recording"]),
                us(row["start_s"]),
                us(row["end_s"]),
                unguarded(row["label"]),
                float(row["probability"]),
            )
            for row in read_csv(path)
        ]
        assert found == [(*row[:4], float(str(np.float32(row[4])))) for row in rows]
    elif name == "birdnet-analyzer":
        assert [
            (unguarded(row["File"]), us(row["Start (s)"]), us(row["End (s)"]), unguarded(row["Common name"]))
            for row in read_csv(path)
        ] == [(prefix + row[0], row[1], row[2], common(row[3])) for row in rows]
    elif name == "kaleidoscope":
        found_places = [
            (
                "/".join(unguarded(row[column]) for column in ("INDIR", "FOLDER", "IN FILE")),
                us(row["OFFSET"]),
                us(row["DURATION"]),
                unguarded(row["TOP1MATCH"]),
            )
            for row in read_csv(path)
        ]
        assert found_places == [(prefix + row[0], row[1], row[2] - row[1], common(row[3])) for row in rows]
    elif name == "darwin-core":
        occurrences = read_csv(path)
        assert [unguarded(row["verbatimIdentification"]) for row in occurrences] == [row[3] for row in rows]
        assert len({row["occurrenceID"] for row in occurrences}) == len(rows)
    elif name == "parquet":
        table = parquet.ParquetFile(path).read(use_threads=False)
        assert table.select(["recording", "start_us", "end_us", "label", "probability"]).to_pylist() == [
            dict(zip(("recording", "start_us", "end_us", "label", "probability"), row, strict=True)) for row in rows
        ]
    elif name in {"geojson", "ndjson"}:
        text = path.read_bytes().decode("utf-8")
        objects = (
            [each["properties"] for each in json.loads(text)["features"]]
            if name == "geojson"
            else [json.loads(line) for line in text.split("\n")[:-1]]
        )
        found_objects = [
            (each["recording"], each["start_us"], each["end_us"], each["label"], np.float32(each["probability"]))
            for each in objects
        ]
        assert found_objects == rows
    elif name in {"audacity", "raven"}:
        check_per_recording(name, path, rows)


def check_per_recording(name: str, folder: Path, rows: list[Row]) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    recordings = {row[0] for row in rows}
    assert len(files) == len(recordings)
    for path in files:
        assert not set('<>:"\\|?*').intersection(str(path.relative_to(folder)))
    fields = [line.split("\t") for path in files for line in lines_of(path)]
    if name == "audacity":
        found = sorted((us(begin), us(end), text.rpartition(" ")[0]) for begin, end, text in fields)
        assert found == sorted((row[1], row[2], on_one_line(common(row[3]))) for row in rows)
        return
    header = fields[0] if fields else []
    table = [dict(zip(header, line, strict=True)) for line in fields if line != header]
    assert len(table) == len(fields) - len(files)
    assert sorted(
        (row["Begin Path"], us(row["Begin Time (s)"]), us(row["End Time (s)"]), row["Common Name"]) for row in table
    ) == sorted((on_one_line(f"{ARCHIVE.url}/{row[0]}"), row[1], row[2], on_one_line(common(row[3]))) for row in rows)


def lines_of(path: Path) -> list[str]:
    """Lines as a program reads them that knows line feeds, carriage returns and Unicode's own line ends."""
    return path.read_bytes().decode("utf-8").splitlines()


def detections(query: Query, name: str) -> Rows:
    columns = find_format(name).columns(Context.of(query.found, ARCHIVE))
    return (batch for _, parts in query.found.sites() for batch in query.detections(parts, columns))


@given(
    st.lists(_PATHS, min_size=1, max_size=3, unique=True).filter(is_distinct_on_disk),
    st.lists(_LABELS, min_size=1, max_size=3, unique=True),
    st.integers(0, 1 << 32),
)
@example(["=a/-b.wav", "=a/+c\n.wav"], ["Turdus merula_Blackbird", "=1+1", "\t@x"], 0)
@example([f"site/{OWLS}.wav", f"site/{OWLS}2wav"], ["a,b", 'c"d'], 1)
@example(["'=/:", ":/'="], [":", "'=1"], 0)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_format_is_read_back(paths: list[str], labels: list[str], seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = {path: generator.uniform(0, 1, (2, len(labels))).astype(np.float32) for path in paths}
    with tempfile.TemporaryDirectory() as folder:
        recordings = [recording(path, 1.5, NOON_US) for path in sorted(paths)]
        MadeUp(Folder(f"{folder}/out"), recordings, labels, scores, LONG).fill()
        rows = sorted(
            (path, clip * 1_000_000, min((clip + 1) * 1_000_000, 1_500_000), label, float(scores[path][clip, index]))
            for path in paths
            for clip in range(2)
            for index, label in enumerate(labels)
            if scores[path][clip, index] >= np.float32(0.5)
        )
        rows.sort(key=lambda row: (row[0].split("/")[0], row))
        found = find_results(Folder(f"{folder}/out"), None)
        with opened(found, Rules(one_threshold(0.5))) as query:
            for name in FORMATS:
                find_format(name).save(detections(query, name), Folder(folder), name)
                check(name, Path(folder, name), rows)
            check_sqlite(query, Path(folder, "heard.sqlite"), rows)


def check_sqlite(query: Query, path: Path, rows: list[Row]) -> None:
    found = query.found
    with opened_sqlite(path) as receiver:
        receiver.know(read_scans(found.output))
        columns = receiver.columns(Context.of(found, ARCHIVE))
        for part in found.parts:
            receiver.take(found.name, part, query.detections([part], columns))
    with sqlite3.connect(path) as database:
        stored = database.execute(
            "SELECT recording, start_us, end_us, label, probability FROM detections JOIN recordings USING (recording)"
        ).fetchall()
    database.close()
    assert sorted(stored) == sorted(rows)
