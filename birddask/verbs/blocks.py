"""``run``, ``build_mels`` and ``classify``: the blocks that are left, then the accounting."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from birddask.accounting import Accounting
from birddask.clusters import how_to_join, require_memory
from birddask.engine import Control, Done, Failed, dashboard_link, run_tasks, threads_per_worker
from birddask.engine.events import Advanced, Begun, BlockFailed
from birddask.errors import PoisonBlock, Stopped
from birddask.mels.store import MelStore
from birddask.outputs import existing_store, read_scans
from birddask.scanning.scan import Growth, scan
from birddask.tasks import BlockReport, MelWork, ScoreWork, Unit, perform, try_stretch
from birddask.verbs.counting import remembering, settle
from birddask.verbs.notes import Notebook, noted
from birddask.verbs.pending import Committed, Left, Plan, committed, plan, require_scanned
from birddask.verbs.prepared import Prepared, worker_bytes


@dataclass(frozen=True)
class Ended:
    """How a verb ended.

    Attributes:
        accounting: of the output as it is now.
        complete: no clip is pending, for ``mels`` without mels, else without a score.
        blocks: done in this run.
        audio_s: length of the clips in them.
        failures: messages by block.
        stopped: somebody asked for it before all was done.
        growth: of the archive, from a verb that scans.
    """

    accounting: Accounting
    complete: bool
    blocks: int
    audio_s: float
    wall_s: float
    failures: Mapping[int, str]
    stopped: bool = False
    growth: Growth | None = None


@dataclass(frozen=True)
class _Verb:
    """What a verb does with a block.

    Attributes:
        left: what is left for it to do.
    """

    name: str
    left: Callable[[Committed], Left]


_RUN = _Verb("run", Committed.left_to_run)
_MELS = _Verb("mels", Committed.left_to_make)
_CLASSIFY = _Verb("classify", Committed.left_to_score)


def run(prepared: Prepared, control: Control, *, refreshed: bool = False) -> Ended:
    """Scan, then make and score all that is pending, both halves of a block in one task.

    Args:
        prepared: the job.
        control: how to run.
        refreshed: recordings that changed since they were scanned are made anew.

    Raises:
        ConfigError: the archive, the output or the model can't be used.
        ModelError: the model does not work on a worker.
        Stopped: somebody asked for it during the scan.
        BirddaskError: the run could not go on.
    """
    prepared.job.archive_folder.require_readable("archive")
    prepared.job.output_folder.require_writable("output")
    with _noted(_RUN, prepared, control) as (notebook, noting):
        growth = scan(prepared.job, noting, refreshed=refreshed)
        return replace(_do(_RUN, prepared, _grown(prepared), noting, notebook), growth=growth)


def build_mels(prepared: Prepared, control: Control) -> Ended:
    """Make the mels that are pending of the recordings that were scanned; raises as ``run``."""
    prepared.job.archive_folder.require_readable("archive")
    prepared.job.output_folder.require_writable("output")
    with _noted(_MELS, prepared, control) as (notebook, noting):
        return _do(_MELS, prepared, _grown(prepared), noting, notebook)


def classify(prepared: Prepared, control: Control) -> Ended:
    """Score the mels that are there, without the archive; raises as ``run``."""
    store = existing_store(prepared.job.output_folder, prepared.card.mels)
    prepared.job.output_folder.require_writable("output")
    with _noted(_CLASSIFY, prepared, control) as (notebook, noting):
        planned = plan(read_scans(prepared.job.output_folder), store)
        return _do(_CLASSIFY, prepared, planned, noting, notebook)


@contextlib.contextmanager
def _noted(verb: _Verb, prepared: Prepared, control: Control) -> Iterator[tuple[Notebook, Control]]:
    """The notebook of a run, and the control by which it hears of all that happens."""
    with noted(verb.name, prepared) as notebook:
        yield notebook, replace(control, watch=notebook.watching(control.watch))


def _grown(prepared: Prepared) -> Plan:
    """The plan, and its store made if need be, with room for all blocks."""
    scans = read_scans(prepared.job.output_folder)
    require_scanned(prepared.job, scans)
    store = prepared.store()
    store.create()
    grown = plan(scans, store)
    store.grow(len(grown.sizes))
    return grown


def _do(verb: _Verb, prepared: Prepared, planned: Plan, control: Control, notebook: Notebook) -> Ended:
    """Work off the blocks of which something is left, count the output, note how it ended."""
    began_s = time.perf_counter()
    left = verb.left(committed(prepared, planned))
    blocks = int(left.blocks.sum())
    shift = _Shift(verb, prepared, planned.store, control)
    stopped = False
    if blocks:
        client = control.connect()
        require_memory(client, worker_bytes(planned.store))
        control.watch(Begun(verb.name, blocks, "blocks", dashboard_link(client), how_to_join(client)))
        try:
            with remembering(prepared, planned.store):
                shift.work_off(left.units(planned.blocks()))
        except Stopped:
            stopped = True
    accounting = settle(prepared, planned)
    complete = (accounting.mels if verb is _MELS else accounting.scores).complete
    notebook.close("complete" if complete else "stopped" if stopped else "incomplete", accounting=accounting)
    return Ended(
        accounting=accounting,
        complete=complete,
        blocks=shift.blocks,
        audio_s=shift.audio_s,
        wall_s=time.perf_counter() - began_s,
        failures=shift.failures,
        stopped=stopped,
    )


class _Shift:
    """The blocks that a verb works off, and running totals of them."""

    def __init__(self, verb: _Verb, prepared: Prepared, store: MelStore, control: Control) -> None:
        self._verb = verb
        self._prepared = prepared
        self._store = store
        self._control = control
        self.blocks = 0
        self.audio_s = 0.0
        self.failures: dict[int, str] = {}

    def work_off(self, units: Iterable[Unit]) -> None:
        """Do them on the cluster."""
        computing = max(1, threads_per_worker(self._control.connect()) // 2)
        mel_work = MelWork(self._prepared.job.archive_folder, self._store, self._prepared.bundle, computing)
        score_work = ScoreWork(self._store, self._prepared.results, self._prepared.bundle, computing)
        poisonous: list[Failed[Unit]] = []
        for outcome in run_tasks(
            self._control, self._verb.name, functools.partial(perform, mel_work, score_work), units
        ):
            if isinstance(outcome, Done):
                self._add(outcome.result)
            elif isinstance(outcome.error, PoisonBlock):
                poisonous.append(outcome)
            else:
                self._fail(outcome, outcome.message)
        for failed in poisonous:
            self._fail(failed, f"{failed.message}{self._culprits(mel_work, failed.item)}")

    def _add(self, report: BlockReport) -> None:
        self.blocks += 1
        self.audio_s += report.audio_s
        self._control.watch(Advanced(1, report.audio_s, report.quarantined))

    def _fail(self, failed: Failed[Unit], message: str) -> None:
        number = failed.item.block.number
        self.failures[number] = message
        self._control.watch(BlockFailed(number, message))

    def _culprits(self, work: MelWork, unit: Unit) -> str:
        """Which recordings of a block end the process, each tried by itself."""
        task = functools.partial(try_stretch, work)
        tried = run_tasks(self._control, "try", task, unit.block.stretches)
        guilty = [outcome.item.recording.path for outcome in tried if isinstance(outcome, Failed)]
        if not guilty:
            return "; none of its recordings does so by itself"
        return f"; it is due to {', '.join(guilty)}: take that out of the archive and start the same command again"
