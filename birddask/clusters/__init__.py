"""Where work runs: a cluster file, or this machine, as a connected Dask client."""

from birddask.clusters.cluster_file import ClusterSpec, read_cluster_file
from birddask.clusters.connecting import connect, on_demand
from birddask.clusters.existing import ExistingSpec
from birddask.clusters.joining import how_to_join
from birddask.clusters.local import LocalSpec, available_cores
from birddask.clusters.memory import require_memory
from birddask.clusters.size import Adaptive

__all__ = [
    "Adaptive",
    "ClusterSpec",
    "ExistingSpec",
    "LocalSpec",
    "available_cores",
    "connect",
    "how_to_join",
    "on_demand",
    "read_cluster_file",
    "require_memory",
]
