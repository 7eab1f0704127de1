from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest

from tests.fuzz.corpus import SEEDS
from tests.fuzz.fuzz_recordings import ROOT

SECONDS = 4

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed; it is made for Linux on x86-64 only"
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("target", SEEDS)
def test_no_input_breaks_what_is_promised(target: str) -> None:
    ended = run("tests/fuzz/fuzz_recordings.py", "--target", target, "--seconds", str(SECONDS))
    assert ended.returncode == 0, ended.stderr
    counted = re.search(r"DONE +cov: (\d+)", ended.stderr)
    assert counted, ended.stderr
    # Without instrumentation it would be none.
    assert int(counted[1]) >= 10, ended.stderr


PROGRAM = """
import sys
from tests.fuzz.targets import fuzz

def check(packed):
    if packed == b"guan":
        {fault}

fuzz(check, sys.argv[1], sys.argv[2:])
"""
FAULTS = {
    "raises": ("raise KeyError('guan')", "KeyError"),
    "hangs": ("while True: pass", "libFuzzer: timeout"),
    "is slow": (
        "import time; end_s = time.thread_time() + 1.5\n        while time.thread_time() < end_s: pass",
        "AssertionError: took",
    ),
    "takes too much memory": ("bytes(65 << 20)", "MemoryError"),
    "writes where it may not": ("import ctypes; ctypes.memset(8, 0, 8)", "libFuzzer: deadly signal"),
}
"""A fault, and what is said of it."""


@pytest.mark.parametrize(("fault", "said"), FAULTS.values(), ids=FAULTS)
def test_an_input_that_breaks_something_is_shown(fault: str, said: str) -> None:
    program = ["-c", PROGRAM.format(fault=fault)]
    search = (
        f"from tests.fuzz.fuzz_recordings import finding; print(finding({program}, [b'bext', b'guan'], [b'g'], 20))"
    )
    ended = run("-c", search)
    assert "b'guan'" in ended.stdout.splitlines(), ended.stderr
    assert said in ended.stdout + ended.stderr
