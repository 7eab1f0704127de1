"""Results in a bucket or on a NAS, read there and written there, are what they are on a disk."""

from __future__ import annotations

import dataclasses
import re
import uuid
from pathlib import Path

import numpy as np
import pytest

from birddask.access import open_mels
from birddask.errors import MelsLost
from birddask.review.answers import Answer, Session, read_answers
from birddask.review.sample import Drawn
from birddask.storage import Folder, spooled
from tests.buckets.places import Place, place_of
from tests.support.models import TINY_RATE
from tests.support.outputs import made_up, recording
from tests.support.program import birddask, write_job
from tests.support.sounds import noise, write_wav

SITES = ("marsh", "=moor & \u00e9")


@pytest.fixture(params=["s3", "sftp", "smb"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    return place_of(request.getfixturevalue(request.param), monkeypatch).below(uuid.uuid4().hex)


def content(folder: Folder) -> dict[str, bytes]:
    return {file.key: folder.read(file.key) for file in folder.files()}


def test_detections_effort_and_exports_are_those_of_a_disk(place: Place, tmp_path: Path) -> None:
    recordings = [recording(f"{site}/{number}.wav", 4) for site in SITES for number in range(3)]
    on_disk = made_up(tmp_path / "out", recordings, ("Turdus merula_Blackbird", "owl"))
    on_disk.fill()
    dataclasses.replace(on_disk, folder=place.below("results").folder).fill()
    options = {"output": dict(place.options), "export": dict(place.options)}
    local = write_job(tmp_path / "local.yaml", "/archive", tmp_path / "out", "tiny")
    remote = write_job(
        tmp_path / "remote.yaml", "/archive", place.below("results").url, "tiny", storage_options=options
    )
    for job, written in ((local, str(tmp_path / "written")), (remote, place.below("written").url)):
        for arguments in (
            ("detections", job, "--threshold", "0.3", "--output", f"{written}/heard.csv"),
            ("detections", job, "--format", "parquet", "--merge", "--output", f"{written}/heard.parquet"),
            ("detections", job, "--format", "raven", "--output", f"{written}/raven"),
            ("effort", job, "--output", f"{written}/effort.csv"),
            ("export", job, "--format", "ndjson", "--to", f"{written}/handed"),
        ):
            done = birddask(*arguments)
            assert done.returncode == 0, done.stderr
            assert not any(secret in done.stdout + done.stderr for secret in place.secrets)
    expected = content(Folder(str(tmp_path / "written")))
    tops = {key.split("/")[0] for key in expected}
    assert tops >= {"heard.csv", "heard.parquet", "raven", "effort.csv", "handed", "heard.csv.about.json"}
    assert content(place.below("written").folder) == expected


def test_answers_of_a_review(place: Place) -> None:
    drawn = Drawn("owl", "=moor & \u00e9", "=moor & \u00e9/1.wav", 4, 9, 10, 5, 1.0, 0.9, 1.0, 90, 3)
    session = Session(place.folder)
    given = [Answer(drawn, verdict, None, "Ann", number, "tiny-1") for number, verdict in enumerate(("yes", "no"))]
    for each in given:
        session.add(each)
    assert read_answers(place.folder, "tiny-1") == given
    assert len(list(place.folder.files("annotations"))) == 1


def test_pages_and_pictures_are_those_of_a_disk(place: Place, tmp_path: Path) -> None:
    recordings = [recording(f"{site}/1.wav", 4) for site in SITES]
    on_disk = made_up(tmp_path / "out", recordings, ("Turdus merula_Blackbird", "owl"), clips_per_block=260)
    options = {"output": dict(place.options), "export": dict(place.options)}
    local = write_job(tmp_path / "local.yaml", tmp_path / "none", tmp_path / "out", "tiny")
    remote = write_job(
        tmp_path / "remote.yaml", tmp_path / "none", place.below("results").url, "tiny", storage_options=options
    )
    for output in (on_disk, dataclasses.replace(on_disk, folder=place.below("results").folder)):
        output.fill()
        output.draw()
    for job, written in ((local, str(tmp_path / "written")), (remote, place.below("written").url)):
        for arguments in (
            ("report", job, f"{written}/heard.html"),
            ("show", job, "marsh/1.wav", "--at", "2", "--output", f"{written}/clip.png"),
        ):
            done = birddask(*arguments)
            assert done.returncode == 0, done.stderr
            assert not any(secret in done.stdout + done.stderr for secret in place.secrets)
    expected, found = content(Folder(str(tmp_path / "written"))), content(place.below("written").folder)
    assert found.keys() == expected.keys()
    assert found["clip.png"] == expected["clip.png"]
    made = re.compile(rb"on [0-9-]{10} [0-9:]{5} UTC")
    assert made.sub(b"", found["heard.html"]) == made.sub(b"", expected["heard.html"])
    assert expected["heard.html"].count(b"data:image/webp") == 4


def test_a_large_file_is_uploaded_whole_or_not_at_all(place: Place) -> None:
    piece = bytes(range(256)) * 4096
    folder = place.folder

    def write(pieces: int, *, fail: bool) -> None:
        with spooled(folder, "large.bin") as stream:
            for _ in range(pieces):
                stream.write(piece)
            if fail:
                raise KeyboardInterrupt

    write(60, fail=False)
    assert folder.size_bytes("large.bin") == 60 * len(piece)
    assert folder.read_range("large.bin", 59 * len(piece), 60 * len(piece)) == piece
    with pytest.raises(KeyboardInterrupt):
        write(70, fail=True)
    write(2, fail=False)
    assert folder.read("large.bin") == 2 * piece
    assert place.count("") == 1


def test_mels_are_those_of_a_disk_without_a_shard_where_all_is_silent_and_an_error_where_one_is_lost(
    place: Place, tiny_bundle: Path, tmp_path: Path
) -> None:
    write_wav(tmp_path / "archive/marsh/1.wav", noise(2, TINY_RATE, 1), TINY_RATE)
    write_wav(tmp_path / "archive/moor/1.wav", np.zeros(2 * TINY_RATE, np.int16), TINY_RATE)
    done = birddask("run", write_job(tmp_path / "job.yaml", tmp_path / "archive", tmp_path / "out", tiny_bundle))
    assert done.returncode == 0, done.stderr
    place.put(content(Folder(str(tmp_path / "out"))))
    here, there = open_mels(str(tmp_path / "out")), open_mels(place.url, storage_options=place.options)
    assert there["status"].values.tolist() == ["ok", "ok", "silent", "silent"]
    np.testing.assert_array_equal(there["mel"].values, here["mel"].values)
    for key in [file.key for file in place.folder.files("mels") if "/c/" in file.key]:
        place.folder.remove(key)
    with pytest.raises(MelsLost, match=r"the shard c/0/0/0/0 is missing"):
        there["mel"].compute()
