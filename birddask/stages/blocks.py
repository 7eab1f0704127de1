"""``run``, ``build_mels`` and ``classify``: the blocks that are left, then the accounting."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from birddask.accounting import Accounting, account
from birddask.documents import to_mapping
from birddask.engine import Client, Connect, Done, dashboard_link, run_tasks
from birddask.errors import MelsLost
from birddask.events import Advanced, Begun, BlockFailed, Watch
from birddask.mels.store import MelStore
from birddask.outputs import existing_store, read_scans
from birddask.plan import Block
from birddask.stages.prepared import Committed, Prepared, committed, plan, require_scanned
from birddask.stages.scanning import scan
from birddask.table.results import block_numbers
from birddask.tasks import MelWork, ScoreWork, Unit, perform


@dataclass(frozen=True)
class Ended:
    """How a verb ended.

    Attributes:
        accounting: of the output as it is now.
        complete: nothing is left for this verb to do.
        blocks: done in this run.
        audio_s: length of the clips in them.
        failures: messages by block.
    """

    accounting: Accounting
    complete: bool
    blocks: int
    audio_s: float
    wall_s: float
    failures: Mapping[int, str]


def run(prepared: Prepared, connect: Connect, watch: Watch) -> Ended:
    """Scan, then make and score all that is pending, both halves of a block in one task.

    Raises:
        ConfigError: the archive, the output or the model can't be used.
        ModelError: the model does not work on a worker.
    """
    scan(prepared.job, connect, watch)
    store = _grown_store(prepared)
    return _do("run", prepared, store, Committed.left_to_run, connect, watch)


def build_mels(prepared: Prepared, connect: Connect, watch: Watch) -> Ended:
    """Make the mels that are pending of the recordings that were scanned; raises as ``run``."""
    prepared.job.archive_folder.require_readable("archive")
    store = _grown_store(prepared)
    return _do("mels", prepared, store, Committed.left_to_make, connect, watch)


def classify(prepared: Prepared, connect: Connect, watch: Watch) -> Ended:
    """Score the mels that are there, without the archive; raises as ``run``."""
    store = existing_store(prepared.job.output_folder, prepared.card.mels)
    return _do("classify", prepared, store, Committed.left_to_score, connect, watch)


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


@dataclass
class _Totals:
    blocks: int = 0
    audio_s: float = 0.0
    failures: dict[int, str] = field(default_factory=dict)


def _do(
    verb: str,
    prepared: Prepared,
    store: MelStore,
    left: Callable[[Committed, Block], Unit | None],
    connect: Connect,
    watch: Watch,
) -> Ended:
    """Work off the blocks of which something is left, count the output, record the run."""
    began, clock = datetime.now(UTC), time.perf_counter()
    output = prepared.job.output_folder
    output.require_writable("output")
    scans = read_scans(output)
    done = committed(prepared, store)

    def units() -> Iterator[Unit]:
        return (unit for block in plan(scans, store) if (unit := left(done, block)))

    totals = _Totals()
    blocks = sum(1 for _ in units())
    if blocks:
        client = connect()
        watch(Begun(verb, blocks, "blocks", dashboard_link(client)))
        lost = _work_off(verb, prepared, store, units(), totals, client, watch)
        _work_off(verb, prepared, store, lost, totals, client, watch)
    parts = block_numbers(prepared.results.folder)
    accounting = account(scans, plan(scans, store), store, parts)
    ended = Ended(
        accounting=accounting,
        complete=(accounting.mels if verb == "mels" else accounting.scores).complete,
        blocks=totals.blocks,
        audio_s=totals.audio_s,
        wall_s=time.perf_counter() - clock,
        failures=totals.failures,
    )
    _record(verb, prepared, began, ended)
    return ended


def _work_off(
    verb: str,
    prepared: Prepared,
    store: MelStore,
    units: Iterable[Unit],
    totals: _Totals,
    client: Client,
    watch: Watch,
) -> list[Unit]:
    """Do units and add to the totals; returns what ``run`` must do again because stored mels were lost."""
    archive = prepared.job.archive_folder
    task = functools.partial(
        perform,
        MelWork(archive, store, prepared.bundle),
        ScoreWork(store, prepared.results, prepared.bundle),
    )
    lost: list[Unit] = []
    for outcome in run_tasks(client, verb, task, units):
        block = outcome.item.block
        if isinstance(outcome, Done):
            totals.blocks += 1
            totals.audio_s += outcome.result.audio_s
            watch(Advanced(1, outcome.result.audio_s, outcome.result.quarantined))
        elif isinstance(outcome.error, MelsLost) and verb == "run":
            lost.append(Unit(block, make=True, score=True))
        else:
            totals.failures[block.number] = outcome.message
            watch(BlockFailed(block.number, outcome.message))
    return lost


def _record(verb: str, prepared: Prepared, began: datetime, ended: Ended) -> None:
    """Leave a note of the run in the output."""
    note = {
        "verb": verb,
        "began": began.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "birddask": importlib.metadata.version("birddask"),
        "job": to_mapping(prepared.job),
        "model_fingerprint": prepared.card.fingerprint,
        "mel_spec_fingerprint": prepared.card.mels.fingerprint,
        **asdict(ended),
    }
    content = json.dumps(note, indent=2) + "\n"
    key = f"runs/{began:%Y%m%dT%H%M%S%fZ}-{verb}.json"
    prepared.job.output_folder.publish(key, content.encode())
