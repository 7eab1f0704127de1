"""Archives of field recordings into mels, and mels into species probabilities, with Dask."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from birddask.access import open_mels, open_probabilities
    from birddask.clusters import LocalSpec, on_demand, read_cluster_file
    from birddask.engine import Control
    from birddask.job import Job, read_job_file
    from birddask.scanning.scan import scan
    from birddask.verbs.blocks import Ended, build_mels, classify, run
    from birddask.verbs.prepared import prepare
    from birddask.verbs.status import status

# Imported when they are first used: `birddask --help` needs none of them.
_HOMES = {
    "Control": "engine",
    "Ended": "verbs.blocks",
    "Job": "job",
    "LocalSpec": "clusters",
    "build_mels": "verbs.blocks",
    "classify": "verbs.blocks",
    "on_demand": "clusters",
    "open_mels": "access",
    "open_probabilities": "access",
    "prepare": "verbs.prepared",
    "read_cluster_file": "clusters",
    "read_job_file": "job",
    "run": "verbs.blocks",
    "scan": "scanning.scan",
    "status": "verbs.status",
}

__all__ = [
    "Control",
    "Ended",
    "Job",
    "LocalSpec",
    "build_mels",
    "classify",
    "on_demand",
    "open_mels",
    "open_probabilities",
    "prepare",
    "read_cluster_file",
    "read_job_file",
    "run",
    "scan",
    "status",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'birddask' has no attribute {name!r}")
    return getattr(importlib.import_module(f"birddask.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
