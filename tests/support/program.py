"""The program as a user starts it: a process of its own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import yaml


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start ``birddask`` with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-m", "birddask", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def birddask(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``birddask`` with these arguments to its end."""
    process = start(*arguments)
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def write_job(path: Path, archive: Path | str, output: Path | str, model: Path | str, **settings: object) -> Path:
    """A job file."""
    job = {"archive": str(archive), "output": str(output), "model": str(model), **settings}
    path.write_text(yaml.safe_dump(job))
    return path


def tables(output: Path) -> dict[str, str]:
    """The hash of every table of an output, by path: recordings, clips and probabilities."""
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*.parquet"))
    }
