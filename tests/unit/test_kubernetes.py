"""What Kubernetes is given, against its own schemas and those of Dask's operator."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from birddask.clusters import Bounds, KubernetesSpec, read_cluster_file
from birddask.clusters.kubernetes import dask_cluster
from birddask.job import read_job_file

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cluster/kubernetes"
VERSIONS = ("1.30", "1.34")
SPECS = [
    KubernetesSpec("kubernetes", "birddask:1", "2 GiB"),
    KubernetesSpec("kubernetes", "birddask:1", "700 MB", None, Bounds(1, 9), "birds", "bucket", "worker"),
]


def crd_schema(kind: str) -> dict[str, Any]:
    """The schema of one of the operator's kinds, in which a field that it doesn't know is an error."""
    found = importlib.util.find_spec("dask_kubernetes")
    assert found
    assert found.origin
    charts = Path(found.origin).parent / "operator/deployment/helm"
    definition = yaml.safe_load((charts / f"dask-kubernetes-operator/crds/{kind.lower()}.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"] |= {"apiVersion": {"const": f"kubernetes.dask.org/{version['name']}"}, "kind": {"const": kind}}
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def strict(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if made.pop("x-kubernetes-int-or-string", False):
        made["type"] = ["integer", "string"]
    if "properties" in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize("spec", SPECS)
def test_the_operator_knows_every_field_of_a_cluster(spec: KubernetesSpec) -> None:
    jsonschema.validate(dask_cluster(spec, "birddask-1", 3), crd_schema("DaskCluster"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "worker", "replica"), 3),
        (("spec", "worker", "replicas"), "3"),
        (("spec", "worker", "spec", "containers", 0, "arg"), []),
        (("spec", "scheduler", "service", "ports", 0, "protocoll"), "TCP"),
    ],
)
def test_a_wrong_field_would_be_noticed(path: tuple[str | int, ...], value: object) -> None:
    manifest: Any = copy.deepcopy(dask_cluster(SPECS[0], "birddask-1", 3))
    place = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, crd_schema("DaskCluster"))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("part", ["worker", "scheduler"])
@pytest.mark.parametrize("spec", SPECS)
def test_pods_and_service_are_valid(spec: KubernetesSpec, part: str, version: str) -> None:
    manifest: Any = dask_cluster(spec, "birddask-1", 3)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": part}, "spec": manifest["spec"][part]["spec"]}
    kubernetes_validate.validate(pod, version, strict=True)
    service = manifest["spec"]["scheduler"]["service"]
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": part}, "spec": service}, version, strict=True
    )


def test_a_worker_gets_the_memory_that_was_asked_for_and_its_pod_a_little_more() -> None:
    manifest: Any = dask_cluster(SPECS[1], "birddask-1", 3)
    (container,) = manifest["spec"]["worker"]["spec"]["containers"]
    arguments = container["args"]
    assert arguments[arguments.index("--memory-limit") + 1] == "700000000"
    assert arguments[arguments.index("--nthreads") + 1] == "2"
    assert 700_000_000 < int(container["resources"]["limits"]["memory"]) < 1_000_000_000
    assert container["envFrom"] == [{"secretRef": {"name": "bucket"}}]
    assert manifest["spec"]["worker"]["replicas"] == 3


def manifests() -> list[Any]:
    return list(yaml.safe_load_all((FOLDER / "driver.yaml").read_text()))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", manifests(), ids=lambda manifest: manifest["kind"])
def test_the_manifests_of_the_driver_are_valid(manifest: Any, version: str) -> None:  # noqa: ANN401 - a document
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_driver_finds_what_it_is_given(tmp_path: Path) -> None:
    made = {manifest["kind"]: manifest for manifest in manifests()}
    for name, content in made["ConfigMap"]["data"].items():
        (tmp_path / name).write_text(content)
    assert read_job_file(str(tmp_path / "job.yaml")).archive == "s3://forest/cards"
    assert isinstance(read_cluster_file(tmp_path / "cluster.yaml"), KubernetesSpec)
    pod = made["Job"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == made["ServiceAccount"]["metadata"]["name"]
    assert made["RoleBinding"]["roleRef"]["name"] == made["Role"]["metadata"]["name"]
    (driver,) = pod["containers"]
    (mount,) = driver["volumeMounts"]
    assert driver["command"] == [
        *("birddask", "run", f"{mount['mountPath']}/job.yaml"),
        *("--cluster", f"{mount['mountPath']}/cluster.yaml"),
    ]
    assert [volume["name"] for volume in pod["volumes"]] == [mount["name"]]
