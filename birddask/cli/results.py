"""The command line of what comes after a run: detections, effort, export, a look at the results."""

from __future__ import annotations

from typing import Annotated

import typer

from birddask.cli.options import JobFile, Results
from birddask.formats import FORMATS

app = typer.Typer()

Threshold = Annotated[float | None, typer.Option(help="Smallest probability that counts; without it, 0.25.")]
ThresholdFile = Annotated[str | None, typer.Option("--thresholds", help="CSV file: label,threshold; * for all others.")]
Best = Annotated[int | None, typer.Option(min=1, help="Likeliest labels kept of a clip.")]
SpeciesFile = Annotated[str | None, typer.Option("--species", help="Text file: a label or a species' name a line.")]
Format = Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")]
Latitude = Annotated[
    float | None, typer.Option("--lat", min=-90, max=90, help="Degrees north: only what occurs there.")
]
Longitude = Annotated[float | None, typer.Option("--lon", min=-180, max=180, help="Degrees east, with --lat.")]
OwnPosition = Annotated[
    bool, typer.Option("--own-position", help="Only what occurs where each recording says it was made, else at --lat.")
]
Occurrence = Annotated[
    float, typer.Option("--location-threshold", min=0, max=1, help="Smallest occurrence that counts.")
]
LEAST_OCCURRENCE = 0.03
"""BirdNET-Analyzer's."""


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
    model: Results = None,
) -> None:
    """Write what was heard, by rules that need no new run."""
    from birddask.commands import results as commands

    where = commands.Where(lat, lon, own_position, location_threshold)
    rules = commands.Choice(threshold, thresholds, best, species).rules(smooth=smooth, merge=merge)
    results = commands.Results(job_file, model)
    commands.detections(results, where.narrowed(rules, results), file_format, output)


@app.command()
def effort(
    job_file: JobFile,
    local: Annotated[bool, typer.Option("--local", help="Days of the recorders' clocks instead of UTC.")] = False,
    output: Annotated[str | None, typer.Option(help="CSV file, new; without it, print the table.")] = None,
    model: Results = None,
) -> None:
    """Hours scored by site and day, and hours that were not."""
    from birddask.commands import results as commands

    commands.effort(commands.Results(job_file, model), output, local=local)


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
    model: Results = None,
) -> None:
    """Hand detections over to another program, block by block."""
    from birddask.commands import results as commands

    where = commands.Where(lat, lon, own_position, location_threshold)
    rules = commands.Choice(threshold, thresholds, best, species).rules()
    results = commands.Results(job_file, model)
    commands.export(results, where.narrowed(rules, results), file_format, to, following=follow)


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


@app.command()
def show(
    job_file: JobFile,
    recording: Annotated[str, typer.Argument(help="Its path below the archive.", metavar="RECORDING")],
    at: Annotated[str, typer.Option(help="Time in the recording: 00:12:30, 12:30 or 750.")] = "0",
    output: Annotated[str | None, typer.Option(help="PNG file, new; without it, draw here.")] = None,
    model: Results = None,
) -> None:
    """Draw the mels of the clip at a time in a recording, with its likeliest labels; the archive is not needed."""
    from birddask.clips.extra import require_pictures

    require_pictures()
    from birddask.commands import look
    from birddask.commands.results import Results

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
    model: Results = None,
) -> None:
    """Write a page for people: what was heard, when and where, the best clips, and what was not analysed."""
    from birddask.clips.extra import require_pictures

    require_pictures()
    from birddask.commands import look
    from birddask.commands.results import Choice, Results, Where

    results = Results(job_file, model)
    rules = Choice(threshold, thresholds, None, species).rules()
    narrowed = Where(lat, lon, own_position, location_threshold).narrowed(rules, results)
    look.report(results, narrowed, output, local=local)
