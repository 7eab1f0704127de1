"""Workers as pods of Kubernetes, by Dask's operator."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import dask
from distributed import Client

from birddask.clusters.extras import require_extra
from birddask.clusters.joining import worker_options
from birddask.clusters.size import MEMORY_BESIDE_BYTES, Bounds, memory_bytes, size_of
from birddask.documents import document
from birddask.errors import ConfigError

# The operator deletes a cluster whose scheduler had nothing to do for so long: its driver is dead.
_IDLE_S = 3600
_SCHEDULER_MEMORY_BYTES = 2 << 30
_PORTS = {"tcp-comm": 8786, "http-dashboard": 8787}
_TTL = "distributed.scheduler.worker-ttl"


@document
@dataclass(frozen=True)
class KubernetesSpec:
    """Workers of one core as pods, started by Dask's operator, which must be installed.

    Attributes:
        image: of scheduler and workers, with birddask and the model in it; the ``Dockerfile`` at the top makes one.
        memory_per_worker: a size such as ``2 GiB``; a pod may use a little more, for the process that watches.
        workers: pods of workers; None takes one.
        adaptive: bounds instead of a fixed number.
        namespace: where the pods run; None takes the current one.
        secret: name of a Secret whose keys become environment variables of the workers, for example those of a bucket.
        service_account: of the workers; None takes the namespace's default.
    """

    kind: Literal["kubernetes"]
    image: str
    memory_per_worker: str
    workers: int | None = None
    adaptive: Bounds | None = None
    namespace: str | None = None
    secret: str | None = None
    service_account: str | None = None


@contextlib.contextmanager
def start_kubernetes(spec: KubernetesSpec, workers: int | None) -> Iterator[Client]:
    """A scheduler and workers in pods, all of which end with the client.

    Raises:
        ConfigError: a size that can't be, no Kubernetes or no operator answers, or ``dask-kubernetes`` is missing.
    """
    require_extra("kubernetes", "dask_kubernetes")
    import kr8s  # noqa: PLC0415 - an extra
    from dask_kubernetes.operator import KubeCluster  # noqa: PLC0415 - an extra

    size = size_of(workers, spec.workers, spec.adaptive, 1)
    manifest = dask_cluster(spec, f"birddask-{uuid.uuid4().hex[:8]}", max(1, size.minimum))
    try:
        # Asked before: a KubeCluster that can't log in fails once more when the program ends.
        kr8s.api().version()
        cluster = KubeCluster(custom_cluster_spec=manifest, namespace=spec.namespace, quiet=True)
    except Exception as error:  # whatever its clients for HTTP, Kubernetes and Dask may raise
        raise ConfigError(f"no cluster can be started on Kubernetes: {error}") from error
    with cluster, Client(cluster) as client:
        if size.minimum < size.maximum:
            cluster.adapt(size.minimum, size.maximum)
        yield client


def dask_cluster(spec: KubernetesSpec, name: str, workers: int) -> dict[str, object]:
    """The manifest of the DaskCluster that the operator makes pods of."""
    memory = memory_bytes(spec.memory_per_worker)
    options = [*worker_options(None), "--memory-limit", str(memory), "--name", "$(DASK_WORKER_NAME)"]
    worker = {
        **_container(spec, "worker", memory + MEMORY_BESIDE_BYTES),
        "args": ["dask", "worker", *options],
        "envFrom": [{"secretRef": {"name": spec.secret}}] if spec.secret else [],
    }
    scheduler = {
        **_container(spec, "scheduler", _SCHEDULER_MEMORY_BYTES),
        "args": ["dask", "scheduler", "--host", "0.0.0.0"],  # noqa: S104 - pods of the namespace are to reach it
        "env": [{"name": "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "value": str(dask.config.get(_TTL))}],
        "ports": [{"name": port, "containerPort": number} for port, number in _PORTS.items()],
        "readinessProbe": {"httpGet": {"port": "http-dashboard", "path": "/health"}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"port": "http-dashboard", "path": "/health"}, "periodSeconds": 20},
    }
    account = {"serviceAccountName": spec.service_account} if spec.service_account else {}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name},
        "spec": {
            "idleTimeout": _IDLE_S,
            "worker": {"replicas": workers, "spec": {"containers": [worker], **account}},
            "scheduler": {
                "spec": {"containers": [scheduler]},
                "service": {
                    "type": "ClusterIP",
                    "selector": {"dask.org/cluster-name": name, "dask.org/component": "scheduler"},
                    "ports": [
                        {"name": port, "protocol": "TCP", "port": number, "targetPort": port}
                        for port, number in _PORTS.items()
                    ],
                },
            },
        },
    }


def _container(spec: KubernetesSpec, name: str, memory: int) -> dict[str, object]:
    return {
        "name": name,
        "image": spec.image,
        "resources": {"requests": {"cpu": "1", "memory": str(memory)}, "limits": {"memory": str(memory)}},
    }
