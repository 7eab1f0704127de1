"""What needs an extra, and the program without it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.program import write_job

_PROGRAM = "from birddask.cli import main; main()"
_HIDING = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in {hidden!r}
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path = [Finder if each is PathFinder else each for each in sys.meta_path]
"""


@dataclass(frozen=True)
class Need:
    """A use of an extra.

    Attributes:
        packages: what the extra installs, as it is imported.
        arguments: of the program; ``JOB`` and ``CLUSTER`` stand for files, of which the latter holds ``cluster``.
        archive: of the job; None for a folder that is there.
        cluster: a cluster file.
        lines: of Python, instead of arguments.
    """

    packages: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    archive: str | None = None
    cluster: str = ""
    lines: str = ""


def _scanned(package: str, archive: str) -> Need:
    return Need((package,), ("scan", "JOB"), archive)


def _started(package: str, cluster: str) -> Need:
    return Need((package,), ("scan", "JOB", "--cluster", "CLUSTER"), None, cluster)


NEEDS: dict[str, tuple[Need, ...]] = {
    "birdnet": (
        Need(("onnx",), ("models", "get", "birdnet-v2.4")),
        Need(("tflite",), ("models", "get", "birdnet-v2.4")),
        Need(("onnx",), ("models", "split", "whole.onnx", "--at", "mel", "--to", "halves")),
    ),
    "birdvoxdetect": (
        Need(("h5py",), ("models", "get", "birdvoxdetect")),
        Need(("onnx",), ("models", "get", "birdvoxdetect")),
    ),
    "analysis": (Need(("xarray",), lines="import birddask; birddask.open_mels('results')"),),
    "pictures": (
        Need(("jinja2",), ("report", "JOB", "page.html")),
        Need(("PIL",), ("review", "JOB")),
        Need(("matplotlib",), ("show", "JOB", "a.wav")),
    ),
    "sftp": (_scanned("paramiko", "sftp://nas/cards"),),
    "smb": (_scanned("smbclient", "smb://nas/cards"),),
    "gs": (_scanned("gcsfs", "gs://forest/cards"),),
    "az": (_scanned("adlfs", "az://forest/cards"), _scanned("adlfs", "abfs://forest/cards")),
    "ssh": (_started("asyncssh", "{kind: ssh, hosts: [wren]}"),),
    "slurm": (_started("dask_jobqueue", "{kind: slurm, workers: 1, memory_per_worker: 1 GiB, walltime: '1:00:00'}"),),
    "kubernetes": (_started("dask_kubernetes", "{kind: kubernetes, image: birddask:1, memory_per_worker: 1 GiB}"),),
}
"""For each extra all that is told to need it. Without ``dashboard`` nothing fails: no link is shown."""


def said_without(need: Need, folder: Path, python: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a use in an environment without the packages.

    Args:
        need: what is done.
        folder: where, empty.
        python: of an environment without any extra; None for this one, in which the packages are hidden.
    """
    (folder / "archive").mkdir()
    (folder / "archive/a.wav").touch()
    job = write_job(folder / "job.yaml", need.archive or folder / "archive", folder / "results", "birdnet-v2.4")
    cluster = folder / "cluster.yaml"
    cluster.write_text(need.cluster)
    files = {"JOB": str(job), "CLUSTER": str(cluster)}
    body = need.lines or _PROGRAM
    text = body if python else _HIDING.replace("{hidden!r}", repr(set(need.packages))) + body
    command = [str(python or sys.executable), "-c", text, *(files.get(each, each) for each in need.arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=240)
