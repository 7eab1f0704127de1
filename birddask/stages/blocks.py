"""``run``, ``build_mels`` and ``classify``: the blocks that are left, then the accounting."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from birddask.accounting import Accounting, account
from birddask.documents import to_mapping
from birddask.engine import Connect, Done, Outcome, dashboard_link, run_tasks, threads_per_worker
from birddask.errors import MelsLost
from birddask.events import Advanced, Begun, BlockFailed, Watch
from birddask.mels.store import MelStore
from birddask.outputs import existing_store, read_scans
from birddask.plan import Block
from birddask.stages.prepared import Committed, Prepared, committed, plan, require_scanned
from birddask.stages.scanning import Growth, scan
from birddask.table.results import block_numbers
from birddask.tasks import BlockReport, MelWork, ScoreWork, Unit, perform


@dataclass(frozen=True)
class Ended:
    """How a verb ended.

    Attributes:
        accounting: of the output as it is now.
        complete: no clip is pending, for ``mels`` without mels, else without a score.
        blocks: done in this run.
        audio_s: length of the clips in them.
        failures: messages by block.
        growth: of the archive, from a verb that scans.
    """

    accounting: Accounting
    complete: bool
    blocks: int
    audio_s: float
    wall_s: float
    failures: Mapping[int, str]
    growth: Growth | None = None


@dataclass(frozen=True)
class _Verb:
    """What a verb does with a block.

    Attributes:
        left: what is left for it to do of a block.
        remakes: mels that were lost are made again at once.
    """

    name: str
    left: Callable[[Committed, Block], Unit | None]
    remakes: bool = False


_RUN = _Verb("run", Committed.left_to_run, remakes=True)
_MELS = _Verb("mels", Committed.left_to_make)
_CLASSIFY = _Verb("classify", Committed.left_to_score)


def run(prepared: Prepared, connect: Connect, watch: Watch, *, refreshed: bool = False) -> Ended:
    """Scan, then make and score all that is pending, both halves of a block in one task.

    Args:
        prepared: the job.
        connect: gives the cluster.
        watch: is told of the progress.
        refreshed: recordings that changed since they were scanned are made anew.

    Raises:
        ConfigError: the archive, the output or the model can't be used.
        ModelError: the model does not work on a worker.
    """
    growth = scan(prepared.job, connect, watch, refreshed=refreshed)
    return replace(_do(_RUN, prepared, _grown_store(prepared), connect, watch), growth=growth)


def build_mels(prepared: Prepared, connect: Connect, watch: Watch) -> Ended:
    """Make the mels that are pending of the recordings that were scanned; raises as ``run``."""
    prepared.job.archive_folder.require_readable("archive")
    return _do(_MELS, prepared, _grown_store(prepared), connect, watch)


def classify(prepared: Prepared, connect: Connect, watch: Watch) -> Ended:
    """Score the mels that are there, without the archive; raises as ``run``."""
    store = existing_store(prepared.job.output_folder, prepared.card.mels)
    prepared.job.output_folder.require_writable("output")
    return _do(_CLASSIFY, prepared, store, connect, watch)


def _grown_store(prepared: Prepared) -> MelStore:
    """The store, made if need be, with room for all planned blocks."""
    output = prepared.job.output_folder
    output.require_writable("output")
    scans = read_scans(output)
    require_scanned(prepared.job, scans)
    store = prepared.store()
    store.create()
    store.grow(sum(1 for _ in plan(scans, store)))
    return store


def _do(verb: _Verb, prepared: Prepared, store: MelStore, connect: Connect, watch: Watch) -> Ended:
    """Work off the blocks of which something is left, count the output, record the run."""
    began, clock = datetime.now(UTC), time.perf_counter()
    scans = read_scans(prepared.job.output_folder)
    done = committed(prepared, store)

    def units() -> Iterator[Unit]:
        return (unit for block in plan(scans, store) if (unit := verb.left(done, block)))

    shift = _Shift(verb, watch)
    blocks = sum(1 for _ in units())
    if blocks:
        client = connect()
        watch(Begun(verb.name, blocks, "blocks", dashboard_link(client)))
        computing = max(1, threads_per_worker(client) // 2)
        mel_work = MelWork(prepared.job.archive_folder, store, prepared.bundle, computing)
        score_work = ScoreWork(store, prepared.results, prepared.bundle, computing)
        task = functools.partial(perform, mel_work, score_work)
        lost = shift.work_off(run_tasks(client, verb.name, task, units()))
        shift.work_off(run_tasks(client, verb.name, task, lost))
    parts = block_numbers(prepared.results.folder)
    accounting = account(scans, plan(scans, store), store, parts)
    ended = Ended(
        accounting=accounting,
        complete=(accounting.mels if verb is _MELS else accounting.scores).complete,
        blocks=shift.blocks,
        audio_s=shift.audio_s,
        wall_s=time.perf_counter() - clock,
        failures=shift.failures,
    )
    _record(verb, prepared, began, ended)
    return ended


class _Shift:
    """Running totals of the blocks that a verb works off."""

    def __init__(self, verb: _Verb, watch: Watch) -> None:
        self._verb = verb
        self._watch = watch
        self.blocks = 0
        self.audio_s = 0.0
        self.failures: dict[int, str] = {}

    def work_off(self, outcomes: Iterable[Outcome[Unit, BlockReport]]) -> list[Unit]:
        """Add outcomes to the totals; returns what must be made again because its mels were lost."""
        lost: list[Unit] = []
        for outcome in outcomes:
            block = outcome.item.block
            if isinstance(outcome, Done):
                report = outcome.result
                self.blocks += 1
                self.audio_s += report.audio_s
                self._watch(Advanced(1, report.audio_s, report.quarantined))
            elif isinstance(outcome.error, MelsLost) and self._verb.remakes:
                lost.append(Unit(block, make=True, score=True))
            else:
                self.failures[block.number] = outcome.message
                self._watch(BlockFailed(block.number, outcome.message))
        return lost


def _record(verb: _Verb, prepared: Prepared, began: datetime, ended: Ended) -> None:
    """Leave a note of the run in the output."""
    note = {
        "verb": verb.name,
        "began": began.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "birddask": importlib.metadata.version("birddask"),
        "job": to_mapping(prepared.job),
        "model_fingerprint": prepared.card.fingerprint,
        "mel_spec_fingerprint": prepared.card.mels.fingerprint,
        **asdict(ended),
    }
    content = json.dumps(note, indent=2) + "\n"
    key = f"runs/{began:%Y%m%dT%H%M%S%fZ}-{verb.name}.json"
    prepared.job.output_folder.publish(key, content.encode())
