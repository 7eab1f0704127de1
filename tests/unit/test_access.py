from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import dataset

from birddask.access import open_mels, open_probabilities
from birddask.errors import ConfigError, MelsLost
from birddask.models.bundle import read_card
from birddask.models.ready import BundleRef, ready_front_end
from birddask.outputs import planned_store
from birddask.plan import plan_blocks
from birddask.recordings.cards import Cards
from birddask.recordings.inspect import ScanRule, inspect
from birddask.storage import Folder
from birddask.table.parts import PartLayout
from birddask.table.results import Results
from birddask.tasks import MelWork, ScoreWork, both, make_mels
from tests.support.models import TINY_LABELS, TINY_RATE
from tests.support.sounds import noise, write_wav

MARSH = noise(3, TINY_RATE, 1)
MARSH[TINY_RATE : 2 * TINY_RATE] = 0
MOOR = noise(2, TINY_RATE, 2)


@dataclass(frozen=True)
class Output:
    """Results of two recordings: three clips in the marsh over the end of a month, two on the old moor at no time."""

    root: Path
    ref: BundleRef

    @property
    def url(self) -> str:
        return str(self.root / "out")

    def parts(self) -> list[Path]:
        return sorted((self.root / "out/probabilities").rglob("block-*.parquet"))

    def work_off(self, hop_samples: int, *, score: bool) -> None:
        card = read_card(self.ref.folder)
        card = replace(card, mels=replace(card.mels, clip=replace(card.mels.clip, hop_samples=hop_samples)))
        archive, output = Folder(str(self.root / "archive")), Folder(self.url)
        rule = ScanRule("{site}/...", 0, ())
        recordings = [inspect(archive, Cards(archive), file, rule).recording for file in archive.files()]
        store = planned_store(output, card.mels, 1)
        blocks = list(plan_blocks([recordings], card.mels.clip, store.clips_per_block))
        store.create()
        store.grow(len(blocks))
        mel_work = MelWork(archive, store, self.ref)
        score_work = ScoreWork(store, Results(output, card, PartLayout("wide", 0.0)), self.ref)
        for block in blocks:
            if score:
                both(mel_work, score_work, block)
            else:
                make_mels(mel_work, block)


@pytest.fixture
def output(tmp_path: Path, tiny_bundle: Path) -> Output:
    write_wav(tmp_path / "archive/marsh/20240531_235958.wav", MARSH, TINY_RATE)
    write_wav(tmp_path / "archive/old moor/undated.wav", MOOR, TINY_RATE)
    folder = Folder(str(tiny_bundle))
    output = Output(tmp_path, BundleRef(folder, read_card(folder).fingerprint))
    output.work_off(TINY_RATE, score=True)
    return output


def test_probabilities_are_one_table_with_site_and_month(output: Output) -> None:
    table = open_probabilities(output.url).to_table()
    assert set(TINY_LABELS) < set(table.column_names)
    rows = table.select(["site", "month", "recording", "offset_us"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("marsh", "2024-05", "marsh/20240531_235958.wav", 0),
        ("marsh", "2024-06", "marsh/20240531_235958.wav", 2_000_000),
        ("old moor", "unknown", "old moor/undated.wav", 0),
        ("old moor", "unknown", "old moor/undated.wav", 1_000_000),
    ]


def test_a_filter_by_site_and_month_reads_only_their_parts(output: Output) -> None:
    probabilities = open_probabilities(output.url)
    for part in output.parts():
        if "month=2024-06" not in str(part):
            part.write_bytes(b"must not be read")
    chosen = (dataset.field("site") == "marsh") & (dataset.field("month") == "2024-06")
    assert probabilities.to_table(columns=["clip"], filter=chosen).num_rows == 1


def test_duckdb_queries_the_dataset(output: Output) -> None:
    probabilities = open_probabilities(output.url)
    counted = duckdb.sql("select site, count(*), avg(top_probability) > 0 from probabilities group by site order by 1")
    assert counted.fetchall() == [("marsh", 2, True), ("old moor", 2, True)]
    assert probabilities.count_rows() == 4


def test_half_a_file_left_by_a_killed_worker_is_passed_over(output: Output) -> None:
    half = output.parts()[0]
    half.with_name(f"{half.name}.0a1b.partial").write_bytes(half.read_bytes()[:100])
    (clips,) = (output.root / "out/mels").glob("*/clips")
    (clips / "block-000000.parquet.0a1b.partial").write_bytes(b"PAR1")
    assert open_probabilities(output.url).to_table().num_rows == 4
    assert open_mels(output.url).sizes["clip"] == 5


def test_one_of_several_models_must_be_named(output: Output) -> None:
    output.work_off(TINY_RATE // 2, score=True)
    with pytest.raises(ConfigError, match=r"name one model of .* \(there: tiny-\w+, tiny-\w+\)"):
        open_probabilities(output.url)
    names = [path.name.removeprefix("model=") for path in (output.root / "out/probabilities").iterdir()]
    rows = sorted(open_probabilities(output.url, name).count_rows() for name in names)
    assert rows == [4, 7]


def test_an_unknown_model_is_refused_with_those_that_are_there(output: Output) -> None:
    with pytest.raises(ConfigError, match=r"name one model of .* \(there: tiny-\w+\)"):
        open_probabilities(output.url, "tiny")


@pytest.mark.parametrize("opened", [open_probabilities, open_mels])
def test_an_output_without_results_is_refused(opened: object, tmp_path: Path) -> None:
    assert callable(opened)
    with pytest.raises(ConfigError, match=r"\(there: none\)"):
        opened(str(tmp_path))


def mels_of(output: Output, samples: NDArray[np.int16]) -> NDArray[np.float32]:
    return ready_front_end(output.ref).mels((samples / 32768).astype(np.float32))


def test_mels_come_with_where_and_when_they_were_heard(output: Output) -> None:
    mels = open_mels(output.url)
    assert mels["recording"].values.tolist()[2:4] == ["marsh/20240531_235958.wav", "old moor/undated.wav"]
    assert mels["site"].values.tolist() == ["marsh"] * 3 + ["old moor"] * 2
    assert mels["offset_us"].values.tolist() == [0, 1_000_000, 2_000_000, 0, 1_000_000]
    assert mels["status"].values.tolist() == ["ok", "silent", "ok", "ok", "ok"]
    start_times = np.array(["2024-05-31T23:59:58", "2024-05-31T23:59:59", "2024-06-01T00:00:00"], "datetime64[us]")
    np.testing.assert_array_equal(mels["start_time"].values[:3], start_times)
    assert np.isnat(mels["start_time"].values[3:]).all()


def test_mels_are_those_of_each_clip_and_are_read_only_when_needed(output: Output) -> None:
    mels = open_mels(output.url)
    assert list(mels.data_vars) == ["mel"]
    assert mels["mel"].shape == (5, 1, 16, 63)
    assert mels["mel"].dtype == np.float32
    # A block is a chunk.
    assert mels["mel"].chunks == ((2, 1, 2), (1,), (16,), (63,))
    clips = [*MARSH.reshape(3, TINY_RATE), *MOOR.reshape(2, TINY_RATE)]
    expected = np.stack([mels_of(output, clip) for clip in clips])
    expected[1] = np.nan
    np.testing.assert_array_equal(mels["mel"].values, expected)


def test_a_block_in_which_all_is_silent_has_no_mels(tmp_path: Path, tiny_bundle: Path) -> None:
    write_wav(tmp_path / "archive/marsh/undated.wav", np.zeros(2 * TINY_RATE, np.int16), TINY_RATE)
    folder = Folder(str(tiny_bundle))
    output = Output(tmp_path, BundleRef(folder, read_card(folder).fingerprint))
    output.work_off(TINY_RATE, score=False)
    mels = open_mels(output.url)
    assert mels["status"].values.tolist() == ["silent", "silent"]
    assert np.isnan(mels["mel"].values).all()


def test_lost_mels_are_an_error(output: Output) -> None:
    for shard in (output.root / "out/mels").glob("*/mels.zarr/mel/c/*/0/0/0"):
        shard.unlink()
    mels = open_mels(output.url)
    with pytest.raises(MelsLost, match=r"the shard c/\d/0/0/0 is missing"):
        mels["mel"].compute()


def test_clips_are_chosen_by_their_columns(output: Output) -> None:
    mels = open_mels(output.url)
    chosen = mels.isel(clip=(mels["site"] == "old moor").values)["mel"].values
    np.testing.assert_array_equal(chosen[1], mels_of(output, MOOR[TINY_RATE:]))


def test_one_of_several_stores_must_be_named(output: Output) -> None:
    output.work_off(TINY_RATE // 2, score=False)
    with pytest.raises(ConfigError, match=r"name one store of .* \(there: tiny-mels-\w+, tiny-mels-\w+\)"):
        open_mels(output.url)
    names = [path.name for path in (output.root / "out/mels").iterdir()]
    assert sorted(open_mels(output.url, name).sizes["clip"] for name in names) == [5, 8]


def test_without_xarray_the_error_says_what_to_install(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"birddask\[analysis\]"):
        open_mels(output.url)
