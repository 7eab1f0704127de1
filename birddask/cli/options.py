"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

JobFile = Annotated[str, typer.Argument(help="The job file: a path or a URL.", metavar="JOB.yaml")]
ResultsModel = Annotated[
    str | None, typer.Option("--model", help="A folder below probabilities/, if there are several.")
]
Threshold = Annotated[float | None, typer.Option(help="Smallest probability that counts; without it, 0.25.")]
ThresholdFile = Annotated[str | None, typer.Option("--thresholds", help="CSV file: label,threshold; * for all others.")]
Best = Annotated[int | None, typer.Option(min=1, help="Likeliest labels kept of a clip.")]
SpeciesFile = Annotated[str | None, typer.Option("--species", help="Text file: a label or a species' name a line.")]
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
