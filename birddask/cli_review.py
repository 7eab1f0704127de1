"""The command line of how far results can be trusted: evaluate."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()

JobFile = Annotated[str, typer.Argument(help="The job file: a path or a URL.", metavar="JOB.yaml")]
Model = Annotated[str | None, typer.Option("--model", help="A folder below probabilities/, if there are several.")]


@app.command()
def evaluate(
    job_file: JobFile,
    annotations: Annotated[str, typer.Argument(help="A table of annotations, or a folder of them.", metavar="LABELS")],
    threshold: Annotated[list[float], typer.Option(min=0, max=1, help="For F1; may be given several times.")] = [  # noqa: B006
        0.1,
        0.25,
        0.5,
        0.75,
        0.9,
    ],
    min_overlap: Annotated[float, typer.Option(min=0, help="Seconds; without it, any overlap counts.")] = 0.0,
    names: Annotated[str | None, typer.Option(help="CSV file: name,label; what annotations call a label.")] = None,
    output: Annotated[str | None, typer.Option(help="CSV file, new; without it, print the table.")] = None,
    model: Model = None,
) -> None:
    """Compare probabilities with what people annotated."""
    from birddask import commands_review as commands
    from birddask.commands_results import Results

    annotated = commands.Annotated(annotations, names, min_overlap)
    commands.evaluate_results(Results(job_file, model), annotated, threshold, output)
