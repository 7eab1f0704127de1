"""Cluster files, and what follows from them before anything is started."""

from __future__ import annotations

import dataclasses
import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.clusters import (
    Bounds,
    ClusterSpec,
    ExistingSpec,
    KubernetesSpec,
    LocalSpec,
    SlurmSpec,
    SshSpec,
    Tls,
    connect,
    read_cluster_file,
)
from birddask.clusters.size import size_of
from birddask.clusters.slurm import lifetime_s, slurm_cluster
from birddask.errors import ConfigError
from tests.support.certificates import certificate

ROOT = Path(__file__).parents[2]
SLURM = "kind: slurm\nmemory_per_worker: 2 GiB\n"


def cluster_file(folder: Path, text: str) -> Path:
    file = folder / "cluster.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("kind: local\n", LocalSpec("local")),
        ("kind: local\nworkers: 3\nmemory_per_worker: 2 GiB\n", LocalSpec("local", 3, "2 GiB")),
        (
            "kind: local\nadaptive: {minimum: 0, maximum: 4}\ntls: {ca: a, certificate: b, key: c}\n",
            LocalSpec("local", adaptive=Bounds(0, 4), tls=Tls("a", "b", "c")),
        ),
        ("kind: ssh\nhosts: [wren, robin, 10.0.0.7]\n", SshSpec("ssh", ("wren", "robin", "10.0.0.7"))),
        (
            SLURM
            + "walltime: '1-02:00:00'\nworkers: 40\ndirectives: [--constraint=a]\nprologue: [module load python]\n",
            SlurmSpec(
                "slurm",
                "2 GiB",
                "1-02:00:00",
                workers=40,
                directives=("--constraint=a",),
                prologue=("module load python",),
            ),
        ),
        (
            "kind: kubernetes\nimage: forest/birddask:1\nmemory_per_worker: 2 GiB\nworkers: 8\nsecret: bucket\n",
            KubernetesSpec("kubernetes", "forest/birddask:1", "2 GiB", workers=8, secret="bucket"),  # noqa: S106
        ),
        ("kind: existing\naddress: tcp://10.0.0.5:8786\n", ExistingSpec("existing", "tcp://10.0.0.5:8786")),
        ("kind: existing\nscheduler_file: s.json\n", ExistingSpec("existing", scheduler_file="s.json")),
    ],
)
def test_a_cluster_file_says_where_to_run(text: str, spec: ClusterSpec, tmp_path: Path) -> None:
    assert read_cluster_file(cluster_file(tmp_path, text)) == spec


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "kind: cloud\n",
            "the kind of the cluster is 'cloud', it must be one of local, none, ssh, slurm, kubernetes, existing",
        ),
        ("workers: 3\n", "the kind of the cluster is None"),
        ("kind: [local]\n", r"the kind of the cluster is \['local'\]"),
        ("kind: local\nworker: 3\n", "unknown key `worker`; did you mean `workers`"),
        ("kind: local\naddress: tcp://10.0.0.5:8786\n", "unknown key `address`"),
        ("kind: local\nworkers: many\n", "`workers`: Input should be a valid integer"),
        ("kind: local\nadaptive: {minimum: 3, maximum: 2}\n", "`adaptive`: 3 to 2 workers can't be"),
        ("kind: local\nadaptive: {minimum: 0, maximum: 0}\n", "`adaptive`: 0 to 0 workers can't be"),
        ("kind: local\nadaptive: {minimum: -1, maximum: 2}\n", "`adaptive`: -1 to 2 workers can't be"),
        ("kind: local\nadaptive: {maximum: 2}\n", r"the key `adaptive\.minimum` is missing"),
        ("kind: local\ntls: {ca: ca.pem}\n", r"the key `tls\.certificate` is missing"),
        ("kind: ssh\n", "the key `hosts` is missing"),
        ("kind: ssh\nhosts: []\n", "`hosts` is empty"),
        (SLURM, "the key `walltime` is missing"),
        (SLURM + "walltime: '90'\n", "`walltime` is '90', write it as"),
        (SLURM + "walltime: '00:01:59'\n", "give a job 120 s at least"),
        (SLURM + "walltime: 24:00:00\nqueue: main\n", "unknown key `queue`"),
        ("kind: kubernetes\nmemory_per_worker: 2 GiB\n", "the key `image` is missing"),
        ("kind: existing\n", "give the scheduler's `address` or its `scheduler_file`"),
        ("kind: existing\naddress: tcp://a:1\nscheduler_file: s.json\n", "one of them"),
        ("local\n", "must hold `key: value` lines"),
    ],
)
def test_a_wrong_cluster_file_is_named_with_what_is_wrong(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        read_cluster_file(cluster_file(tmp_path, text))
    assert str(tmp_path / "cluster.yaml") in str(caught.value)


def test_a_cluster_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the cluster file .*missing\.yaml can't be read: there is no such file"):
        read_cluster_file(tmp_path / "missing.yaml")


SHIPPED = sorted((ROOT / "cluster").glob("*.yaml"))
# Keys of which a file can have only one.
ALTERNATIVES = {"adaptive": "workers", "scheduler_file": "address"}


def test_there_is_a_file_for_each_kind() -> None:
    kinds = {read_cluster_file(file).kind for file in SHIPPED}
    assert kinds == {file.stem for file in SHIPPED} == {"local", "none", "ssh", "slurm", "kubernetes", "existing"}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_each_key_is_in_the_file_of_its_kind_and_can_be_used_as_it_stands_there(file: Path, tmp_path: Path) -> None:
    text = file.read_text()
    spec = read_cluster_file(file)
    known = {field.name for field in dataclasses.fields(spec)}
    proposed = {key: line for line, key in re.findall(r"^# ((\w+): .+)$", text, re.MULTILINE) if key in known}
    set_already = {key for key in known if re.search(rf"^{key}: ", text, re.MULTILINE)}
    assert known == set_already | set(proposed)
    assert not set_already & set(proposed)
    for key, line in proposed.items():
        kept = re.sub(rf"^{ALTERNATIVES.get(key)}: .+$", "", text, flags=re.MULTILINE)
        assert getattr(read_cluster_file(cluster_file(tmp_path, f"{kept}\n{line}\n")), key) is not None


@pytest.mark.parametrize(
    ("override", "workers", "adaptive", "size"),
    [
        (None, None, None, Bounds(4, 4)),
        (None, 3, None, Bounds(3, 3)),
        (2, 3, None, Bounds(2, 2)),
        (None, None, Bounds(0, 9), Bounds(0, 9)),
        (2, None, Bounds(0, 9), Bounds(2, 2)),
    ],
)
def test_the_command_line_counts_before_the_file_and_the_file_before_the_default(
    override: int | None, workers: int | None, adaptive: Bounds | None, size: Bounds
) -> None:
    assert size_of(override, workers, adaptive, 4) == size


@pytest.mark.parametrize(
    ("override", "workers", "adaptive", "problem"),
    [
        (None, 0, None, "0 workers can't do any work"),
        (0, 3, None, "0 workers can't do any work"),
        (None, -2, None, "-2 workers can't do any work"),
        (None, 3, Bounds(1, 2), "both `workers` and `adaptive`"),
    ],
)
def test_a_size_that_can_not_be_is_refused(
    override: int | None, workers: int | None, adaptive: Bounds | None, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        size_of(override, workers, adaptive, 4)


@pytest.mark.parametrize(
    ("spec", "package", "extra"),
    [
        (SshSpec("ssh", ("wren",)), "asyncssh", "ssh"),
        (SlurmSpec("slurm", "2 GiB", "01:00:00", workers=1), "dask_jobqueue", "slurm"),
        (KubernetesSpec("kubernetes", "image", "2 GiB"), "dask_kubernetes", "kubernetes"),
    ],
)
def test_a_missing_package_is_named_by_its_extra(
    spec: ClusterSpec, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"pip install 'birddask\[{extra}\]'"), connect(spec, None):
        pass


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-host.invalid"])
@pytest.mark.parametrize(
    "spec",
    [
        lambda host: SshSpec("ssh", ("wren",), driver_host=host),
        lambda host: SlurmSpec("slurm", "2 GiB", "01:00:00", workers=1, driver_host=host),
    ],
)
def test_a_driver_host_that_is_another_machine_is_named(spec: Callable[[str], ClusterSpec], host: str) -> None:
    problem = rf"`driver_host` is '{host}', which is no name or address of this machine: \w+"
    with pytest.raises(ConfigError, match=problem), connect(spec(host), None):
        pass


@pytest.mark.parametrize(
    "spec",
    [
        lambda tls: LocalSpec("local", tls=tls),
        lambda tls: SshSpec("ssh", ("wren",), tls=tls),
        lambda tls: SlurmSpec("slurm", "2 GiB", "01:00:00", workers=1, tls=tls),
        lambda tls: ExistingSpec("existing", "tls://10.0.0.5:8786", tls=tls),
    ],
)
def test_a_missing_tls_file_is_named(spec: Callable[[Tls], ClusterSpec], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    tls = Tls(str(tmp_path / "ca.pem"), "certificate.pem", "key.pem")
    problem = r"the file of `certificate`, certificate\.pem, is not there"
    with pytest.raises(ConfigError, match=problem), connect(spec(tls), None):
        pass


def test_tls_files_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("a key\n")
    key = str(tmp_path / "key.pem")
    with (
        pytest.raises(ConfigError, match=r"key\.pem can't be used"),
        connect(LocalSpec("local", tls=Tls(key, key, key)), 1),
    ):
        pass


@given(st.integers(120, 30 * 86_400))
def test_every_worker_of_slurm_leaves_before_its_job_ends_but_not_long_before(seconds: int) -> None:
    days, rest = divmod(seconds, 86_400)
    lives_s, varies_s = lifetime_s(f"{days}-{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}")
    assert lives_s - varies_s >= seconds / 2
    assert lives_s - varies_s >= seconds - 30 * 60
    assert seconds - 10 * 60 <= lives_s + varies_s <= seconds - 40


def test_a_job_of_slurm_asks_for_what_a_worker_needs(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    spec = SlurmSpec(
        "slurm",
        "1234 MiB",
        "02:00:00",
        partition="long",
        account="birds",
        directives=("--constraint=avx512",),
        prologue=("module load python",),
        python="/opt/birddask/bin/python",
        scratch="/scratch/$USER",
        logs=str(tmp_path / "logs"),
        tls=tls,
    )
    with slurm_cluster(spec) as cluster:
        address = cluster.scheduler_address
        script = cluster.job_script().splitlines()
    assert {
        "#SBATCH -J birddask",
        "#SBATCH -p long",
        "#SBATCH -A birds",
        "#SBATCH -t 02:00:00",
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --mem=1490M",
        "#SBATCH --constraint=avx512",
        f"#SBATCH -o {tmp_path}/logs/birddask-%J.out",
        "module load python",
    } <= set(script)
    assert address.startswith("tls://")
    command = script[-1].split()
    assert command[:4] == ["/opt/birddask/bin/python", "-m", "distributed.cli.dask_worker", address]
    options = dict(itertools.pairwise(command))
    assert {
        "--nthreads": "2",
        "--lifetime": "6480s",
        "--lifetime-stagger": "360s",
        "--local-directory": "/scratch/$USER",
        "--tls-ca-file": tls.ca,
        "--tls-cert": tls.certificate,
        "--tls-key": tls.key,
        "--death-timeout": "60",
    }.items() <= options.items()
    assert options["--memory-limit"] == str(1234 << 20)


def test_without_kubernetes_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    spec = KubernetesSpec("kubernetes", "image", "2 GiB")
    with pytest.raises(ConfigError, match="no cluster can be started on Kubernetes"), connect(spec, None):
        pass
