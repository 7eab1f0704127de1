"""What the benchmarks say: figures measured in turn within one run, with their spread."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

DISTURBED = 0.1
"""A spread above this says that something else ran on the machine."""

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        what: was compared.
        figure: with its unit.
        spread: of repeated measurements, the distance of the quartiles by the median; None for a single one.
    """

    what: str
    figure: str
    spread: float | None = None

    def line(self) -> str:
        """The row as text."""
        if self.spread is None:
            return f"{self.what}: {self.figure}"
        disturbed = ", disturbed" if self.spread > DISTURBED else ""
        return f"{self.what}: {self.figure} (spread {100 * self.spread:.0f} %{disturbed})"


def alternate(
    ways: Mapping[str, Work], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each way, round by round; a first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, work in ways.items():
            began = clock()
            work()
            if number:
                seconds[name].append(clock() - began)
    return seconds


def spread(measured: Sequence[float]) -> float:
    """The distance of the quartiles by the median."""
    if len(measured) < 2:
        return 0.0
    low, median, high = statistics.quantiles(measured, n=4, method="inclusive")
    return (high - low) / median


def ratio(what: str, slow: Sequence[float], fast: Sequence[float], note: str = "") -> Row:
    """How many times as fast the second is: the median of the rounds' ratios."""
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    return Row(what, f"{statistics.median(ratios):.2f} times as fast{f' ({note})' if note else ''}", spread(ratios))


def say(rows: Sequence[Row], file: Path | None) -> None:
    """Print rows, and add them to a file for the table."""
    for row in rows:
        print(row.line())
    if file:
        with file.open("a") as lines:
            lines.writelines(json.dumps(asdict(row)) + "\n" for row in rows)


def read_rows(file: Path) -> list[Row]:
    """Rows that ``say`` put into a file."""
    return [Row(**json.loads(line)) for line in file.read_text().splitlines()]


def parser_with_rows(description: str | None) -> argparse.ArgumentParser:
    """An argument parser that knows ``--rows FILE``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="add the figures to this file")
    return parser
