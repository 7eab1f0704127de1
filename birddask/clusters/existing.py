"""A cluster that somebody else started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from distributed import Client
from distributed.comm.addressing import get_address_host_port

from birddask.documents import document
from birddask.errors import ConfigError

_CONNECT_TIMEOUT_S = 30


@document
@dataclass(frozen=True)
class ExistingSpec:
    """A cluster that somebody else started.

    Attributes:
        address: of its scheduler, for example ``tcp://10.0.0.5:8786``.
    """

    kind: Literal["existing"]
    address: str


@contextlib.contextmanager
def reach_existing(spec: ExistingSpec, workers: int | None) -> Iterator[Client]:
    """A client of the cluster, which goes on when the client is closed.

    Raises:
        ConfigError: the scheduler can't be reached, or ``workers`` is set for a cluster that is not ours.
    """
    if workers is not None:
        raise ConfigError("--workers can't change a cluster that is running already")
    try:
        # Raises ValueError if it is no address; a Client would only find out with its threads running.
        get_address_host_port(spec.address)
        client = Client(spec.address, timeout=_CONNECT_TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no Dask scheduler answers at {spec.address!r}: {error}") from error
    with client:
        yield client
