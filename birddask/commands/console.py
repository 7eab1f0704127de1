"""What birddask says to whoever started it."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from birddask.safe_text import printable_lines


def say(lines: Iterable[str]) -> None:
    """Lines to standard output."""
    for line in lines:
        typer.echo(printable_lines(line))
