"""An output, counted: one listing of each stage, and a look into those clip tables that the ledger does not know."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from birddask.accounting import Accounting, account, count_recordings
from birddask.errors import BirddaskError, MisalignedBlock, StorageError, TransientStorageError
from birddask.mels.store import MelStore
from birddask.storage import Folder, in_order
from birddask.table.block_files import block_files
from birddask.table.clip_table import ClipStatus, clip_statuses, clip_table_key
from birddask.table.ledger import ENTRY, ledger_file, look_up, read_ledger, settled
from birddask.verbs.pending import Plan
from birddask.verbs.prepared import Prepared

_EVERY_S = 300.0
# Between two times, so much longer than one takes: the driver has more to do.
_TIMES_AS_LONG = 20


def count(prepared: Prepared, plan: Plan) -> Accounting:
    """The state of an output; writes nothing.

    Raises:
        MisalignedBlock: a clip table does not have a row for each planned clip: something was lost.
    """
    ledger = _read_ledger(prepared.job.output_folder, plan.store)
    return _account(prepared, plan, _entries(plan.store, ledger))


def settle(prepared: Prepared, plan: Plan) -> Accounting:
    """The state of an output, of which the ledger then knows as much as it may; raises as ``count``."""
    return _account(prepared, plan, _remember(prepared.job.output_folder, plan.store))


@contextlib.contextmanager
def remembering(prepared: Prepared, store: MelStore) -> Iterator[None]:
    """While a run goes on, its ledger is brought up to date now and then, for whoever asks how the output stands."""
    over = threading.Event()

    def remember() -> None:
        wait_s = _EVERY_S
        while not over.wait(wait_s):
            began_s = time.monotonic()
            # The run itself finds out whether storage is away for good.
            with contextlib.suppress(BirddaskError):
                _remember(prepared.job.output_folder, store)
            wait_s = max(_EVERY_S, _TIMES_AS_LONG * (time.monotonic() - began_s))

    thread = threading.Thread(target=remember, name="ledger", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _remember(output: Folder, store: MelStore) -> NDArray[np.void]:
    """An entry for each clip table, after the ledger got those that it lacks."""
    ledger = _read_ledger(output, store)
    entries = _entries(store, ledger)
    lasting = settled(entries)
    if not np.array_equal(lasting, ledger):
        # Without it the next count takes longer, and comes to the same.
        with contextlib.suppress(StorageError, TransientStorageError):
            output.publish(_ledger_key(store), ledger_file(lasting))
    return entries


def _account(prepared: Prepared, plan: Plan, entries: NDArray[np.void]) -> Accounting:
    planned = entries[entries["block"] < len(plan.sizes)]
    rows = planned["ok"] + planned["silent"] + planned["quarantined"]
    wrong = np.flatnonzero(rows != plan.sizes[planned["block"]])
    if len(wrong):
        number = int(planned["block"][wrong[0]])
        raise MisalignedBlock(
            f"the accounting does not add up: block {number} was planned with {plan.sizes[number]} clips, "
            f"{plan.store.folder.place(clip_table_key(number))} has {rows[wrong[0]]}"
        )
    return account(count_recordings(plan.scans), plan.sizes, planned, prepared.results.committed())


def _entries(store: MelStore, ledger: NDArray[np.void]) -> NDArray[np.void]:
    """An entry for each clip table, by one listing."""
    entries, known = look_up(ledger, block_files(store.folder.child("clips")))
    unknown = np.flatnonzero(~known).tolist()
    counted = in_order(functools.partial(_counts, store), entries["block"][unknown].tolist())
    there = np.ones(len(entries), np.bool_)
    for index, counts in zip(unknown, counted, strict=True):
        if counts is None:
            there[index] = False
            continue
        for status in ("ok", "silent", "quarantined"):
            entries[status][index] = counts[status]
    return entries[there]


def _counts(store: MelStore, block: int) -> Counter[ClipStatus] | None:
    """The clips of a block by status; None if its clip table was withdrawn since it was listed."""
    try:
        return Counter(clip_statuses(store.folder.read(clip_table_key(block))))
    except FileNotFoundError:
        return None


def _read_ledger(output: Folder, store: MelStore) -> NDArray[np.void]:
    try:
        return read_ledger(output.read(_ledger_key(store)))
    except (FileNotFoundError, StorageError):
        return np.empty(0, ENTRY)


def _ledger_key(store: MelStore) -> str:
    """Beside the notes of the runs, as it is no result: it holds times of writing, which differ from run to run."""
    return f"runs/{store.spec.store_name}.ledger"
