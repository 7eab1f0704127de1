"""The name or address under which workers reach the driver, where Dask does not find the right one."""

from __future__ import annotations

import socket

from birddask.errors import ConfigError


def require_own_host(driver_host: str | None) -> None:
    """Raise ConfigError if a scheduler in this process can't listen there; None leaves it to Dask."""
    if driver_host is None:
        return
    try:
        family, *_, address = socket.getaddrinfo(driver_host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"`driver_host` is {driver_host!r}, which is no name or address of this machine: {error.strerror}"
        ) from error
