"""A look at results: stored mels drawn to a file and to the terminal, and the page of all that was heard."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from distributed import Client
from PIL import Image
from rich.console import Console

from birddask.clips.looked_at import LookedAt, clock
from birddask.clips.picture import Mark, Panel
from birddask.clips.terminal import show
from birddask.commands import look
from birddask.commands.named import Results
from birddask.engine import Control
from birddask.errors import ConfigError
from birddask.job import read_job_file
from birddask.table.clip_table import ClipRow
from birddask.verbs.blocks import run
from birddask.verbs.prepared import prepare
from tests.support.models import TINY_LABELS, TINY_RATE
from tests.support.program import birddask_here, write_job
from tests.support.sounds import noise, write_wav

HOSTILE = 'ridge/$\\frac{1}$ <b>"x",\'\n🦉.wav'


@pytest.fixture(scope="module")
def whole_job(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path, client: Client) -> Path:
    """A job that ran."""
    folder = tmp_path_factory.mktemp("look")
    write_wav(folder / "archive" / HOSTILE, noise(3.5, TINY_RATE, 1), TINY_RATE)
    write_wav(folder / "archive/ridge/silent.wav", np.zeros(TINY_RATE, np.int16), TINY_RATE)
    (folder / "archive/ridge/empty.wav").touch()
    job = write_job(folder / "job.yaml", folder / "archive", folder / "out", tiny_bundle)
    assert run(prepare(read_job_file(job)), Control(lambda: client)).complete
    return job


@pytest.fixture(scope="module")
def job(whole_job: Path) -> Path:
    """The same without its archive."""
    wanted = yaml.safe_load(whole_job.read_text())
    return write_job(whole_job.parent / "gone.yaml", whole_job.parent / "gone", wanted["output"], wanted["model"])


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<(style|svg)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)))


def test_the_page_counts_as_status_does(whole_job: Path, tmp_path: Path) -> None:
    done = birddask_here("report", whole_job, tmp_path / "out.html", "--threshold", "0", "--local")
    assert done.returncode == 0, done.stderr
    assert f"written to {tmp_path}/out.html" in done.stdout
    words = words_of((tmp_path / "out.html").read_text())
    standing = json.loads(birddask_here("status", whole_job, "--json").stdout)
    files, clips = standing["recordings"], standing["scores"]
    assert f"{files['found']} files were found: {files['usable']} recordings of" in words
    assert f"{files['quarantined']} were damaged, {files['ignored']} were ignored" in words
    assert f"Of {clips['clips_planned']} clips {clips['clips_done']} were listened to" in words
    assert f"{clips['clips_silent']} hold no sound at all, {clips['clips_quarantined']} could not" in words
    assert f"{clips['clips_pending']} wait" in words
    assert "empty 1 the file has no bytes" in words
    assert "of those that do not state their offset from UTC, the job file does: +00:00" in words


def test_the_sounds_of_the_page_are_those_of_the_archive(whole_job: Path, tmp_path: Path) -> None:
    assert birddask_here("report", whole_job, tmp_path / "out.html", "--threshold", "0").returncode == 0
    page = (tmp_path / "out.html").read_text()
    sounds = re.findall(r'<audio[^>]* src="data:audio/ogg;base64,([^"]*)"', page)
    assert len(sounds) == len(TINY_LABELS)
    assert page.count("data:image/webp") == len(sounds)
    recorded = noise(3.5, TINY_RATE, 1).astype(np.float64)
    starts = [int(second) for second in re.findall(r"\.wav at 00:00:0(\d)\b", page)]
    for content, start_s in zip(sounds, starts, strict=True):
        heard, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(content)))
        assert rate_hz == TINY_RATE
        expected = recorded[start_s * TINY_RATE :][:TINY_RATE]
        assert np.corrcoef(heard[: len(expected)], expected)[0, 1] > 0.9


def test_the_page_says_that_the_archive_is_gone(job: Path, tmp_path: Path) -> None:
    done = birddask_here("report", job, tmp_path / "out.html")
    assert done.returncode == 0, done.stderr
    assert f"without sound: {job.parent}/gone can't be reached" in done.stdout


def test_a_clip_is_drawn_in_the_terminal(job: Path) -> None:
    done = birddask_here("show", job, HOSTILE, "--at", "00:00:02.5")
    assert done.returncode == 0, done.stderr
    assert "\\n🦉.wav, 00:00:02 to 00:00:03" in done.stdout
    assert "1 kHz" in done.stdout
    labels = [line.split("  ")[1] for line in done.stdout.splitlines() if line.startswith(("0.", "1."))]
    assert sorted(labels) == sorted(TINY_LABELS)


def test_a_clip_is_drawn_into_a_file(job: Path, tmp_path: Path) -> None:
    path = str(job.parent / "gone" / HOSTILE)
    done = birddask_here("show", job, path, "--output", tmp_path / "clip.png")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    picture = np.asarray(Image.open(tmp_path / "clip.png").convert("RGB"))
    # The tone is a bright line in a dark picture.
    assert picture.shape[0] > 400
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_a_silent_clip_has_nothing_to_draw(job: Path, tmp_path: Path) -> None:
    shown = birddask_here("show", job, "ridge/silent.wav")
    assert shown.returncode == 0, shown.stderr
    assert "silent" in shown.stdout
    drawn = birddask_here("show", job, "ridge/silent.wav", "--output", tmp_path / "clip.png")
    assert drawn.returncode == 2
    assert "silent" in drawn.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("recording", "at", "output", "model", "complaint"),
    [
        ("ridge/none.wav", "0", None, None, "no usable recording 'ridge/none.wav'"),
        ("ridge/empty.wav", "0", None, None, "quarantined: empty"),
        (HOSTILE, "4:20", None, None, r"3\.5 s long"),
        (HOSTILE, "-1", None, None, "no time in a recording; write 00:12:30"),
        (HOSTILE, "0", "clip.jpeg", None, r"ends with \.png"),
        (HOSTILE, "0", None, "birdnet", "name one model"),
    ],
)
def test_a_mistake_gets_one_clear_message(
    recording: str, at: str, output: str | None, model: str | None, complaint: str, job: Path
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        look.show(Results(str(job), model), recording, at, output)


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
