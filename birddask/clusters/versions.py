"""Which software a process runs on; a worker with another one than the driver's could give other numbers."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping

from distributed import Client

from birddask.errors import ConfigError
from birddask.software import CHANGES_NUMBERS, version_of

# Beside what changes numbers: what files are made with, and what driver and workers talk by.
_PACKAGES = (*CHANGES_NUMBERS, "zarr", "pyarrow", "dask", "distributed")

Versions = Mapping[str, str]
"""Names of packages, and Python, with the version of each."""


def installed_versions() -> dict[str, str]:
    """The versions in this process; ``none`` for a package that is not installed."""
    return {
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{name: version_of(name) for name in _PACKAGES},
    }


def differences(here: Versions, there: Versions) -> str:
    """The versions that differ, for people; empty if none does."""
    return "; ".join(
        f"{name} {there.get(name, 'none')} there, {version} here"
        for name, version in here.items()
        if there.get(name, "none") != version
    )


def require_same_versions(client: Client) -> None:
    """Compare all workers with this process.

    Raises:
        ConfigError: some differ; the message names the first worker of each kind, the packages and both versions.
    """
    here = installed_versions()
    unlike: defaultdict[str, list[str]] = defaultdict(list)
    for worker, answer in client.run(installed_versions, on_error="return").items():
        if isinstance(answer, OSError):
            continue  # it is gone; if it comes back, its outfit compares
        if isinstance(answer, Exception):
            unlike[f"birddask can't be used there: {answer}"].append(worker)
        elif difference := differences(here, answer):
            unlike[difference].append(worker)
    if unlike:
        lines = (f"worker {workers[0]}{_others(len(workers) - 1)}: {what}" for what, workers in unlike.items())
        raise ConfigError("\n".join((*lines, "install the same versions on this machine and on all workers")))


def _others(count: int) -> str:
    return f" and {count} more" if count else ""
