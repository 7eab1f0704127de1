"""Recordings that no recorder wrote: inputs are changed again and again, and those kept that reach new code.

    python tests/fuzz/fuzz_recordings.py [--seconds 600]
        [--target wav|comment|guano|wamd|name|config|triggered|flac|all]

Ends at the first input for which something does not hold (``targets.py`` says what), with exit code 1: its trace is
printed by atheris, and the bytes to repeat it with. Nothing is left on disk. Atheris, Google's fuzzer for Python over
libFuzzer, has to be installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz.corpus import SEEDS, WORDS

ROOT = Path(__file__).parents[2]
# Of the clock, and long enough for a busy machine: less than that is measured on the processor's time.
_HUNG_AFTER_S = 5
_MOST_INPUT_BYTES = 4096


def finding(program: list[str], inputs: list[bytes], dictionary: list[bytes], seconds: int) -> bytes | None:
    """The first input that breaks something, None if none is found.

    Args:
        program: what calls ``targets.fuzz`` with its arguments, in a process of its own, for libFuzzer ends it.
        seconds: on the clock, 0 for no end.

    Raises:
        CalledProcessError: the process failed, but not at an input.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "inputs").mkdir()
        for number, content in enumerate(inputs):
            (folder / f"inputs/{number}").write_bytes(content)
        (folder / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in dictionary))
        flags = [
            f"-max_total_time={seconds}",
            f"-timeout={_HUNG_AFTER_S}",
            f"-max_len={_MOST_INPUT_BYTES}",
            f"-dict={folder}/words",
            "-keep_seed=1",
            "-print_final_stats=1",
        ]
        command = [sys.executable, *program, f"{folder}/found", *flags, f"{folder}/inputs"]
        ended = subprocess.run(command, cwd=ROOT, check=False)
        found = next(folder.glob("found*"), None)
        if found is None:
            ended.check_returncode()
            return None
        return found.read_bytes()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=int, default=600, help="in all, divided between the targets")
    arguments.add_argument("--target", choices=[*SEEDS, "all"], default="all")
    options = arguments.parse_args()
    chosen = [*SEEDS] if options.target == "all" else [options.target]
    for target in chosen:
        program = ["-m", "tests.fuzz.targets", target]
        found = finding(program, [*SEEDS[target]()], WORDS[target], max(options.seconds // len(chosen), 1))
        if found is not None:
            sys.exit(f"{target} does not hold for {found!r}")


if __name__ == "__main__":
    main()
