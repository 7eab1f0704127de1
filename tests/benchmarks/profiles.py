"""Where a first pass and a re-classification spend their time, as py-spy sees it; one core, without Dask.

    pip install -e . --group benchmark
    python -m tests.benchmarks.profiles ARCHIVE [--repeat 5]

A process is looked at 200 times a second; a look counts for the outermost of the parts below that it finds on the
stack, and for `other` if there is none.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.rows import Row, say

_RATE_PER_S = 200
_VERBS = {"first pass": "both (birddask/tasks/units.py", "again": "classify (birddask/tasks/units.py"}
# Each part by a function on the stack. Threads that read and write beside the computing one have no verb below them.
_PARTS = {
    "read": "read_pieces (birddask/mels/waveform.py",
    "resample": "resample_clip (birddask/mels/resample.py",
    "measure level": "_quality (birddask/mels/waveform.py",
    "mels": "FrontEnd.mels (birddask/mels/transform.py",
    "round mels": "encode (birddask/mels/coding.py",
    "encode and write mels": "commit_mels (birddask/tasks/making.py",
    "read mels": "read_ok_mels (birddask/tasks/scoring.py",
    "network": "run (birddask/models/runtime.py",
    "widen mels": "decode (birddask/mels/coding.py",
    "sigmoid and checks": "_probabilities (birddask/models/session.py",
    "tables": "write (birddask/table/results.py",
}
_BESIDE = ("read", "encode and write mels")

_PASSES = """
import sys, tempfile
from pathlib import Path
archive, repeat = Path(sys.argv[1]), int(sys.argv[2])
sys.argv = sys.argv[:1]
from tests.benchmarks.against_birdnetlib import birddask_passes
with tempfile.TemporaryDirectory() as folder:
    _, first, again = birddask_passes(archive, Path(folder) / "out")
    for _ in range(repeat):
        first()
        again()
"""


def looks(stacks: Iterable[str], verb: str) -> Counter[str]:
    """How often each part was seen within a verb, from the lines of py-spy's raw format."""
    seen: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        part = next((part for frame in frames for part, name in _PARTS.items() if name in frame), "other")
        beside = verb == "first pass" and part in _BESIDE
        if beside or any(_VERBS[verb] in frame for frame in frames):
            seen[part] += int(count)
    return seen


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("archive", type=Path)
    arguments.add_argument("--repeat", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "stacks"
        spy = Path(sys.executable).with_name("py-spy")
        record = [str(spy), "record", "--format", "raw", "--rate", str(_RATE_PER_S), "-o", str(raw)]
        passes = [sys.executable, "-c", _PASSES, str(options.archive), str(options.repeat)]
        subprocess.run([*record, "--", *passes], check=True, stdout=subprocess.DEVNULL)
        stacks = raw.read_text().splitlines()
    for verb in _VERBS:
        seen = looks(stacks, verb)
        rows = [Row(f"{verb}: {part}", f"{100 * n / seen.total():.1f} %") for part, n in seen.most_common()]
        say(rows, None)


if __name__ == "__main__":
    main()
