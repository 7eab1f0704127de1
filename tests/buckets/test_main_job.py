"""The main job with archive and output on servers: run, kill, resume, classify again, status."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from birddask import open_mels, open_probabilities
from tests.buckets.places import SITES, Place, archive_files, job_on, place_of
from tests.support.models import write_tiny_bundle
from tests.support.program import birddask, start
from tests.support.servers import NasServer


def finished(ran: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def test_a_job_in_a_bucket_does_all_that_it_does_on_a_disk(
    bucket: Place, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    archive, output = bucket.below("cards"), bucket.below("results")
    archive.put(archive_files())
    job = job_on(tmp_path, archive, output, tiny_bundle)
    dry = finished(birddask("run", job, "--dry-run"))
    assert f"{SITES * 3} usable" in dry.stdout
    assert output.count("") == 0
    ran = finished(birddask("run", job))
    assert "20 found = 18 usable" in ran.stdout
    assert output.blocks() == undisturbed
    assert "nothing is left to do" in finished(birddask("run", job)).stdout

    # Again with another model on the same mels, without the archive.
    for file in list(archive.folder.files()):
        archive.folder.remove(file.key)
    other = tmp_path / "models/other"
    write_tiny_bundle(other, seed=1)
    finished(birddask("classify", job, "--model", other))
    status = json.loads(finished(birddask("status", job, "--model", other, "--json")).stdout)
    assert status["recordings"]["quarantine_reasons"] == {"empty": 1}
    assert status["scores"]["clips_done"] == SITES * 18
    (first, second) = sorted({key.split("/")[1] for key in output.blocks() if key.startswith("probabilities/")})
    for model in (first, second):
        name = model.removeprefix("model=")
        table = open_probabilities(output.url, name, output.options).to_table()
        assert table.num_rows == SITES * 18
    assert open_mels(output.url, storage_options=output.options).mel.isel(clip=0).notnull().all()


def test_no_secret_is_written_or_shown(
    bucket: Place, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, output = bucket.below("cards"), bucket.below("results")
    archive.put(dict(list(archive_files().items())[:2]))
    job = job_on(tmp_path, archive, output, tiny_bundle)
    seen = [finished(birddask(*verb)) for verb in (["run", job], ["run", job, "--dry-run"], ["status", job])]
    # A secret that is refused is no better to be seen.
    monkeypatch.setenv("BIRDDASK_TEST_KEY", archive.secrets[1])
    seen.append(birddask("run", job))
    assert seen[-1].returncode == 2
    monkeypatch.setenv("BIRDDASK_TEST_KEY", archive.secrets[0])
    shown = "".join(ran.stdout + ran.stderr for ran in seen)
    written = b"".join(output.folder.read(file.key) for file in output.folder.files())
    for secret in archive.secrets:
        assert secret not in shown
        assert secret.encode() not in written
    assert len(archive.secrets) == 2


MOMENTS: dict[str, Callable[[Place], bool]] = {
    "after the scan": lambda output: output.count("recordings/scan-") > 0,
    "at the first shard": lambda output: output.count("/c/") > 0,
    "at the first part": lambda output: output.count("probabilities/") > 0,
    "at half of the parts": lambda output: output.count("probabilities/") > SITES * 3 // 2,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_is_finished_by_the_next(
    moment: str, bucket: Place, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    archive, output = bucket.below("cards"), bucket.below("results")
    archive.put(archive_files())
    job = job_on(tmp_path, archive, output, tiny_bundle)
    process = start("run", job)
    while process.poll() is None and not MOMENTS[moment](output):
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    finished(birddask("run", job))
    assert output.blocks() == undisturbed


def test_two_drivers_on_one_output_do_no_harm(
    bucket: Place, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    archive, output = bucket.below("cards"), bucket.below("results")
    archive.put(archive_files())
    job = job_on(tmp_path, archive, output, tiny_bundle)
    for process in [start("run", job), start("run", job)]:
        out, err = process.communicate(timeout=240)
        assert process.returncode in (0, 1), out + err
        assert "Traceback" not in err
    assert "nothing is left to do" in finished(birddask("run", job)).stdout
    assert output.blocks() == undisturbed


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"secret": "${BIRDDASK_TEST_WRONG}"}, "can't be"),
        ({"endpoint_url": "http://127.0.0.1:9"}, "can't be reached"),
        ({"secret": "written out"}, "must not be written out"),
        ({"secret": "${BIRDDASK_TEST_NOT_SET}"}, "BIRDDASK_TEST_NOT_SET is not set"),
        ({"sekret": "x"}, "sekret"),
    ],
)
def test_a_bucket_that_can_not_be_used_is_one_clear_message(
    wrong: dict[str, str],
    said: str,
    bucket: Place,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BIRDDASK_TEST_WRONG", "0123456789abcdef")
    bucket.put({"cards/x.wav": b""})
    archive = bucket.below("cards")
    job = job_on(tmp_path, Place(archive.url, {**archive.options, **wrong}, ()), bucket.below("out"), tiny_bundle)
    ran = birddask("run", job)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_recordings_on_an_sftp_server_are_scored_into_a_bucket(
    sftp: NasServer,
    bucket: Place,
    tiny_bundle: Path,
    undisturbed: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive, output = place_of(sftp, monkeypatch).below(uuid.uuid4().hex), bucket.below("results")
    archive.put(archive_files())
    finished(birddask("run", job_on(tmp_path, archive, output, tiny_bundle)))
    assert output.blocks() == undisturbed


def test_recordings_on_an_smb_share_are_scored_onto_a_disk(
    smb: NasServer, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, output = place_of(smb, monkeypatch).below(uuid.uuid4().hex), Place(str(tmp_path / "out"), {}, ())
    archive.put(archive_files())
    finished(birddask("run", job_on(tmp_path, archive, output, tiny_bundle)))
    assert output.blocks() == undisturbed


@pytest.mark.parametrize("kind", ["sftp", "smb"])
def test_results_can_lie_on_a_nas(
    kind: str,
    request: pytest.FixtureRequest,
    tiny_bundle: Path,
    undisturbed: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nas = place_of(request.getfixturevalue(kind), monkeypatch).below(uuid.uuid4().hex)
    archive, output = Place(str(tmp_path / "archive"), {}, ()), nas.below("results")
    archive.put(archive_files())
    job = job_on(tmp_path, archive, output, tiny_bundle)
    finished(birddask("run", job))
    assert output.blocks() == undisturbed
    # Written again over what is there: a rename that replaces nothing must not be in the way.
    finished(birddask("run", job, "--refresh"))
    shutil.rmtree(tmp_path / "archive")
    assert "18 scored" not in finished(birddask("status", job)).stderr
