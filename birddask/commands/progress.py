"""Events for a person: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from birddask.commands.lines import span
from birddask.engine.events import Advanced, Begun, BlockFailed, Crew, Event, Stalled, Watch
from birddask.safe_text import printable_lines

_SECONDS_BETWEEN_LINES = 10.0


@contextlib.contextmanager
def shown(console: Console) -> Iterator[Watch]:
    """A function that shows events on the console until the context ends."""
    if not console.is_terminal:
        yield _Lines(console).watch
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(console, bar).watch


class _Meter:
    """Running totals of the activity at hand."""

    def __init__(self, begun: Begun) -> None:
        self.begun = begun
        self._done = 0
        self._failed = 0
        self._audio_s = 0.0
        self._quarantined = 0
        self._started_s = time.monotonic()

    def take(self, event: Event) -> None:
        if isinstance(event, Advanced):
            self._done += event.count
            self._audio_s += event.audio_s
            self._quarantined += event.quarantined
        elif isinstance(event, BlockFailed):
            self._failed += 1

    @property
    def ended(self) -> int:
        return self._done + self._failed

    @property
    def left(self) -> int | None:
        return None if self.begun.total is None else self.begun.total - self.ended

    def text(self) -> str:
        elapsed_s = max(time.monotonic() - self._started_s, 1e-9)
        done = self._done if self.begun.total is None else f"{self._done}/{self.begun.total}"
        parts = [f"{done} {self.begun.things}"]
        if self._audio_s:
            parts.append(f"{self._audio_s / 3600:.2f} h of audio")
            parts.append(f"{self._audio_s / elapsed_s:.0f}x real time")
        if self.ended and self.left:
            parts.append(f"{span(elapsed_s / self.ended * self.left)} left")
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._quarantined:
            parts.append(f"{self._quarantined} clips quarantined")
        return ", ".join(parts)


class _Lines:
    """Plain lines, at most one in ten seconds, and one at the end of an activity."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0

    def watch(self, event: Event) -> None:
        if isinstance(event, Begun):
            self._meter = _Meter(event)
            total = (
                f"{event.total} {event.things}" if event.total is not None else f"{event.things}, counted on the way"
            )
            self._print(total)
            for line in _offers(event):
                self._print(line)
            return
        self._meter.take(event)
        remark = _remark(event)
        if remark:
            self._print(remark)
        if time.monotonic() >= self._next_s or self._meter.left == 0:
            self._print(self._meter.text())

    def _print(self, text: str) -> None:
        self._next_s = time.monotonic() + _SECONDS_BETWEEN_LINES
        self._console.print(f"{self._meter.begun.activity}: {printable_lines(text)}", markup=False, soft_wrap=True)


class _Bar:
    """One live bar an activity."""

    def __init__(self, console: Console, bar: Progress) -> None:
        self._console = console
        self._bar = bar

    def watch(self, event: Event) -> None:
        if isinstance(event, Begun):
            self._meter = _Meter(event)
            for line in _offers(event):
                self._print(line)
            self._task: TaskID = self._bar.add_task(event.activity, total=event.total, detail=self._meter.text())
            return
        self._meter.take(event)
        remark = _remark(event)
        if remark:
            self._print(remark)
        self._bar.update(self._task, completed=self._meter.ended, detail=self._meter.text())

    def _print(self, text: str) -> None:
        self._console.print(printable_lines(text), markup=False, highlight=False, soft_wrap=True)


def _remark(event: Event) -> str | None:
    match event:
        case BlockFailed():
            return f"block {event.block} failed: {event.message}"
        case Stalled():
            return f"{event.what} runs for {span(event.running_s)} already on {event.worker}"
        case Crew():
            return f"workers: {event.workers}, tasks at a time: {event.threads}"
    return None


def _offers(event: Begun) -> Iterator[str]:
    """What one can do while it goes on."""
    if event.dashboard:
        yield f"dashboard: {event.dashboard}"
    if event.join:
        yield f"to add a worker: {event.join}"
