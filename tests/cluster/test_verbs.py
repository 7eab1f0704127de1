from __future__ import annotations

import functools
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from distributed import Client

from birddask.access import open_probabilities
from birddask.clusters import LocalSpec, connect
from birddask.engine import Control
from birddask.engine.events import Advanced, Begun, BlockFailed, Event
from birddask.errors import BirddaskError, ConfigError
from birddask.job import Job
from birddask.scanning.scan import scan
from birddask.verbs.blocks import Ended, build_mels, classify, run
from birddask.verbs.prepared import prepare
from birddask.verbs.status import intend, status
from tests.support.models import TINY_RATE, write_tiny_bundle
from tests.support.sounds import noise, write_wav

CLIPS_PER_BLOCK = 260
OVERLAP_S = 0.9


def fill(archive: Path) -> None:
    """Four sites' worth: 391 clips over the end of a month, short ones, a silent one, and what can't be used."""
    write_wav(archive / "marsh/20240531_235940.wav", noise(40, TINY_RATE, 1), TINY_RATE)
    write_wav(archive / "moor/20240601_050000.wav", noise(2.5, TINY_RATE, 2), TINY_RATE)
    write_wav(archive / "moor/20240601_060000.wav", noise(2.5, 22_050, 3), 22_050)
    write_wav(archive / "old mill/undated.wav", np.zeros(2 * TINY_RATE, np.int16), TINY_RATE)
    (archive / "moor/notes.txt").write_text("rain from noon")
    (archive / "moor/20240601_070000.wav").touch()
    for path in archive.rglob("*.*"):
        os.utime(path, (1_717_221_600, 1_717_221_600))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    fill(folder)
    return folder


def job_of(archive: Path, output: Path, bundle: Path) -> Job:
    return Job(str(archive), str(output), str(bundle), overlap_s=OVERLAP_S, block_mib=0.1)


@pytest.fixture
def job(archive: Path, tmp_path: Path, tiny_bundle: Path) -> Job:
    return job_of(archive, tmp_path / "out", tiny_bundle)


@pytest.fixture(scope="module")
def finished(archive: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory, client: Client) -> Path:
    """The output of one run; not to be changed."""
    output = tmp_path_factory.mktemp("finished")
    assert run(prepare(job_of(archive, output, tiny_bundle)), Control(lambda: client)).complete
    return output


def results_in(output: Path) -> dict[str, bytes]:
    """Everything but the notes of the runs, by its path."""
    paths = (path.relative_to(output) for path in output.rglob("*") if path.is_file())
    return {str(path): (output / path).read_bytes() for path in paths if path.parts[0] != "runs"}


def refuse() -> Client:
    raise AssertionError("a cluster was asked for")


def started_files(output: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in output.rglob("block-*.parquet")}


def numbers(ended: Ended) -> tuple[int, int, int, int, int]:
    scores = ended.accounting.scores
    return (
        scores.clips_planned,
        scores.clips_done,
        scores.clips_silent,
        scores.clips_quarantined,
        scores.clips_pending,
    )


def test_a_run_scores_every_clip_and_accounts_for_every_file(job: Job, control: Control) -> None:
    ended = run(prepare(job), control)
    counts = ended.accounting.recordings
    assert (counts.found, counts.usable, counts.quarantined, counts.ignored) == (6, 4, 1, 1)
    assert counts.quarantine_reasons == {"empty": 1}
    # With a clip every 0.1 s: 391 of 40 s, twice 16 of 2.5 s, 11 of 2 s.
    assert numbers(ended) == (434, 423, 11, 0, 0)
    # 200 clips begin in May, 191 in June; the moor and the mill have a block each.
    assert (ended.blocks, ended.complete, ended.failures) == (4, True, {})
    assert ended.audio_s == 434
    table = open_probabilities(job.output).to_table(columns=["clip", "site", "month"])
    assert table.num_rows == 423
    clips = table.group_by(["site", "month"]).aggregate([("clip", "count")]).to_pylist()
    assert {(row["site"], row["month"]): row["clip_count"] for row in clips} == {
        ("marsh", "2024-05"): 200,
        ("marsh", "2024-06"): 191,
        ("moor", "2024-06"): 32,
    }


def test_one_verb_after_the_other_gives_the_bytes_of_a_run(job: Job, finished: Path, control: Control) -> None:
    prepared = prepare(job)
    scan(job, control)
    made = build_mels(prepared, control)
    assert made.complete
    assert numbers(made) == (434, 0, 11, 0, 423)
    assert classify(prepared, control).complete
    assert results_in(Path(job.output)) == results_in(finished)


def test_one_worker_gives_the_bytes_of_two(job: Job, finished: Path) -> None:
    with connect(LocalSpec("local"), 1) as alone:
        run(prepare(job), Control(lambda: alone))
    assert results_in(Path(job.output)) == results_in(finished)


def test_a_second_run_does_nothing_and_starts_no_cluster(job: Job, control: Control) -> None:
    prepared = prepare(job)
    run(prepared, control)
    before, files = results_in(Path(job.output)), started_files(Path(job.output))
    for verb in (run, build_mels, classify):
        ended = verb(prepared, Control(refuse))
        assert (ended.blocks, ended.complete) == (0, True)
    assert results_in(Path(job.output)) == before
    assert started_files(Path(job.output)) == files


def test_new_recordings_append_blocks_and_leave_earlier_files_alone(
    tmp_path: Path, tiny_bundle: Path, control: Control
) -> None:
    fill(tmp_path / "archive")
    job = job_of(tmp_path / "archive", tmp_path / "out", tiny_bundle)
    run(prepare(job), control)
    before, files = results_in(tmp_path / "out"), started_files(tmp_path / "out")
    write_wav(tmp_path / "archive/a new site/20240501_000000.wav", noise(1.2, TINY_RATE, 9), TINY_RATE)
    ended = run(prepare(job), control)
    assert (ended.blocks, numbers(ended)) == (1, (437, 426, 11, 0, 0))
    after = results_in(tmp_path / "out")
    grown = {key for key in before if after[key] != before[key]}
    assert {key.split("/", 2)[-1] for key in grown} == {"mels.zarr/mel/zarr.json"}
    assert {path: path.stat().st_mtime_ns for path in files} == files
    added = {key.split("/")[0] for key in after.keys() - before.keys()}
    assert added == {"recordings", "mels", "probabilities"}
    assert sum("block-000004" in key for key in after) == 2


def test_mels_of_new_recordings_are_made_before_they_are_scored(
    tmp_path: Path, tiny_bundle: Path, control: Control
) -> None:
    fill(tmp_path / "archive")
    job = job_of(tmp_path / "archive", tmp_path / "out", tiny_bundle)
    prepared = prepare(job)
    run(prepared, control)
    write_wav(tmp_path / "archive/moor/20240701_000000.wav", noise(1.2, TINY_RATE, 9), TINY_RATE)
    scan(job, control)
    ended = classify(prepared, Control(refuse))
    assert (ended.blocks, ended.complete, ended.accounting.mels.clips_pending) == (0, False, 3)
    assert build_mels(prepared, control).blocks == 1
    assert classify(prepared, control).complete


def test_another_model_on_the_same_mels_needs_no_recordings(
    tmp_path: Path, tiny_bundle: Path, control: Control
) -> None:
    fill(tmp_path / "archive")
    job = job_of(tmp_path / "archive", tmp_path / "out", tiny_bundle)
    run(prepare(job), control)
    before = results_in(tmp_path / "out")
    shutil.rmtree(tmp_path / "archive")
    write_tiny_bundle(tmp_path / "other", seed=1)
    ended = classify(prepare(replace(job, model=str(tmp_path / "other"))), control)
    assert (ended.complete, ended.blocks) == (True, 4)
    after = results_in(tmp_path / "out")
    assert {key: after[key] for key in before} == before
    (tiny,) = (path.name for path in (tmp_path / "out/probabilities").glob("model=tiny-*"))
    (other,) = (path.name for path in (tmp_path / "out/probabilities").glob("model=other-*"))
    pairs = [
        pq.read_table(tmp_path / "out/probabilities" / model, partitioning=None).sort_by("clip")
        for model in (tiny, other)
    ]
    assert pairs[0].column("clip").equals(pairs[1].column("clip"))
    assert not np.allclose(pairs[0].column("wren"), pairs[1].column("wren"), atol=0.01)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"overlap_s": 0.5}, "clip.hop_samples: 4000, not 800"),
        ({"dtype": "float16"}, "dtype: 'float16', not 'float32'"),
    ],
)
def test_mels_of_another_kind_are_not_scored(change: dict[str, Any], field: str, job: Job, finished: Path) -> None:
    other = prepare(replace(job, output=str(finished), **change))
    before = results_in(finished)
    with pytest.raises(ConfigError) as caught:
        classify(other, Control(refuse))
    assert field in str(caught.value)
    assert results_in(finished) == before


@pytest.mark.parametrize(
    ("verb", "problem"), [(classify, "there are no mels in"), (build_mels, "no file of .* was scanned into")]
)
def test_a_verb_out_of_turn_is_refused(verb: type, problem: str, job: Job) -> None:
    with pytest.raises(ConfigError, match=problem):
        verb(prepare(job), Control(refuse))


def test_mels_that_were_lost_are_made_again_by_the_next_run(job: Job, finished: Path, control: Control) -> None:
    prepared = prepare(job)
    scan(job, control)
    build_mels(prepared, control)
    (shard,) = Path(job.output).glob("mels/*/mels.zarr/mel/c/1/0/0/0")
    shard.unlink()
    ended = run(prepared, control)
    assert (ended.complete, ended.blocks, ended.failures) == (True, 4, {})
    assert results_in(Path(job.output)) == results_in(finished)


def test_lost_mels_are_reported_where_there_may_be_no_archive(job: Job, finished: Path, control: Control) -> None:
    prepared = prepare(job)
    scan(job, control)
    build_mels(prepared, control)
    (shard,) = Path(job.output).glob("mels/*/mels.zarr/mel/c/1/0/0/0")
    shard.unlink()
    ended = classify(prepared, control)
    assert (ended.complete, ended.blocks, list(ended.failures)) == (False, 3, [1])
    assert "is missing" in ended.failures[1]
    assert ended.accounting.mels.clips_pending == 191
    assert run(prepared, control).complete
    assert results_in(Path(job.output)) == results_in(finished)


def test_a_part_that_was_removed_is_written_again_from_the_mels(job: Job, finished: Path, control: Control) -> None:
    prepared = prepare(job)
    run(prepared, control)
    (part,) = Path(job.output).glob("probabilities/*/*/*/block-000001.parquet")
    part.unlink()
    left = started_files(Path(job.output))
    ended = run(prepared, control)
    assert (ended.complete, ended.blocks) == (True, 1)
    assert {path: path.stat().st_mtime_ns for path in left} == left
    assert results_in(Path(job.output)) == results_in(finished)


def test_a_clip_table_that_was_removed_is_made_again_in_spite_of_its_part(
    job: Job, finished: Path, control: Control
) -> None:
    prepared = prepare(job)
    run(prepared, control)
    (table,) = Path(job.output).glob("mels/*/clips/block-000001.parquet")
    table.unlink()
    ended = run(prepared, control)
    assert (ended.complete, ended.blocks) == (True, 1)
    assert results_in(Path(job.output)) == results_in(finished)


def test_status_and_intention_write_nothing(job: Job, finished: Path, control: Control) -> None:
    before = results_in(finished)
    done = prepare(replace(job, output=str(finished)))
    assert status(done).scores.complete
    assert intend(done, Control(refuse)).blocks_pending == 0
    assert results_in(finished) == before
    fresh = prepare(job)
    intention = intend(fresh, control)
    assert (intention.new_files, intention.blocks, intention.blocks_pending) == (6, 4, 4)
    assert intention.clips_by_site == {"marsh": 391, "moor": 32, "old mill": 11}
    assert {each.dtype: each.clip_bytes for each in intention.stored} == {
        "float32": 16 * 63 * 4,
        "float16": 16 * 63 * 2,
        "uint8": 16 * (63 + 8),
    }
    assert intention.store.clips_per_block == CLIPS_PER_BLOCK
    with pytest.raises(ConfigError, match="was scanned into"):
        status(fresh)
    assert not Path(job.output).exists()


def test_a_run_is_watched_from_its_beginning_to_its_end(job: Job, control: Control) -> None:
    events: list[Event] = []
    run(prepare(job), replace(control, watch=events.append))
    begun = [(event.activity, event.total, event.things) for event in events if isinstance(event, Begun)]
    assert begun == [("scan", None, "files"), ("run", 4, "blocks")]
    assert sum(event.count for event in events if isinstance(event, Advanced)) == 6 + 4
    assert sum(event.audio_s for event in events if isinstance(event, Advanced)) == 434
    assert not any(isinstance(event, BlockFailed) for event in events)


def test_each_verb_leaves_a_note(job: Job, control: Control) -> None:
    prepared = prepare(job)
    run(prepared, control)
    classify(prepared, Control(refuse))
    notes = [json.loads(path.read_text()) for path in sorted((Path(job.output) / "runs").glob("*.json"))]
    assert [(note["verb"], note["state"], note["activity"], note["done"]) for note in notes] == [
        ("run", "complete", "run", 4),
        ("classify", "complete", "", 0),
    ]
    assert notes[0]["job"]["overlap_s"] == OVERLAP_S
    assert notes[0]["model_fingerprint"] == prepared.card.fingerprint
    assert notes[0]["accounting"]["scores"]["clips_done"] == 423


def test_results_inside_the_archive_are_no_recordings(tmp_path: Path, tiny_bundle: Path, control: Control) -> None:
    write_wav(tmp_path / "marsh/20240601_050000.wav", noise(1, TINY_RATE), TINY_RATE)
    prepared = prepare(job_of(tmp_path, tmp_path / "out", tiny_bundle))
    assert run(prepared, control).accounting.recordings.found == 1
    assert run(prepared, Control(refuse)).accounting.recordings.found == 1


def test_an_archive_that_is_not_there_is_refused_before_anything_is_written(job: Job, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the archive .*/nowhere does not exist"):
        run(prepare(replace(job, archive=str(tmp_path / "nowhere"))), Control(refuse))
    assert list((tmp_path / "out").rglob("*.parquet")) == []


def test_an_archive_that_goes_away_during_a_scan_leaves_no_row(
    tmp_path: Path, tiny_bundle: Path, client: Client
) -> None:
    def unplug() -> Client:
        shutil.rmtree(tmp_path / "archive")
        return client

    fill(tmp_path / "archive")
    with pytest.raises(BirddaskError, match=r"the archive .* does not exist"):
        scan(job_of(tmp_path / "archive", tmp_path / "out", tiny_bundle), Control(functools.cache(unplug)))
    assert results_in(tmp_path / "out") == {}


def test_an_archive_that_goes_away_during_a_run_costs_no_clip(
    tmp_path: Path, tiny_bundle: Path, finished: Path, client: Client
) -> None:
    def unplug() -> Client:
        (tmp_path / "archive").rename(tmp_path / "unplugged")
        return client

    fill(tmp_path / "archive")
    job = job_of(tmp_path / "archive", tmp_path / "out", tiny_bundle)
    scan(job, Control(lambda: client))
    ended = run(prepare(job), Control(functools.cache(unplug)))
    assert (ended.complete, len(ended.failures), numbers(ended)) == (False, 4, (434, 0, 0, 0, 434))
    with pytest.raises(ConfigError, match=r"the archive .* does not exist"):
        build_mels(prepare(job), Control(refuse))
    (tmp_path / "unplugged").rename(tmp_path / "archive")
    assert run(prepare(job), Control(lambda: client)).complete
    assert results_in(tmp_path / "out") == results_in(finished)


def test_a_scan_that_breaks_off_writes_nothing(
    job: Job, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("the decoder broke")

    monkeypatch.setattr("birddask.scanning.inspecting._inspect_group", broken)
    with pytest.raises(BirddaskError, match=r"the scan stopped at .*\.wav on: RuntimeError: the decoder broke"):
        scan(job, Control(lambda: client))
    assert results_in(tmp_path / "out") == {}
