"""Blocks are handed over whole, once, in spite of faults, and while a run goes on."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from birddask.detections.rules import Rules, one_threshold
from birddask.errors import ConfigError, StorageError, TransientStorageError
from birddask.formats import find_format
from birddask.handover import deliver as delivering
from birddask.handover import http_endpoint
from birddask.handover.deliver import Delivered, deliver, receiver_at
from birddask.job import Job
from birddask.models.ready import BundleRef
from birddask.storage import Folder, to_options
from birddask.verbs.notes import noted
from birddask.verbs.prepared import Prepared
from tests.support.endpoint import Endpoint, endpoint
from tests.support.outputs import MadeUp, made_up, recording
from tests.support.program import birddask_here, start, write_job
from tests.support.sounds import noise, write_wav

LABELS = ("Turdus merula_Blackbird", "rain", "owl")
RULES = Rules(one_threshold(0.5))


@pytest.fixture
def output(tmp_path: Path) -> MadeUp:
    """Ten blocks at two sites."""
    recordings = [recording(f"{site}/{number}.wav", 4) for site in ("a", "b") for number in range(5)]
    return made_up(tmp_path / "out", recordings, LABELS)


@pytest.fixture
def job(output: MadeUp, tmp_path: Path) -> Job:
    return Job(str(tmp_path / "archive"), output.folder.url, "tiny")


@pytest.fixture
def receiving() -> Iterator[Endpoint]:
    with endpoint() as state:
        yield state


def hand_over(job: Job, place: str, options: str = "", rules: Rules = RULES) -> list[Delivered]:
    with receiver_at(place, options, find_format("parquet")) as receiver:
        return list(deliver(job, None, rules, receiver, following=False))


def expected(output: MadeUp) -> set[tuple[str, int, str, float]]:
    return {
        (path, clip * 1_000_000, label, float(value))
        for path, scores in output.scores.items()
        for clip, values in enumerate(scores)
        for label, value in zip(LABELS, values, strict=True)
        if value >= 0.5
    }


def received(state: Endpoint) -> list[tuple[str, int, str, float]]:
    rows = [json.loads(line) for body in state.taken.values() for line in body.decode().splitlines()]
    return [(row["recording"], row["start_us"], row["label"], float(np.float32(row["probability"]))) for row in rows]


def test_every_block_arrives_once_in_spite_of_faults(output: MadeUp, job: Job, receiving: Endpoint) -> None:
    output.fill()
    receiving.mishaps = ["busy", "cut after", "too many", "cut before", "none", "cut after", "busy", "busy"]
    (delivered,) = hand_over(job, receiving.url)
    assert delivered == Delivered(10, len(expected(output)))
    assert sorted(received(receiving)) == sorted(expected(output))
    assert len(receiving.taken) == 10
    assert len(receiving.requests) == 17
    keys = [key for key, _ in receiving.requests]

    # Again: the same keys, in the same order.
    assert hand_over(job, receiving.url) == [delivered]
    assert list(dict.fromkeys(keys)) == [key for key, _ in receiving.requests[17:]]
    assert len(receiving.taken) == 10
    # By another rule they are other requests.
    hand_over(job, receiving.url, rules=Rules(one_threshold(0.9)))
    assert len(receiving.taken) == 20


def test_a_block_without_detections_is_sent_too(output: MadeUp, job: Job, receiving: Endpoint) -> None:
    output.fill()
    assert hand_over(job, receiving.url, rules=Rules(one_threshold(1.0))) == [Delivered(10, 0)]
    assert set(receiving.taken.values()) == {b""}
    assert len(receiving.taken) == 10


def test_the_token_comes_from_the_environment(
    output: MadeUp, job: Job, receiving: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    output.fill()
    monkeypatch.setenv("REEF_TOKEN", "s3cr3t-of-reef")
    options = to_options({"token": "${REEF_TOKEN}"}, "test")
    hand_over(job, receiving.url, options)
    assert {authorization for _, authorization in receiving.requests} == {"Bearer s3cr3t-of-reef"}
    with pytest.raises(ConfigError, match="only `token`, not endpoint_url"):
        hand_over(job, receiving.url, to_options({"endpoint_url": "x"}, "test"))


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ((401, {}), "refuses: 401 Unauthorized: not like this"),
        ((422, {}), "refuses: 422"),
        ((307, {"Location": "http://elsewhere.example/x"}), "is at http://elsewhere.example/x now"),
        ((301, {"Location": "/other"}), "is at /other now"),
    ],
)
def test_an_endpoint_that_refuses_is_not_asked_again(
    refusal: tuple[int, dict[str, str]], said: str, output: MadeUp, job: Job, receiving: Endpoint
) -> None:
    output.fill()
    receiving.refusal = refusal
    with pytest.raises(StorageError) as raised:
        hand_over(job, receiving.url)
    assert said in str(raised.value)
    assert len(receiving.requests) == 1


def test_an_endpoint_that_stays_away(
    output: MadeUp, job: Job, receiving: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    output.fill()
    monkeypatch.setattr(http_endpoint, "_PATIENCE_S", 0.5)
    receiving.refusal = (503, {})
    with pytest.raises(TransientStorageError, match="503"):
        hand_over(job, receiving.url)
    assert len(receiving.requests) > 1


def stored(path: Path) -> set[tuple[str, int, str, float]]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT recording, start_us, label, probability FROM detections").fetchall()
    database.close()
    assert len(rows) == len(set(rows))
    return set(rows)


def test_a_sqlite_file_grows_block_by_block_and_takes_none_twice(output: MadeUp, job: Job, tmp_path: Path) -> None:
    path = tmp_path / "new/heard.sqlite"
    output.scan()
    first, *others = output.blocks()
    output.make(first)
    output.score(first)
    assert [each.blocks for each in hand_over(job, str(path))] == [1]
    part = stored(path)
    for block in others:
        output.score(block)
    assert [each.blocks for each in hand_over(job, str(path))] == [10]
    assert part < stored(path) == expected(output)
    hand_over(job, str(path))
    assert stored(path) == expected(output)

    database = sqlite3.connect(path)
    joined = "SELECT site, count(*) FROM recordings JOIN detections USING (recording) GROUP BY site ORDER BY site"
    assert [site for site, _ in database.execute(joined)] == ["a", "b"]
    assert database.execute("SELECT count(*) FROM recordings").fetchone() == (10,)
    assert database.execute("SELECT count(*) FROM blocks").fetchone() == (10,)
    database.close()

    # A block that was made anew, of which less is left.
    replace(output, scores={path: scores * np.float32(0.9) for path, scores in output.scores.items()}).score(first)
    hand_over(job, str(path))
    assert len(stored(path)) < len(expected(output))


def test_a_sqlite_file_after_a_kill_at_any_moment(output: MadeUp, job: Job, tmp_path: Path) -> None:
    output.fill()
    job_file = write_job(tmp_path / "job.yaml", job.archive, job.output, job.model)
    path = tmp_path / "heard.sqlite"
    arguments = ("export", job_file, "--to", path, "--threshold", "0.5")
    process = start(*arguments)
    deadline_s = time.monotonic() + 60
    while not path.exists() or not blocks_in(path):
        assert process.poll() is None or path.exists()
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = {output.recordings[number].recording.path for number in blocks_in(path)}
    assert stored(path) == {row for row in expected(output) if row[0] in done}
    again = birddask_here(*arguments)
    assert again.returncode == 0, again.stderr
    assert stored(path) == expected(output)


def blocks_in(path: Path) -> list[int]:
    """The blocks of a file that another process may be writing; each of them is one recording."""
    database = sqlite3.connect(path)
    try:
        return [block for (block,) in database.execute("SELECT block FROM blocks")]
    except sqlite3.OperationalError:
        return []
    finally:
        database.close()


def test_what_is_no_sqlite_file_is_left_alone(output: MadeUp, job: Job, tmp_path: Path) -> None:
    output.fill()
    path = tmp_path / "notes.db"
    path.write_text("three owls, one of them tawny" * 50)
    with pytest.raises(ConfigError, match="not a database"):
        hand_over(job, str(path))
    assert path.read_text().startswith("three owls")
    with pytest.raises(ConfigError, match="must lie on this machine"):
        hand_over(job, "s3://bucket/heard.sqlite")


def test_a_folder_gets_a_file_a_block(output: MadeUp, job: Job, tmp_path: Path) -> None:
    output.fill()
    for _ in range(2):
        (delivered,) = hand_over(job, str(tmp_path / "handed"))
        assert delivered.blocks == 10
    files = sorted((tmp_path / "handed").rglob("*.parquet"))
    assert [path.name for path in files] == [f"block-{number:06d}.parquet" for number in range(10)]
    rows = [row for path in files for row in parquet.ParquetFile(path).read(use_threads=False).to_pylist()]
    found = [(row["recording"], row["start_us"], row["label"], row["probability"]) for row in rows]
    assert sorted(found) == sorted(expected(output))
    with pytest.raises(ConfigError, match="birddask detections"), receiver_at("x", "", find_format("raven")):
        pass


def test_each_block_is_handed_over_while_a_run_goes_on(
    output: MadeUp, job: Job, receiving: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "_LOOK_EVERY_S", 0.01)
    prepared = Prepared(job, output.results.card, BundleRef(Folder("/no bundle"), ""), output.results)
    first, second, *others = output.blocks()
    output.scan()
    with noted("run", prepared) as notebook, receiver_at(receiving.url, "", find_format("parquet")) as receiver:
        looks = deliver(job, None, RULES, receiver, following=True)
        # It waits for the first one, too, and takes a block again that is made anew.
        for block in (first, second, first):
            output.score(block)
            assert next(looks).blocks == 1
        for block in others:
            output.score(block)
        notebook.close("complete")
        assert sum(each.blocks for each in looks) == len(others)
    assert sorted(received(receiving)) == sorted(expected(output))


def test_without_a_run_following_ends_at_once(output: MadeUp, job: Job, receiving: Endpoint) -> None:
    with receiver_at(receiving.url, "", find_format("parquet")) as receiver:
        with pytest.raises(ConfigError, match="no probabilities"):
            list(deliver(job, None, RULES, receiver, following=True))
        output.fill()
        assert [each.blocks for each in deliver(job, None, RULES, receiver, following=True)] == [10]


def test_a_program_follows_a_real_run(tiny_bundle: Path, tmp_path: Path) -> None:
    for number in range(6):
        write_wav(tmp_path / f"archive/site{number}/20250501_040000.WAV", noise(20, 8000, number), 8000)
    job = write_job(tmp_path / "job.yaml", tmp_path / "archive", tmp_path / "out", tiny_bundle, block_mib=0.02)
    run = start("run", job, "--workers", "1")
    notes = tmp_path / "out/runs"
    deadline_s = time.monotonic() + 120
    while not notes.is_dir() or not any(notes.glob("*.json")):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    followed = birddask_here("export", job, "--to", tmp_path / "heard.sqlite", "--threshold", "0", "--follow")
    assert followed.returncode == 0, followed.stderr
    _, complaints = run.communicate(timeout=120)
    assert run.returncode == 0, complaints
    assert len(stored(tmp_path / "heard.sqlite")) == 6 * 20 * 5
