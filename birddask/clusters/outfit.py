"""What every worker of any kind is given, those that join later or by hand, too."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import platform
from collections.abc import Iterator

from distributed import Client, Worker, WorkerPlugin
from distributed.core import Status

from birddask.clusters.versions import Versions, differences, installed_versions

# Numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _ALWAYS_RETURNED_BYTES = 128 << 20, 32 << 20

_log = logging.getLogger(__name__)


class Outfit(WorkerPlugin):
    """Makes a worker like the others, or sends it away.

    Attributes:
        versions: what the driver runs on.
        topic: under which the driver is told of a worker that was sent away.
    """

    def __init__(self, versions: Versions, topic: str) -> None:
        self.versions = versions
        self.topic = topic

    async def setup(self, worker: Worker) -> None:
        """Called by Dask on each worker, before its first task."""
        difference = differences(self.versions, installed_versions())
        if difference:
            _log.error("not used, because it differs from the driver: %s", difference)
            worker.log_event(self.topic, f"{worker.address} was sent away, because it differs: {difference}")
            # Tasks may have come with the registration. They are not begun, and nobody blames them for its end.
            worker.status = Status.closing_gracefully
            await worker.scheduler.retire_workers(workers=[worker.address], close_workers=True, remove=True)
            return
        keep_freed_memory()
        logging.getLogger("distributed.worker").addFilter(_in_a_line)


@contextlib.contextmanager
def equipped(client: Client, *, taken_back: bool) -> Iterator[None]:
    """All workers that there are, or will be while this lasts, get the outfit.

    Args:
        client: of the cluster.
        taken_back: later workers don't get it any more; for a cluster that goes on.
    """
    name = f"birddask-{client.id}"
    client.subscribe_topic(name, lambda event: _log.warning("worker %s", event[1]))
    # Of a worker that goes at this moment; if it comes back, it is given its outfit.
    with contextlib.suppress(OSError):
        client.register_plugin(Outfit(installed_versions(), name), name=name)
    try:
        yield
    finally:
        if taken_back and client.status == "running":
            with contextlib.suppress(OSError):
                client.unregister_worker_plugin(name)


def _in_a_line(record: logging.LogRecord) -> bool:
    """Whether a message of Dask is shown; the driver tells of failed tasks, without the whole block."""
    # A scheduler that goes while a heartbeat is on its way to it is nobody's fault, and needs no traceback.
    if str(record.msg).startswith("Failed to communicate with scheduler during heartbeat"):
        record.exc_info = None
    return not str(record.msg).startswith("Compute Failed")


def keep_freed_memory() -> None:
    """Let the allocator keep up to 128 MiB; larger arrays than 32 MiB still come and go.

    Dask makes workers give every 64 KiB back to the system, which costs a fifth of their time (docs/design/0004).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_MMAP_THRESHOLD, _ALWAYS_RETURNED_BYTES)
