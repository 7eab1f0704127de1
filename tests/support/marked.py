"""Outputs of which only the markers exist: clip tables, and empty parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq
from pyarrow import BufferReader

from birddask.accounting import Accounting
from birddask.job import Job
from birddask.mels.store import MelStore
from birddask.models.ready import BundleRef
from birddask.outputs import store_folder
from birddask.recordings.recording import Recording
from birddask.storage import Folder
from birddask.table.clip_table import ClipRow, ClipStatus, clip_table_key, clips_file
from birddask.table.parts import PartLayout
from birddask.table.results import Results
from birddask.verbs.counting import count, settle
from birddask.verbs.pending import Plan
from birddask.verbs.prepared import Prepared
from tests.support.models import tiny_card

USABLE = Recording("a.wav", 1, "usable", sample_rate_hz=8000, channels=1, frames=8000 * 900)


def clip_table(statuses: Sequence[ClipStatus]) -> bytes:
    return clips_file([ClipRow(index, "a.wav", "marsh", None, 0, None, each) for index, each in enumerate(statuses)])


@dataclass(frozen=True)
class Marked:
    """An output with a plan of blocks of these sizes."""

    folder: Folder
    sizes: tuple[int, ...]

    @property
    def prepared(self) -> Prepared:
        card = tiny_card()
        results = Results(self.folder, card, PartLayout("wide", 0.0))
        return Prepared(Job("archive", self.folder.url, "tiny"), card, BundleRef(Folder("bundle"), ""), results)

    @property
    def plan(self) -> Plan:
        spec = self.prepared.card.mels
        store = MelStore(store_folder(self.folder, spec), spec, max(self.sizes, default=1))
        return Plan([[USABLE]], store, np.array(self.sizes, np.int32))

    @property
    def ledger(self) -> str:
        return f"runs/{self.prepared.card.mels.store_name}.ledger"

    def table(self, number: int) -> str:
        """The key of a clip table."""
        return f"mels/{self.prepared.card.mels.store_name}/{clip_table_key(number)}"

    def commit(self, number: int, statuses: Sequence[ClipStatus]) -> None:
        self.folder.publish(self.table(number), clip_table(statuses))

    def score(self, number: int) -> None:
        self.prepared.results.folder.publish(f"site=marsh/month=unknown/block-{number:06d}.parquet", b"")

    def count(self) -> Accounting:
        return count(self.prepared, self.plan)

    def settle(self) -> Accounting:
        return settle(self.prepared, self.plan)

    def clips_in_tables(self) -> Counter[str]:
        """Every clip of every clip table by its status, as anybody would count them."""
        tables = [file.key for file in self.folder.files("mels") if file.key.endswith(".parquet")]
        return Counter(
            status
            for key in tables
            for status in pq.read_table(BufferReader(self.folder.read(key))).column("status").to_pylist()
        )
