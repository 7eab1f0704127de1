"""The command line of what comes after a run: detections, effort, export, species."""

from __future__ import annotations

from typing import Annotated

import typer

from birddask.cli.options import (
    LEAST_OCCURRENCE,
    Best,
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
from birddask.formats import FORMATS

app = typer.Typer()

Format = Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")]


@app.command()
def detections(
    job_file: JobFile,
    threshold: Threshold = None,
    thresholds: ThresholdFile = None,
    best: Best = None,
    species: SpeciesFile = None,
    lat: Latitude = None,
    lon: Longitude = None,
    own_position: OwnPosition = False,
    location_threshold: Occurrence = LEAST_OCCURRENCE,
    merge: Annotated[bool, typer.Option("--merge", help="Join clips of one label that touch or overlap.")] = False,
    smooth: Annotated[bool, typer.Option("--smooth", help="Average over clips that overlap.")] = False,
    file_format: Format = "csv",
    output: Annotated[str | None, typer.Option(help="File or folder, new; without it, `detections` here.")] = None,
    model: ResultsModel = None,
) -> None:
    """Write what was heard, by rules that need no new run."""
    from birddask.commands import results as commands
    from birddask.commands.named import Choice, Locality, Results

    results, locality = Results(job_file, model), Locality(lat, lon, own_position, location_threshold)
    choice = Choice(threshold, thresholds, best, species, locality)
    commands.detections(results, choice.rules(results, smooth=smooth, merge=merge), file_format, output)


@app.command()
def effort(
    job_file: JobFile,
    local: Annotated[bool, typer.Option("--local", help="Days of the recorders' clocks instead of UTC.")] = False,
    output: Annotated[str | None, typer.Option(help="CSV file, new; without it, print the table.")] = None,
    model: ResultsModel = None,
) -> None:
    """Hours scored by site and day, and hours that were not."""
    from birddask.commands import results as commands
    from birddask.commands.named import Results

    commands.effort(Results(job_file, model), output, local=local)


@app.command()
def export(
    job_file: JobFile,
    to: Annotated[str, typer.Option(help="A folder, an HTTP endpoint, or a file that ends with .sqlite.")],
    threshold: Threshold = None,
    thresholds: ThresholdFile = None,
    best: Best = None,
    species: SpeciesFile = None,
    lat: Latitude = None,
    lon: Longitude = None,
    own_position: OwnPosition = False,
    location_threshold: Occurrence = LEAST_OCCURRENCE,
    file_format: Format = "parquet",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with each block that a run makes.")] = False,
    model: ResultsModel = None,
) -> None:
    """Hand detections over to another program, block by block."""
    from birddask.commands import results as commands
    from birddask.commands.named import Choice, Locality, Results

    results, locality = Results(job_file, model), Locality(lat, lon, own_position, location_threshold)
    choice = Choice(threshold, thresholds, best, species, locality)
    commands.export(results, choice.rules(results), file_format, to, following=follow)


@app.command()
def species(
    lat: Annotated[float, typer.Option("--lat", min=-90, max=90, help="Degrees north.")],
    lon: Annotated[float, typer.Option("--lon", min=-180, max=180, help="Degrees east.")],
    week: Annotated[
        int | None, typer.Option(min=1, max=48, help="Four in each month; without it, any time of the year.")
    ] = None,
    location_threshold: Occurrence = LEAST_OCCURRENCE,
    model: Annotated[str, typer.Option("--model", help="Name or bundle of a model that knows.")] = "birdnet-v2.4",
) -> None:
    """What occurs at a place, a label a line, the likeliest first: a list for `detections --species`."""
    from birddask.commands import results as commands

    commands.species(model, (lat, lon), week, location_threshold)
