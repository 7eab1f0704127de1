from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from rich.console import Console

from birddask.commands import progress
from birddask.engine.events import Advanced, Begun, BlockFailed, Watch

TEN_BLOCKS = Begun("run", 10, "blocks", None)


class Clock:
    """Stands still until it is moved."""

    now_s = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


@contextmanager
def shown(*, terminal: bool) -> Iterator[tuple[Watch, io.StringIO]]:
    text = io.StringIO()
    with progress.shown(Console(file=text, force_terminal=terminal, width=200, color_system=None)) as watch:
        yield watch, text


def test_lines_come_at_the_beginning_every_ten_seconds_and_at_the_end(clock: Clock) -> None:
    with shown(terminal=False) as (watch, text):
        watch(TEN_BLOCKS)
        for clock.now_s in (1.0, 9.9, 10.0, 10.1, 19.9):
            watch(Advanced(1, audio_s=3600))
        for clock.now_s in (30.0, 30.1):
            watch(Advanced(1, audio_s=3600))
        clock.now_s = 30.2
        watch(Advanced(3, audio_s=10_800))
    assert text.getvalue().splitlines() == [
        "run: 10 blocks",
        "run: 3/10 blocks, 3.00 h of audio, 1080x real time, 23 s left",
        "run: 6/10 blocks, 6.00 h of audio, 720x real time, 20 s left",
        "run: 10/10 blocks, 10.00 h of audio, 1192x real time",
    ]


def test_quarantined_clips_are_counted(clock: Clock) -> None:
    with shown(terminal=False) as (watch, text):
        watch(Begun("run", 2, "blocks", None))
        clock.now_s = 2.0
        watch(Advanced(1, audio_s=2, quarantined=3))
        watch(Advanced(1, audio_s=2, quarantined=4))
    assert text.getvalue().splitlines()[-1] == "run: 2/2 blocks, 0.00 h of audio, 2x real time, 7 clips quarantined"


def test_files_have_no_audio_to_count(clock: Clock) -> None:
    with shown(terminal=False) as (watch, text):
        watch(Begun("scan", 300, "files", "http://127.0.0.1:8787/status", "dask worker tcp://10.0.0.1:8786"))
        clock.now_s = 1.0
        watch(Advanced(256))
        watch(Advanced(44))
    assert text.getvalue().splitlines() == [
        "scan: 300 files",
        "scan: dashboard: http://127.0.0.1:8787/status",
        "scan: to add a worker: dask worker tcp://10.0.0.1:8786",
        "scan: 300/300 files",
    ]


def test_a_failed_block_is_said_at_once_and_is_no_longer_waited_for(clock: Clock) -> None:
    with shown(terminal=False) as (watch, text):
        watch(Begun("run", 3, "blocks", None))
        clock.now_s = 1.0
        watch(Advanced(1, audio_s=3))
        watch(BlockFailed(7, "[red] the workers died"))
        clock.now_s = 12.0
        watch(Advanced(1, audio_s=3))
    assert text.getvalue().splitlines() == [
        "run: 3 blocks",
        "run: block 7 failed: [red] the workers died",
        "run: 2/3 blocks, 0.00 h of audio, 0x real time, 1 failed",
    ]


def test_an_activity_that_ends_with_a_failure_has_an_end_line(clock: Clock) -> None:
    with shown(terminal=False) as (watch, text):
        watch(Begun("run", 1, "blocks", None))
        clock.now_s = 11.0
        watch(BlockFailed(0, "no"))
    assert text.getvalue().splitlines() == ["run: 1 blocks", "run: block 0 failed: no", "run: 0/1 blocks, 1 failed"]


def test_each_activity_is_counted_from_its_own_beginning(clock: Clock) -> None:
    with shown(terminal=False) as (watch, text):
        watch(Begun("scan", 1, "files", None))
        watch(Advanced(1))
        clock.now_s = 100.0
        watch(TEN_BLOCKS)
        clock.now_s = 110.0
        watch(Advanced(5, audio_s=36_000))
    assert text.getvalue().splitlines() == [
        "scan: 1 files",
        "scan: 1/1 files",
        "run: 10 blocks",
        "run: 5/10 blocks, 10.00 h of audio, 3600x real time, 10 s left",
    ]


@pytest.mark.parametrize(
    ("elapsed_s", "left"),
    [
        (29.0, "29 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3_599.4, "59 min"),
        (3_599.6, "1 h 0 min"),
        (100.0, "1 min"),
        (9_000.0, "2 h 30 min"),
    ],
)
def test_the_time_left_is_rounded_for_people(elapsed_s: float, left: str, clock: Clock) -> None:
    with shown(terminal=False) as (watch, text):
        watch(Begun("run", 2, "blocks", None))
        clock.now_s = max(elapsed_s, 10.0)
        watch(Advanced(1))
    assert text.getvalue().splitlines()[-1] == f"run: 1/2 blocks, {left} left"


def test_a_terminal_shows_failures_and_the_dashboard_above_a_live_line(clock: Clock) -> None:
    with shown(terminal=True) as (watch, text):
        watch(Begun("run", 2, "blocks", "http://127.0.0.1:8787/status"))
        clock.now_s = 1.0
        watch(Advanced(1, audio_s=3600))
        watch(BlockFailed(7, "[red] the workers died"))
    assert "dashboard: http://127.0.0.1:8787/status" in text.getvalue()
    assert "block 7 failed: [red] the workers died" in text.getvalue()
    assert "1/2 blocks, 1.00 h of audio, 3600x real time, 1 failed" in text.getvalue()
