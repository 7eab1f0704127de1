"""What a task needs, in few bytes, and whose turn it is to compute."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass

from birddask.mels.store import MelStore
from birddask.models.ready import BundleRef
from birddask.storage import Folder
from birddask.table.results import Results


@dataclass(frozen=True)
class MelWork:
    """What a task needs to make mels.

    Attributes:
        computing: how many tasks of one process compute at a time, while others read and write.
    """

    archive: Folder
    store: MelStore
    bundle: BundleRef
    computing: int = 1


@dataclass(frozen=True)
class ScoreWork:
    """What a task needs to classify; ``computing`` as in ``MelWork``."""

    store: MelStore
    results: Results
    bundle: BundleRef
    computing: int = 1


@functools.cache
def turn(computing: int) -> threading.BoundedSemaphore:
    """Held by whoever computes: one for all tasks of a process, which has one value of ``computing``."""
    return threading.BoundedSemaphore(computing)
