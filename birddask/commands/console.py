"""What birddask says to whoever started it: lines of text, and a number at the end."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from birddask.safe_text import printable_lines

COMPLETE, SOMETHING_LEFT, WRONG_CONFIGURATION = range(3)
EXIT_CODES = {
    COMPLETE: "complete: nothing is left to do",
    SOMETHING_LEFT: "something is left to do: start the same command again",
    WRONG_CONFIGURATION: "the configuration is wrong, or the model is; the message says what and where",
}
"""What the program tells the shell."""


def say(lines: Iterable[str]) -> None:
    """Lines to standard output."""
    for line in lines:
        typer.echo(printable_lines(line))
