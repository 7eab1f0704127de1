"""Days as columns of a chart, however many there are; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RECORDED_DAYS = 60
_COLUMNS = 60

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class DayColumns:
    """Which days a column stands for.

    Attributes:
        begins: int64 (column,), the first day of each; the last one ends with the last day.
        days_each: None if each recorded day has its own column and each gap between them one, however long.
    """

    begins: NDArray[np.intp]
    days_each: int | None

    @property
    def words(self) -> str:
        """How to read them."""
        if self.days_each is None:
            return "A column is a day that was listened to; a grey one stands for all the days between two of them."
        return f"A column is {self.days_each} days; in grey ones nothing was listened to."

    def summed(self, counts: Counts) -> Counts:
        """Counts by day, int64 (..., day), as counts by column."""
        sums: Counts = np.add.reduceat(counts, self.begins, axis=-1)
        return sums

    def marks(self, first_day: int, scored: Counts) -> list[tuple[float, str]]:
        """Dates: of each column where it begins, or in the middle of those of single days.

        Args:
            first_day: in days since 1970.
            scored: int64 (day,), scored clips.
        """
        dates = [str(np.datetime64(first_day + day, "D")) for day in self.begins.tolist()]
        if self.days_each is not None:
            return [(float(column), date) for column, date in enumerate(dates)]
        recorded = self.summed(scored) > 0
        return [(column + 0.5, date) for column, date in enumerate(dates) if recorded[column]]


def columns_of_days(scored: Counts) -> DayColumns:
    """Columns for so many scored clips a day, int64 (day,), the first and the last of which are not zero."""
    recorded = np.flatnonzero(scored)
    if recorded.size > _RECORDED_DAYS:
        days_each = -(-scored.size // _COLUMNS)
        return DayColumns(np.arange(0, scored.size, days_each), days_each)
    begins = np.union1d(recorded, recorded[:-1] + 1)
    return DayColumns(begins, None)
