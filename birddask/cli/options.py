"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

JobFile = Annotated[str, typer.Argument(help="The job file: a path or a URL.", metavar="JOB.yaml")]
Results = Annotated[str | None, typer.Option("--model", help="A folder below probabilities/, if there are several.")]
