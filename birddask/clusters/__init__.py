"""Where work runs: a cluster file, or this machine, as a connected Dask client."""

from birddask.clusters.cluster_file import ClusterSpec, read_cluster_file
from birddask.clusters.connecting import connect, on_demand
from birddask.clusters.existing import ExistingSpec
from birddask.clusters.joining import how_to_join
from birddask.clusters.kubernetes import KubernetesSpec
from birddask.clusters.local import LocalSpec, available_cores
from birddask.clusters.memory import require_memory
from birddask.clusters.none import NoneSpec
from birddask.clusters.size import Bounds
from birddask.clusters.slurm import SlurmSpec
from birddask.clusters.ssh import SshSpec
from birddask.clusters.tls import Tls

__all__ = [
    "Bounds",
    "ClusterSpec",
    "ExistingSpec",
    "KubernetesSpec",
    "LocalSpec",
    "NoneSpec",
    "SlurmSpec",
    "SshSpec",
    "Tls",
    "available_cores",
    "connect",
    "how_to_join",
    "on_demand",
    "read_cluster_file",
    "require_memory",
]
