"""Files, folders and labels whose names were made to break what shows or writes them: everything else is as ever."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from birddask.models.library import seal_bundle
from birddask.storage import Folder
from tests.support.models import TINY_RATE, linear_network, tiny_card, write_unsealed_bundle
from tests.support.program import birddask_here, write_job
from tests.support.sounds import noise, write_wav

STEERING = "\x1b]0;owned\x07\x1b[2J\r"
BACKWARDS = "\u202egnp"
RECORDINGS = (
    f"{STEERING}site/{STEERING}.wav",
    "-rf/--help.wav",
    "site../x...wav",
    f"{BACKWARDS}/=cmd|' /C calc'!A0.wav",
    "line\nsite/error: line\ndone.wav",
    f"{'long' * 60}/{'name' * 60}.wav",
    "$(touch owned)/`touch owned`;touch owned;.wav",
    "%2e%2e%2fsite/month=2024-01.wav",
)
LABELS = (f"{STEERING.strip()}owl", "../../owl", "=1+1", "<b>owl</b>", BACKWARDS, "[red]owl[/red]", "${HOME}")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job on such an archive, with such a model."""
    folder = tmp_path_factory.mktemp("hostile")
    bundle = folder / "model"
    write_unsealed_bundle(bundle, tiny_card(), LABELS, linear_network(len(LABELS), tiny_card().mels.shape))
    seal_bundle(Folder(str(bundle)))
    for number, name in enumerate(RECORDINGS):
        write_wav(folder / "archive" / name, noise(2, TINY_RATE, number), TINY_RATE)
    (folder / "archive" / f"{STEERING}site/damaged{STEERING}.wav").write_bytes(b"RIFF")
    return write_job(folder / "job.yaml", folder / "archive", folder / "out", bundle)


def said(*arguments: str | Path, ends: int = 0) -> str:
    """What a command writes into a terminal: nothing but lines of letters that can be seen."""
    done = birddask_here(*arguments)
    text = done.stdout + done.stderr
    assert done.returncode == ends, text
    assert "Traceback" not in text
    assert all(line.isprintable() for line in text.split("\n")), text.encode("unicode_escape")
    return text


def test_no_name_steers_the_terminal_or_leaves_the_output(job: Path, no_workers: Path, tmp_path: Path) -> None:
    cluster = ("--cluster", no_workers)
    assert f"{len(RECORDINGS)} usable" in said("scan", job, *cluster)
    assert "plan: 16 clips" in said("run", job, "--dry-run", *cluster)
    assert "16 clips planned = 16 scored" in said("run", job, *cluster)
    said("status", job)
    assert "scored_h" in said("effort", job)
    said("effort", job, "--output", tmp_path / "effort.csv")
    said("show", job, RECORDINGS[0], "--at", "99:00:00", ends=2)
    for name in ("csv", "raven", "audacity", "darwin-core"):
        said("detections", job, "--threshold", "0", "--format", name, "--output", tmp_path / "heard" / name)
    said("report", job, tmp_path / "page.html", "--threshold", "0")

    assert sorted(path.name for path in job.parent.iterdir()) == ["archive", "job.yaml", "model", "out"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["effort.csv", "heard", "page.html"]
    assert len(list((tmp_path / "heard/raven").rglob("*.txt"))) == len(RECORDINGS)
    page = (tmp_path / "page.html").read_text()
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", page)
    assert "<b>owl" not in page


@pytest.mark.parametrize(
    "text",
    [
        f'archive: "{"a" * 9}\\e[2J\\u202e"\noutput: o\nmodel: m\n',
        '"\\e]0;owned\\a": 1\narchive: a\noutput: o\nmodel: m\n',
        'archive: a\noutput: o\nmodel: "\\e[2J"\n',
        'archive: a\noutput: o\nmodel: m\nsite: "\\e[2J{site"\n',
        'archive: "sftp://\\e[2J/x"\noutput: o\nmodel: m\n',
    ],
)
def test_no_mistake_in_a_file_steers_the_terminal(text: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(text)
    assert said("run", tmp_path / "job.yaml", ends=2).startswith("error: ")
