"""The command line of how far results can be trusted: evaluate, review, calibrate."""

from __future__ import annotations

from typing import Annotated

import typer

from birddask.cli.options import JobFile, ResultsModel

app = typer.Typer()


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
    model: ResultsModel = None,
) -> None:
    """Compare probabilities with what people annotated."""
    from birddask.commands import review as commands
    from birddask.commands.named import Results

    annotated = commands.Annotations(annotations, names, min_overlap)
    commands.evaluate_results(Results(job_file, model), annotated, threshold, output)


@app.command()
def review(
    job_file: JobFile,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Whole bands of scores, from the one of this.")] = 0.1,
    species: Annotated[str | None, typer.Option(help="Text file: a label or a species' name a line.")] = None,
    per_band: Annotated[int, typer.Option(min=1, help="Detections of each label from each band of scores.")] = 20,
    labels: Annotated[int, typer.Option(min=1, help="The most frequent ones, unless --species names them.")] = 30,
    reviewer: Annotated[str | None, typer.Option(help="Who answers; without it, the name of this account.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of this machine; 0 for any that is free.")] = 0,
    model: ResultsModel = None,
) -> None:
    """Check detections one by one, on a page in the browser of this machine."""
    from birddask.clips.extra import require_pictures

    require_pictures()
    from birddask.commands import review as commands
    from birddask.commands.named import Results

    wanted = commands.Wanted(threshold, species, per_band, labels)
    commands.review(Results(job_file, model), wanted, reviewer, port)


@app.command()
def calibrate(
    job_file: JobFile,
    probability: Annotated[float, typer.Option(min=0.01, max=0.99, help="To be right, at the threshold.")] = 0.9,
    output: Annotated[str | None, typer.Option(help="CSV file, new, for `detections --thresholds`.")] = None,
    model: ResultsModel = None,
) -> None:
    """Precision and thresholds of each label, from the answers of reviews."""
    from birddask.commands import review as commands
    from birddask.commands.named import Results

    commands.calibrate(Results(job_file, model), probability, output)
