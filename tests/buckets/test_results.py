"""Results in a bucket or on a NAS, read there and written there, are what they are on a disk."""

from __future__ import annotations

import dataclasses
import re
import uuid
from pathlib import Path

import pytest

from birddask.review.answers import Answer, Session, read_answers
from birddask.review.sample import Drawn
from birddask.storage import Folder, spooled
from tests.buckets.places import Place, place_of
from tests.support.outputs import made_up, recording
from tests.support.program import birddask, write_job

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
