"""A look at stored mels, drawn to a file and to the terminal."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from distributed import Client
from PIL import Image
from rich.console import Console

from birddask.clips.looked_at import LookedAt, clock
from birddask.clips.picture import Mark, Panel
from birddask.clips.terminal import show
from birddask.engine import Control
from birddask.job import read_job_file
from birddask.stages.blocks import run
from birddask.stages.prepared import prepare
from birddask.table.parts import ClipRow
from tests.support.models import TINY_LABELS, TINY_RATE
from tests.support.program import birddask, write_job
from tests.support.sounds import noise, write_wav

HOSTILE = 'ridge/$\\frac{1}$ <b>"x",\'\n🦉.wav'


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path, client: Client) -> Path:
    """A job whose archive is gone."""
    folder = tmp_path_factory.mktemp("show")
    write_wav(folder / "archive" / HOSTILE, noise(3.5, TINY_RATE, 1), TINY_RATE)
    write_wav(folder / "archive/ridge/silent.wav", np.zeros(TINY_RATE, np.int16), TINY_RATE)
    (folder / "archive/ridge/empty.wav").touch()
    job = write_job(folder / "job.yaml", folder / "archive", folder / "out", tiny_bundle)
    assert run(prepare(read_job_file(job)), Control(lambda: client)).complete
    shutil.rmtree(folder / "archive")
    return job


def test_a_clip_is_drawn_in_the_terminal(job: Path) -> None:
    done = birddask("show", job, HOSTILE, "--at", "00:00:02.5")
    assert done.returncode == 0, done.stderr
    assert "\\n🦉.wav, 00:00:02 to 00:00:03" in done.stdout
    assert "1 kHz" in done.stdout
    labels = [line.split("  ")[1] for line in done.stdout.splitlines() if line.startswith(("0.", "1."))]
    assert sorted(labels) == sorted(TINY_LABELS)


def test_a_clip_is_drawn_into_a_file(job: Path, tmp_path: Path) -> None:
    path = str(job.parent / "archive" / HOSTILE)
    done = birddask("show", job, path, "--output", tmp_path / "clip.png")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    picture = np.asarray(Image.open(tmp_path / "clip.png").convert("RGB"))
    # The tone is a bright line in a dark picture.
    assert picture.shape[0] > 400
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_a_silent_clip_has_nothing_to_draw(job: Path, tmp_path: Path) -> None:
    shown = birddask("show", job, "ridge/silent.wav")
    assert shown.returncode == 0, shown.stderr
    assert "silent" in shown.stdout
    drawn = birddask("show", job, "ridge/silent.wav", "--output", tmp_path / "clip.png")
    assert drawn.returncode == 2
    assert "silent" in drawn.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["ridge/none.wav"], "no usable recording 'ridge/none.wav'"),
        (["ridge/empty.wav"], "quarantined: empty"),
        ([HOSTILE, "--at", "4:20"], "3.5 s long"),
        ([HOSTILE, "--at", "soon"], "no time in a recording; write 00:12:30"),
        ([HOSTILE, "--output", "clip.jpeg"], "ends with .png"),
        ([HOSTILE, "--model", "birdnet"], "name one model"),
    ],
)
def test_a_mistake_gets_one_clear_message(arguments: list[str], complaint: str, job: Path) -> None:
    done = birddask("show", job, *arguments)
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("error: ")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_colours_are_used_where_there_are_some() -> None:
    levels = np.zeros((24, 20), np.uint8)
    levels[0] = 255
    row = ClipRow(0, "s/1.wav", "s", None, 0, None, "ok")
    clip = LookedAt(
        row, 1_000_000, [Panel(levels, (Mark(1.0, "4 kHz"),))], [Mark(0, "0 s"), Mark(1, "1 s")], [("owl", 0.5)]
    )
    stream = io.StringIO()
    show(clip, Console(file=stream, force_terminal=True, color_system="truecolor", width=29))
    lines = stream.getvalue().splitlines()
    assert "4 kHz" in lines[2]
    assert lines[2].count("▀") == 20
    assert "38;2;251;252;191;48;2;0;0;3" in lines[2]
    assert lines[-2].split() == ["0", "s", "1", "s"]
    assert lines[-1] == "0.50  owl"


@pytest.mark.parametrize(
    ("moment_us", "text"), [(0, "00:00:00"), (3_723_500_000, "01:02:03.5"), (360_000_000_001, "100:00:00.000001")]
)
def test_a_time_in_a_recording_in_words(moment_us: int, text: str) -> None:
    assert clock(moment_us) == text
