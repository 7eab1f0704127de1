from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from birddask.errors import ConfigError
from birddask.job import Job, read_job_file
from birddask.storage import Folder
from birddask.storage.options import redacted, resolve
from tests.support.models import TINY_RATE, tiny_card

Table = Literal["auto", "wide", "long"]
THREE_KEYS = "archive: sounds\noutput: results\nmodel: tiny\n"


def read(folder: Path, text: str) -> Job:
    file = folder / "job.yaml"
    file.write_text(text)
    return read_job_file(file)


def test_three_keys_make_a_job(tmp_path: Path) -> None:
    job = read(tmp_path, THREE_KEYS)
    assert job == Job(str(tmp_path / "sounds"), str(tmp_path / "results"), "tiny")
    assert job.fit(tiny_card()) == tiny_card()
    assert job.block_bytes == 64 * 1024 * 1024
    assert job.scan_rule().site_pattern == "{site}/..."
    assert job.scan_rule().assumed_offset_min == 0
    assert (job.table, job.floor) == ("auto", 0.01)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sounds", "jobs/sounds"),
        ("./sounds/", "jobs/sounds"),
        ("../sounds", "sounds"),
        ("deep/../sounds", "jobs/sounds"),
    ],
)
def test_relative_paths_are_taken_from_the_folder_of_the_file(
    written: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "jobs").mkdir()
    job = read(tmp_path / "jobs", f"archive: {written}\noutput: ../out\nmodel: ./bundles/tiny\n")
    assert job.archive_folder.url == str(tmp_path / meant)
    assert job.output == str(tmp_path / "out")
    assert job.model == str(tmp_path / "jobs/bundles/tiny")


def test_urls_absolute_paths_and_the_home_folder_stand_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ringer")
    job = read(tmp_path, "archive: s3://bucket/sounds\noutput: ~/results\nmodel: /models/tiny\n")
    assert job.archive_folder.url == "s3://bucket/sounds"
    assert job.output_folder.url == "/home/ringer/results"
    assert job.model == "/models/tiny"


@pytest.mark.parametrize("overlap_s", [0.0, 0.25, 0.5, 1 - 1 / TINY_RATE])
def test_overlap_shortens_the_hop_alone(overlap_s: float) -> None:
    clip = Job("a", "b", "m", overlap_s=overlap_s).fit(tiny_card()).mels.clip
    assert clip.length_samples == TINY_RATE
    assert clip.hop_samples == TINY_RATE - overlap_s * TINY_RATE


@pytest.mark.parametrize("overlap_s", [-0.001, 1.0, 0.99999, 3.0])
def test_overlap_must_leave_a_hop(overlap_s: float) -> None:
    with pytest.raises(ConfigError, match=r"`overlap_s` is .*, it must be from 0 up to the clip's 1 s"):
        Job("a", "b", "m", overlap_s=overlap_s).fit(tiny_card())


def test_another_overlap_or_dtype_is_another_spec() -> None:
    card = tiny_card()
    jobs = [
        Job("a", "b", "m"),
        Job("a", "b", "m", overlap_s=0.0),
        Job("a", "b", "m", overlap_s=0.5),
        Job("a", "b", "m", dtype="float16"),
    ]
    own, same, overlapping, halved = (job.fit(card).mels.fingerprint for job in jobs)
    assert own == same
    assert len({own, overlapping, halved}) == 3


def test_another_precision_is_another_result_on_the_same_mels() -> None:
    card = tiny_card()
    own, same, coarse = (
        Job("a", "b", "m", precision=precision).fit(card) for precision in (None, "float32", "bfloat16")
    )
    assert own == same
    assert coarse.mels == own.mels
    assert coarse.fingerprint != own.fingerprint


@pytest.mark.parametrize(
    ("offset", "hours"),
    [
        ("+00:00", 0.0),
        ("+05:30", 5.5),
        ("-03:00", -3.0),
        ("+9:30", 9.5),
        ("-00:30", -0.5),
        ("+14:00", 14.0),
        ("+10:00", 10.0),
    ],
)
def test_utc_offset_counts_from_utc(offset: str, hours: float, tmp_path: Path) -> None:
    assert Job("a", "b", "m", utc_offset=offset).scan_rule().assumed_offset_min == hours * 60
    assert read(tmp_path, f"{THREE_KEYS}utc_offset: {offset}\n").scan_rule().assumed_offset_min == hours * 60


@pytest.mark.parametrize(
    "offset", ["", "5:30", "+5", "+5:3", "+0530", "+15:00", "+05:60", "+99:00", "Z", " +05:00", "+05:00 "]
)
def test_utc_offset_of_another_form_is_refused(offset: str) -> None:
    with pytest.raises(ConfigError, match="`utc_offset` is"):
        Job("a", "b", "m", utc_offset=offset)


@pytest.mark.parametrize(
    ("table", "labels", "kind", "floor"),
    [
        ("auto", 512, "wide", 0.0),
        ("auto", 513, "long", 0.2),
        ("wide", 6522, "wide", 0.0),
        ("long", 2, "long", 0.2),
    ],
)
def test_many_labels_make_a_long_table(table: Table, labels: int, kind: str, floor: float) -> None:
    layout = Job("a", "b", "m", table=table, floor=0.2).layout(labels)
    assert (layout.kind, layout.floor) == (kind, floor)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("floor: 1.0", "`floor` is 1.0"),
        ("floor: -0.1", "`floor` is -0.1"),
        ("block_mib: 0", "`block_mib` is 0"),
        ("block_mib: .inf", "`block_mib`: Input should be a finite number"),
        ("overlap_s: .nan", "`overlap_s`: Input should be a finite number"),
        ("site: recordings/...", "has no {site}"),
        ("table: broad", "`table`: Input should be 'auto', 'wide' or 'long'"),
        ("dtype: float64", "`dtype`: Input should be 'uint8', 'float16' or 'float32'"),
        ("flor: 0.1", "unknown key `flor`; did you mean `floor`?"),
    ],
)
def test_a_wrong_value_is_named_with_its_file(line: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"{THREE_KEYS}{line}\n")
    assert problem in str(caught.value)
    assert str(tmp_path / "job.yaml") in str(caught.value)


@pytest.mark.parametrize("output", ["sounds", "./sounds/", "../{name}/sounds"])
def test_results_must_not_lie_among_the_recordings_themselves(output: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="results must go to another folder"):
        read(tmp_path, f"archive: sounds\noutput: {output.format(name=tmp_path.name)}\nmodel: tiny\n")


def test_a_job_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml can't be read: there is no such file"):
        read_job_file(tmp_path / "missing.yaml")


def test_a_clock_that_was_wrong_is_corrected_by_what_it_showed(tmp_path: Path) -> None:
    clocks = """clocks:
  - {clock: 1970-01-01T00:00:07Z, truth: "2025-05-03T06:00:07+02:00", folder: ridge/card 2/}
  - {clock: 2025-05-03T05:00:00Z, truth: 2025-05-03T04:00:00Z, site: marsh}
"""
    unset, late = read(tmp_path, THREE_KEYS + clocks).scan_rule().shifts
    assert (unset.site, unset.folder, unset.unset) == (None, "ridge/card 2", True)
    assert unset.shift_us == datetime(2025, 5, 3, 4, tzinfo=UTC).timestamp() * 1e6
    assert (late.site, late.folder, late.unset, late.shift_us) == ("marsh", "", False, -3600e6)


def test_a_clock_without_its_offset_is_refused(tmp_path: Path) -> None:
    clocks = "clocks: [{clock: 1970-01-01T00:00:07, truth: 2025-05-03T04:00:07Z}]\n"
    with pytest.raises(ConfigError, match="with an offset"):
        read(tmp_path, THREE_KEYS + clocks)


def test_a_job_file_in_a_bucket_means_places_beside_it(tmp_path: Path) -> None:
    folder = f"memory://{tmp_path.name}/jobs"
    text = b"archive: ../cards\noutput: /data/out\nmodel: ./model\n"
    Folder(folder).publish("dawn.yaml", text)
    job = read_job_file(f"{folder}/dawn.yaml")
    assert (job.archive, job.output, job.model) == (f"memory://{tmp_path.name}/cards", "/data/out", f"{folder}/model")


SECRET = "birds sing at dawn"  # noqa: S105


def test_a_secret_travels_as_the_name_of_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_PASSWORD", SECRET)
    options = 'storage_options: {archive: {username: wren, password: "${NAS_PASSWORD}", port: 22}}\n'
    job = read(tmp_path, THREE_KEYS + options)
    travels = pickle.dumps((job, job.archive_folder)).decode("latin-1") + repr((job, job.archive_folder))
    assert SECRET not in travels
    assert "NAS_PASSWORD" in travels
    assert resolve(job.archive_folder.child("below").options) == {"username": "wren", "password": SECRET, "port": 22}
    assert (
        redacted(f"no entry for wren with {SECRET}", job.archive_folder.options)
        == "no entry for wren with ${NAS_PASSWORD}"
    )


@pytest.mark.parametrize(
    "options", ["{archive: {secret: abc}}", "{output: {client_kwargs: {aws_secret_access_key: a}}}"]
)
def test_a_secret_that_is_written_out_is_refused(tmp_path: Path, options: str) -> None:
    with pytest.raises(ConfigError, match=r"must not be written out.*\$\{NAME"):
        read(tmp_path, f"{THREE_KEYS}storage_options: {options}\n")


@pytest.mark.parametrize(
    "url",
    [
        f"sftp://wren:{SECRET}@nas/cards",
        f"sftp://wren:{SECRET}@[::1]/cards",
        f"simplecache::sftp://wren:{SECRET}@nas/cards",
        f"zip://cards.zip::https://wren:{SECRET}@nas/cards.zip",
    ],
)
def test_a_password_in_a_url_is_refused_without_being_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the URL of (nas|\[::1\]) holds a password") as caught:
        Job(url, str(tmp_path), "m")
    assert SECRET not in str(caught.value)


def test_the_home_of_nobody_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="~nobody-of-that-name/cards can't be used"):
        Job("~nobody-of-that-name/cards", str(tmp_path), "m")


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    job = read(tmp_path, THREE_KEYS + 'storage_options: {archive: {password: "${NOT_SET_ANYWHERE}"}}\n')
    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE is not set"):
        job.archive_folder.exists()
