from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from birddask.access import open_probabilities
from birddask.errors import ConfigError
from birddask.plan import Block
from birddask.storage import Folder
from birddask.table.block_files import block_files, block_numbers
from birddask.table.clip_table import ClipRow, clip_statuses, clips_file, read_clips
from birddask.table.parquet import read_metadata
from birddask.table.parts import IDENTITY, PartLayout, probabilities_file, require_distinct_columns
from birddask.table.results import Results, part_key
from tests.support.models import TINY_LABELS, tiny_card

WIDE, LONG = PartLayout("wide", 0.0), PartLayout("long", 0.3)
START = datetime(2024, 5, 31, 23, 59, 58, 250_000, tzinfo=UTC)
START_US = (START - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
ROWS = (
    ClipRow(40, "marsh/a.wav", "marsh", "24F3", 0, START_US, "ok", level_dbfs=-31.5),
    ClipRow(41, "marsh/a.wav", "marsh", "24F3", 1_500_000, START_US + 1_500_000, "ok", level_dbfs=-30.25),
    ClipRow(43, "marsh/old é.wav", "marsh", None, 0, None, "ok", level_dbfs=-90.0),
)
LABELS = ("wren", "robin", "tawny owl", "Zaunkönig")
SCORES = np.array([[0.1, 0.9, 0.3, 0.2999], [0.25, 0.1, 0.2, 0.25], [0.5, 0.5, 0.0, 1.0]], np.float32)


def table(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))


def part(layout: PartLayout, rows: Sequence[ClipRow] = ROWS, scores: NDArray[np.float32] = SCORES) -> pa.Table:
    return table(probabilities_file(rows, scores, LABELS, layout, {}))


def identity(row: ClipRow) -> dict[str, object]:
    start = None if row.start_time_us is None else START + timedelta(microseconds=row.start_time_us - START_US)
    return {
        "clip": row.clip,
        "recording": row.recording,
        "recorder": row.recorder,
        "offset_us": row.offset_us,
        "start_time": start,
    }


def test_wide_has_a_row_a_clip_and_a_column_a_label() -> None:
    best = [("robin", 0.9), ("wren", 0.25), ("Zaunkönig", 1.0)]
    assert part(WIDE).to_pylist() == [
        {
            **identity(row),
            "top_label": label,
            "top_probability": np.float32(probability),
            **dict(zip(LABELS, scores.tolist(), strict=True)),
        }
        for row, (label, probability), scores in zip(ROWS, best, SCORES, strict=True)
    ]


def test_long_has_the_likely_labels_of_each_clip_and_always_the_best() -> None:
    kept = [
        (0, "robin", 0.9),
        (0, "tawny owl", 0.3),
        (1, "wren", 0.25),
        (2, "Zaunkönig", 1.0),
        (2, "wren", 0.5),
        (2, "robin", 0.5),
    ]
    assert part(LONG).to_pylist() == [
        {**identity(ROWS[clip]), "label": label, "probability": np.float32(probability)}
        for clip, label, probability in kept
    ]


@settings(deadline=None)
@given(
    scores=st.integers(0, 6).flatmap(
        lambda clips: arrays.arrays(
            np.float32, (clips, 4), elements=st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]) | st.floats(0, 1, width=32)
        )
    ),
    floor=st.sampled_from([0.0, 0.1, 0.3, 0.999]),
)
def test_long_keeps_what_is_at_the_floor_or_the_best_in_order(scores: NDArray[np.float32], floor: float) -> None:
    rows = [replace(ROWS[0], clip=10 + number) for number in range(len(scores))]
    expected = [
        (row.clip, label, probability)
        for row, clip_scores in zip(rows, scores, strict=True)
        for label, probability in sorted(zip(LABELS, clip_scores, strict=True), key=lambda each: -each[1])
        if probability >= np.float32(floor) or LABELS.index(label) == list(clip_scores).index(max(clip_scores))
    ]
    found = part(PartLayout("long", floor), rows, scores)
    assert [(each["clip"], each["label"], each["probability"]) for each in found.to_pylist()] == expected


@pytest.mark.parametrize("layout", [WIDE, LONG])
def test_a_part_has_the_types_that_others_rely_on(layout: PartLayout) -> None:
    schema = part(layout).schema
    assert tuple(schema.names[:5]) == IDENTITY
    assert schema.field("clip").type == pa.int64()
    assert schema.field("offset_us").type == pa.int64()
    assert schema.field("start_time").type == pa.timestamp("us", tz="UTC")
    probabilities = LABELS if layout is WIDE else ("probability",)
    assert {schema.field(name).type for name in probabilities} == {pa.float32()}


@pytest.mark.parametrize("layout", [WIDE, LONG])
def test_a_part_without_clips_has_the_columns_of_one_with_clips(layout: PartLayout) -> None:
    empty = part(layout, (), np.empty((0, 4), np.float32))
    assert empty.num_rows == 0
    assert empty.schema.equals(part(layout).schema)


@pytest.mark.parametrize("layout", [WIDE, LONG])
def test_a_part_of_recordings_without_time_or_recorder_has_the_same_columns(layout: PartLayout) -> None:
    unknown = part(layout, ROWS[2:], SCORES[2:])
    assert unknown.column("start_time").null_count == unknown.column("recorder").null_count == unknown.num_rows
    assert unknown.schema.equals(part(layout).schema)


@pytest.mark.parametrize("layout", [WIDE, LONG])
def test_pandas_and_duckdb_read_a_part(layout: PartLayout, tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    file.write_bytes(probabilities_file(ROWS, SCORES, LABELS, layout, {}))
    clips = pd.read_parquet(file).drop_duplicates("clip")
    assert clips["start_time"].tolist()[:2] == [pd.Timestamp(START), pd.Timestamp(START + timedelta(seconds=1.5))]
    assert clips["start_time"].isna().tolist() == [False, False, True]
    found = duckdb.execute(
        "select distinct clip, recording, offset_us, epoch_us(start_time) from read_parquet(?) order by 1", [str(file)]
    )
    assert found.fetchall() == [(row.clip, row.recording, row.offset_us, row.start_time_us) for row in ROWS]


@pytest.mark.parametrize("layout", [WIDE, LONG])
def test_the_same_rows_give_the_same_bytes(layout: PartLayout) -> None:
    metadata = {"model": "tiny", "floor": 0.3}
    backwards = dict(reversed(metadata.items()))
    first = probabilities_file(list(ROWS), SCORES.copy(), list(LABELS), layout, metadata)
    assert probabilities_file(ROWS, np.asfortranarray(SCORES), LABELS, layout, backwards) == first
    assert clips_file(list(ROWS)) == clips_file(ROWS)


def test_metadata_can_be_read_with_and_without_birddask() -> None:
    metadata = {"model": {"name": "tiny", "labels": 4}, "floor": 0.3, "note": "Zaunkönig"}
    content = probabilities_file(ROWS, SCORES, LABELS, LONG, metadata)
    assert read_metadata(content) == metadata
    assert json.loads(pq.read_metadata(io.BytesIO(content)).metadata[b"birddask"]) == metadata


@pytest.mark.parametrize("label", ["clip", "recording", "start_time", "top_label", "site", "month", "model"])
def test_a_label_that_is_the_name_of_another_column_is_refused(label: str) -> None:
    with pytest.raises(ConfigError, match=label):
        require_distinct_columns(("wren", label))


def test_other_labels_can_be_columns() -> None:
    require_distinct_columns((*LABELS, "Clip noise", "label", "probability"))


def test_clip_tables_come_back_as_they_were() -> None:
    silent = ClipRow(44, "marsh/b.wav", "marsh", None, 0, START_US, "silent")
    lost = ClipRow(45, "marsh/b.wav", "marsh", None, 3_000_000, START_US, "quarantined", "short_read")
    content = clips_file([*ROWS, silent, lost])
    assert read_clips(content) == [*ROWS, silent, lost]
    assert clip_statuses(content) == ["ok", "ok", "ok", "silent", "quarantined"]
    assert read_clips(clips_file([])) == []


SITES = [
    "marsh",
    "old mill",
    "a=b",
    "50%",
    "a%20b",
    "north/pond",
    "..",
    "...",
    "0012",
    "2024-01-01",
    "Ödland",
    "Gru\u0308n",
    "湿地",
    "ф" * 100,
    'it\'s "here"',
    "a\\b:c*d?",
    "null",
]


def results(output: Path) -> Results:
    return Results(Folder(str(output)), tiny_card(), LONG)


def test_any_site_is_read_back_by_pyarrow_and_duckdb(tmp_path: Path) -> None:
    scores = np.full((1, len(TINY_LABELS)), 0.5, np.float32)
    for number, site in enumerate(SITES):
        row = ClipRow(number, "a.wav", site, None, 0, None, "ok")
        results(tmp_path).write(
            Block(number, site, "unknown", ()), [row], scores, TINY_LABELS, np.empty((1, 0), np.float32)
        )
    found = open_probabilities(str(tmp_path)).to_table(columns=["clip", "site", "month"]).to_pylist()
    assert {each["clip"]: each["site"] for each in found} == dict(enumerate(SITES))
    assert {each["month"] for each in found} == {"unknown"}
    query = "select distinct clip, site from read_parquet(?, hive_partitioning = true)"
    read = duckdb.execute(query, [f"{tmp_path}/probabilities/*/*/*/*.parquet"]).fetchall()
    assert dict(read) == dict(enumerate(SITES))
    assert block_numbers(results(tmp_path).folder).tolist() == list(range(len(SITES)))


def test_a_site_is_one_folder_and_a_block_has_six_digits() -> None:
    assert part_key(Block(7, "old mill/é", "2024-05", ())) == "site=old%20mill%2Fé/month=2024-05/block-000007.parquet"
    assert part_key(Block(1_234_567, "..", "unknown", ())) == "site=../month=unknown/block-1234567.parquet"


def test_what_is_not_a_part_is_no_committed_block(tmp_path: Path) -> None:
    folder = tmp_path / "month=2024-05"
    folder.mkdir()
    for name in ("block-000003.parquet", "block-000004.parquet.0a1b.partial", "block-x.parquet", "my-block-7.parquet"):
        (folder / name).touch()
    assert block_numbers(Folder(str(tmp_path))).tolist() == [3]


def test_files_of_blocks_are_found_once_each_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for key in (
        "a/block-1000000.parquet",
        "a/block-000002.parquet",
        "b/block-000002.parquet",
        "b/block-000001.parquet",
    ):
        (tmp_path / key).parent.mkdir(exist_ok=True)
        (tmp_path / key).write_bytes(key.encode())
        os.utime(tmp_path / key, (5, 5))
    files = block_files(Folder(str(tmp_path)))
    assert files.tolist() == [(1, 22, 5_000_000), (2, 22, 5_000_000), (1_000_000, 23, 5_000_000)]


def test_each_setting_that_changes_a_row_has_its_own_folder() -> None:
    card = tiny_card()
    overlapping = replace(card, mels=replace(card.mels, clip=replace(card.mels.clip, hop_samples=4000)))
    output = Folder("out")
    folders = {
        Results(output, card, WIDE).folder,
        Results(output, card, LONG).folder,
        Results(output, card, PartLayout("long", 0.31)).folder,
        Results(output, overlapping, WIDE).folder,
        Results(output, replace(card, name="other"), WIDE).folder,
    }
    assert len(folders) == 5
    assert Results(output, replace(card, title="A better title"), WIDE).folder in folders


def test_a_part_records_its_model_its_mels_and_the_software(tmp_path: Path) -> None:
    block = Block(0, "marsh", "2024-05", ())
    results(tmp_path).write(block, [], np.empty((0, 4), np.float32), LABELS, np.empty((0, 0), np.float32))
    content = results(tmp_path).folder.read(part_key(block))
    metadata = json.loads(pq.read_metadata(io.BytesIO(content)).metadata[b"birddask"])
    assert metadata["model"]["name"] == "tiny"
    assert metadata["model_fingerprint"] == tiny_card().fingerprint
    assert metadata["mel_spec_fingerprint"] == tiny_card().mels.fingerprint
    assert metadata["layout"] == {"kind": "long", "floor": 0.3}
    assert {"birddask", "numpy", "onnxruntime"} <= set(metadata["software"])
