"""What birddask says to whoever started it."""

from __future__ import annotations

from collections.abc import Iterable

import typer


def say(lines: Iterable[str]) -> None:
    """Lines to standard output."""
    for line in lines:
        typer.echo(line)
