"""The command line of a look at the results: show, report."""

from __future__ import annotations

from typing import Annotated

import typer

from birddask.cli.options import (
    LEAST_OCCURRENCE,
    JobFile,
    Latitude,
    Longitude,
    Occurrence,
    OwnPosition,
    ResultsModel,
    SpeciesFile,
    Threshold,
    ThresholdFile,
)

app = typer.Typer()


@app.command()
def show(
    job_file: JobFile,
    recording: Annotated[str, typer.Argument(help="Its path below the archive.", metavar="RECORDING")],
    at: Annotated[str, typer.Option(help="Time in the recording: 00:12:30, 12:30 or 750.")] = "0",
    output: Annotated[str | None, typer.Option(help="PNG file, new; without it, draw here.")] = None,
    model: ResultsModel = None,
) -> None:
    """Draw the mels of the clip at a time in a recording, with its likeliest labels; the archive is not needed."""
    from birddask.clips.extra import require_pictures

    require_pictures()
    from birddask.commands import look
    from birddask.commands.named import Results

    look.show(Results(job_file, model), recording, at, output)


@app.command()
def report(
    job_file: JobFile,
    output: Annotated[str, typer.Argument(help="HTML file, new.", metavar="OUT.html")],
    threshold: Threshold = None,
    thresholds: ThresholdFile = None,
    species: SpeciesFile = None,
    lat: Latitude = None,
    lon: Longitude = None,
    own_position: OwnPosition = False,
    location_threshold: Occurrence = LEAST_OCCURRENCE,
    local: Annotated[bool, typer.Option("--local", help="Times of the recorders' clocks instead of UTC.")] = False,
    model: ResultsModel = None,
) -> None:
    """Write a page for people: what was heard, when and where, the best clips, and what was not analysed."""
    from birddask.clips.extra import require_pictures

    require_pictures()
    from birddask.commands import look
    from birddask.commands.named import Choice, Locality, Results

    results, locality = Results(job_file, model), Locality(lat, lon, own_position, location_threshold)
    choice = Choice(threshold, thresholds, None, species, locality)
    look.report(results, choice.rules(results), output, local=local)
