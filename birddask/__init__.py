"""Archives of field recordings into mels, and mels into species probabilities, with Dask."""

from birddask.access import open_mels, open_probabilities
from birddask.clusters import LocalSpec, on_demand, read_cluster_file
from birddask.job import Job, read_job_file
from birddask.stages.blocks import Ended, build_mels, classify, run
from birddask.stages.prepared import prepare
from birddask.stages.reporting import status
from birddask.stages.scanning import scan

__all__ = [
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
