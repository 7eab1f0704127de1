"""A cluster that somebody else started."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from distributed import Client, Security
from distributed.comm.addressing import get_address_host_port
from distributed.comm.core import connect
from distributed.utils import LoopRunner

from birddask.clusters.tls import Tls, security_of
from birddask.documents import document
from birddask.errors import ConfigError

_CONNECT_TIMEOUT_S = 30


@document
@dataclass(frozen=True)
class ExistingSpec:
    """A cluster that somebody else started.

    Attributes:
        address: of its scheduler, for example ``tcp://10.0.0.5:8786``.
        scheduler_file: instead of the address, the file that ``dask scheduler --scheduler-file`` writes.
        tls: the files for encrypted connections that the cluster was started with; None for open ones.
    """

    kind: Literal["existing"]
    address: str | None = None
    scheduler_file: str | None = None
    tls: Tls | None = None

    def __post_init__(self) -> None:
        if (self.address is None) == (self.scheduler_file is None):
            raise ConfigError("give the scheduler's `address` or its `scheduler_file`, one of them")


@contextlib.contextmanager
def reach_existing(spec: ExistingSpec, workers: int | None) -> Iterator[Client]:
    """A client of the cluster, which goes on when the client is closed.

    Raises:
        ConfigError: the scheduler can't be reached, or ``workers`` is set for a cluster that is not ours.
    """
    if workers is not None:
        raise ConfigError("--workers can't change a cluster that is running already")
    address = spec.address or _address_in(Path(spec.scheduler_file or ""))
    try:
        # Raises ValueError if it is no address; a Client would only find out with its threads running.
        get_address_host_port(address)
        security = security_of(spec.tls) or Security()
        LoopRunner().run_sync(_greet, address, security)
        client = Client(address, timeout=_CONNECT_TIMEOUT_S, security=security)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no Dask scheduler answers at {address!r}: {error}") from error
    except TypeError as error:  # Dask's word for an encrypted address without the files
        raise ConfigError(f"{address} takes encrypted connections only; give the files as `tls`: {error}") from error
    with client:
        yield client


async def _greet(address: str, security: Security) -> None:
    """Nobody there is found out before there is a Client.

    One that fails while it is made closes whenever it happens to be collected, which blocks the start of another one
    that is made at that moment.
    """
    comm = await connect(address, timeout=_CONNECT_TIMEOUT_S, **security.get_connection_args("client"))
    await comm.close()


def _address_in(scheduler_file: Path) -> str:
    try:
        return str(json.loads(scheduler_file.read_bytes())["address"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"the scheduler file {scheduler_file} can't be read: {error}") from error
