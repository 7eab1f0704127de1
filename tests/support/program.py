"""The program as a user starts it."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from birddask.cli import main


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start ``birddask`` with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-m", "birddask", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def birddask(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``birddask`` with these arguments to its end, in a process of its own."""
    process = start(*arguments)
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def birddask_here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``birddask`` within this process, which spares the seconds that another one takes to start."""
    command = ["birddask", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", command)
        patch.setattr("sys.stdout", out)
        patch.setattr("sys.stderr", err)
        with pytest.raises(SystemExit) as ended:
            main()
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(command, int(ended.value.code or 0), *said)


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
