"""The program: its commands, and how errors become exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from birddask.cli.look import app as look_app
from birddask.cli.models import app as models_app
from birddask.cli.results import app as results_app
from birddask.cli.review import app as review_app
from birddask.cli.runs import app as runs_app
from birddask.commands.console import SOMETHING_LEFT, WRONG_CONFIGURATION
from birddask.errors import BirddaskError, ConfigError, ModelError
from birddask.safe_text import printable_lines
from birddask.software import version_of

if TYPE_CHECKING:
    from birddask.commands.runs import Verb

app = typer.Typer(
    help="Archives of field recordings into mels, and mels into species probabilities.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(runs_app)
app.add_typer(models_app, name="models")
app.add_typer(results_app)
app.add_typer(look_app)
app.add_typer(review_app)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"birddask {version_of('birddask')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The program; it ends with one of ``birddask.commands.console.EXIT_CODES``."""
    sys.exit(_guarded(app))


def job_script(verb: Verb, arguments: Sequence[str]) -> int:
    """The body of a script that runs one verb: JOB.yaml and perhaps CLUSTER.yaml in, the exit code out."""
    from birddask.commands import runs

    def do() -> int:
        if len(arguments) not in (1, 2):
            raise ConfigError("give a job file and, if need be, a cluster file")
        return runs.run_script(verb, *arguments)

    return _guarded(do)


def _guarded(action: Callable[[], int]) -> int:
    """The exit code of an action; what birddask raises on purpose becomes a message."""
    try:
        return action()
    except BirddaskError as error:
        typer.echo(f"error: {printable_lines(str(error))}", err=True)
        return WRONG_CONFIGURATION if isinstance(error, ConfigError | ModelError) else SOMETHING_LEFT
