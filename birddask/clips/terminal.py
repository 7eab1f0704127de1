"""A clip in a terminal: each letter is two values, one above the other, as far as there are colours."""

from __future__ import annotations

from collections.abc import Iterator

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from birddask.clips.looked_at import LookedAt
from birddask.clips.picture import Panel, colours
from birddask.safe_text import printable

_WIDEST = 120
_ROWS = 12
_AXIS = 9
_SHADES = " .:-=+*#%@"


def show(clip: LookedAt, console: Console) -> None:
    """Print the spectrograms of a clip, and below them its likeliest labels."""
    for line in clip.title():
        console.print(Text(printable(line)), soft_wrap=True)
    width = min(console.width, _WIDEST) - _AXIS
    for panel in clip.panels:
        for row in _rows(panel, width, in_colour=console.color_system is not None):
            console.print(row, soft_wrap=True)
    if clip.panels:
        console.print(Text(_time_axis(clip, width)), soft_wrap=True)
    for label, probability in clip.labels or ():
        console.print(Text(f"{probability:.2f}  {printable(label)}"), soft_wrap=True)
    if clip.labels is None:
        console.print("not scored yet")


def _rows(panel: Panel, width: int, *, in_colour: bool) -> Iterator[Text]:
    names = {min(_ROWS - 1, int((1 - mark.place) * _ROWS)): mark.text for mark in panel.marks}
    colour_of = [Color.from_rgb(*rgb) for rgb in colours().tolist()]
    levels = panel.scaled(width, 2 * _ROWS if in_colour else _ROWS).tolist()
    for row in range(_ROWS):
        line = Text(f"{names.get(row, ''):>{_AXIS - 1}} ")
        if in_colour:
            for upper, lower in zip(levels[2 * row], levels[2 * row + 1], strict=True):
                line.append("▀", Style(color=colour_of[upper], bgcolor=colour_of[lower]))
        else:
            line.append("".join(_SHADES[level * len(_SHADES) // 256] for level in levels[row]))
        yield line


def _time_axis(clip: LookedAt, width: int) -> str:
    line = ""
    for mark in clip.marks:
        column = _AXIS + round(mark.place * width)
        at = min(column, _AXIS + width - len(mark.text))
        if at >= len(line):
            line = line.ljust(at) + mark.text
    return line
