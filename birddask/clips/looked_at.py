"""What ``show`` shows of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from birddask.clips.picture import Mark, Panel
from birddask.recordings.moments import to_datetime
from birddask.table.clip_table import ClipRow


@dataclass(frozen=True)
class LookedAt:
    """A clip, ready to be drawn.

    Attributes:
        length_us: of the clip.
        panels: one a channel; none if no mels were computed.
        marks: of the time axis.
        labels: the likeliest ones with their probabilities; None if the clip is not scored.
    """

    row: ClipRow
    length_us: int
    panels: Sequence[Panel]
    marks: Sequence[Mark]
    labels: Sequence[tuple[str, float]] | None

    def title(self) -> list[str]:
        """Which clip it is, and when and where it was recorded, in two lines."""
        row = self.row
        span = f"{clock(row.offset_us)} to {clock(row.offset_us + self.length_us)}"
        when = "at an unknown time"
        if row.start_time_us is not None:
            when = f"{to_datetime(row.start_time_us):%Y-%m-%d %H:%M:%S} UTC"
        level = "" if row.level_dbfs is None else f", {row.level_dbfs:.0f} dBFS"
        return [f"{row.recording}, {span}", f"site {row.site}, {when}{level}"]


def clock(moment_us: int) -> str:
    """A time in a recording as ``00:12:30``, with the fraction of a second if there is one."""
    seconds, rest_us = divmod(moment_us, 1_000_000)
    fraction = f".{rest_us:06d}".rstrip("0").rstrip(".")
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"
