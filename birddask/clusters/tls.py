"""Encrypted connections between client, scheduler and workers, none of which takes part without the right files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distributed import Security

from birddask.documents import document
from birddask.errors import ConfigError

_ROLES = ("client", "scheduler", "worker")


@document
@dataclass(frozen=True)
class Tls:
    """Files in PEM format, under the same paths on all machines; ``docs/clusters/index.md`` tells how to make them.

    Attributes:
        ca: certificate of the authority that signed the other one.
        certificate: shown by client, scheduler and workers to each other.
        key: private key of the certificate; whoever can read it can run programs on the workers.
    """

    ca: str
    certificate: str
    key: str


def security_of(tls: Tls | None) -> Security | None:
    """The files as Dask wants them; None for open connections.

    Raises:
        ConfigError: a file is not there, or not what it should be.
    """
    if tls is None:
        return None
    for name, file in (("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key)):
        if not Path(file).is_file():
            raise ConfigError(f"`tls`: the file of `{name}`, {file}, is not there")
    certificates = {f"tls_{role}_cert": tls.certificate for role in _ROLES}
    keys = {f"tls_{role}_key": tls.key for role in _ROLES}
    security = Security(require_encryption=True, tls_ca_file=tls.ca, **certificates, **keys)
    try:
        security.get_connection_args("client")
    except OSError as error:
        raise ConfigError(f"`tls`: {tls.ca}, {tls.certificate} and {tls.key} can't be used: {error}") from error
    return security
