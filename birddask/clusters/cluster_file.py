"""Cluster files: where to run."""

from __future__ import annotations

from pathlib import Path

from birddask.clusters.existing import ExistingSpec
from birddask.clusters.kubernetes import KubernetesSpec
from birddask.clusters.local import LocalSpec
from birddask.clusters.none import NoneSpec
from birddask.clusters.slurm import SlurmSpec
from birddask.clusters.ssh import SshSpec
from birddask.documents import parse, parse_yaml
from birddask.errors import ConfigError
from birddask.storage import read_file

ClusterSpec = LocalSpec | NoneSpec | SshSpec | SlurmSpec | KubernetesSpec | ExistingSpec

_KINDS: dict[str, type[ClusterSpec]] = {
    "local": LocalSpec,
    "none": NoneSpec,
    "ssh": SshSpec,
    "slurm": SlurmSpec,
    "kubernetes": KubernetesSpec,
    "existing": ExistingSpec,
}


def read_cluster_file(place: str | Path) -> ClusterSpec:
    """The cluster that a YAML file at a path or URL describes.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    mapping = parse_yaml(read_file(str(place), "the cluster file "), str(place))
    kind = mapping.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigError(f"{place}: the kind of the cluster is {kind!r}, it must be one of {', '.join(_KINDS)}")
    return parse(_KINDS[kind], mapping, str(place))
