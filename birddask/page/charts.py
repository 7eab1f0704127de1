"""Charts as SVG inside the page: text stays text, and colours are those of the page, by day and by night."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from birddask.clips.drawing import plain_text, short

# Stand in for colours of the style sheet.
_INK, _FAINT, _DATA = "#010203", "#040506", "#070809"
_OF_THE_PAGE = {_INK: "var(--ink)", _FAINT: "var(--faint)", _DATA: "var(--data)"}
_POINTS_PER_INCH = 72
_ROW_POINTS = 15.0
_BARS_POINTS = 44.0
_BARS_ALONE_POINTS = 150.0
_AXIS_POINTS = 34.0
_SHADES = 32
_LEAST = 1e-9


@dataclass(frozen=True)
class Chart:
    """The same chart as SVG for two kinds of screens."""

    wide: str
    narrow: str


@dataclass(frozen=True)
class Axis:
    """Columns of a chart.

    Attributes:
        marks: places, counted in columns, with what stands there; as many of them are written as have room.
        clips: int64 (column,), drawn as bars.
    """

    marks: Sequence[tuple[float, str]]
    clips: NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    """A row of a heat map.

    Attributes:
        values: float64 (column,); a cell is shaded by the share of the highest one, and empty where it is NaN.
        end: what stands at its end.
    """

    name: str
    values: NDArray[np.float64]
    end: str


@dataclass(frozen=True)
class _Size:
    """Of a screen: ``letters`` of a name and ``marks`` of an axis have room, with ``mark_letters`` in all of them."""

    name: str
    width_points: float
    font_points: float
    letters: int
    marks: int
    mark_letters: int


_WIDE = _Size("wide", 640, 8.5, 34, 9, 90)
_NARROW = _Size("narrow", 266, 7.5, 18, 4, 30)


def bars(name: str, axis: Axis, mark: float | None) -> Chart:
    """How many clips each column has, on a logarithmic scale; a line at a mark, which is counted in columns.

    Args:
        name: keeps apart what the charts of a page refer to within themselves.
        axis: its clips are drawn.
        mark: where to draw a line.
    """

    def draw(size: _Size) -> Figure:
        figure = _figure(size, _BARS_ALONE_POINTS)
        axes = figure.add_subplot()
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(0.8, 2 * max(1, int(axis.clips.max(initial=0))))
        _draw_bars(axes, axis)
        _draw_marks(axes, axis, size)
        if mark is not None:
            axes.axvline(mark, color=_INK, linewidth=1, linestyle=(0, (3, 2)))
        return figure

    return _drawn(name, draw)


def heat_map(name: str, axis: Axis, rows: Sequence[Row]) -> Chart:
    """Rows of cells below the bars of the axis; a column without a bar is grey.

    Args:
        name: as for ``bars``.
        axis: the columns.
        rows: at least one.
    """
    values = np.array([row.values for row in rows])
    highest = np.nanmax(values, axis=1, initial=0)
    heights = (_BARS_POINTS, _ROW_POINTS * len(rows))
    places = np.arange(len(rows)) + 0.5

    def draw(size: _Size) -> Figure:
        figure = _figure(size, sum(heights) + _AXIS_POINTS)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=heights)
        _draw_bars(above, axis)
        above.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        above.tick_params(labelbottom=False, bottom=False)
        scaled = np.ma.masked_invalid(values / np.maximum(highest, _LEAST)[:, None])
        below.pcolormesh(scaled, cmap=_shades(), vmin=0, vmax=1)
        below.hlines(range(len(rows) + 1), 0, len(axis.clips), color=_FAINT, linewidth=0.4)
        for column in np.flatnonzero(axis.clips == 0).tolist():
            below.axvspan(column, column + 1, color=_FAINT, linewidth=0)
        below.invert_yaxis()
        below.set_yticks(places, [short(row.name, size.letters) for row in rows])
        right = below.secondary_yaxis("right")
        right.set_yticks(places, [row.end for row in rows])
        for axes in (below, right):
            axes.tick_params(axis="y", length=0)
            _plain(axes)
        _draw_marks(below, axis, size)
        return figure

    return _drawn(name, draw)


def _drawn(name: str, draw: Callable[[_Size], Figure]) -> Chart:
    svg = {}
    for size in (_WIDE, _NARROW):
        with plain_text(), rc_context({"font.size": size.font_points, "svg.hashsalt": f"{name} {size.name}"}):
            svg[size] = _svg(draw(size))
    return Chart(svg[_WIDE], svg[_NARROW])


def _figure(size: _Size, height_points: float) -> Figure:
    inches = size.width_points / _POINTS_PER_INCH, height_points / _POINTS_PER_INCH
    return Figure(inches, layout="constrained", frameon=False)


def _draw_bars(axes: Axes, axis: Axis) -> None:
    axes.bar(np.arange(len(axis.clips)), axis.clips, width=0.9, align="edge", color=_DATA, linewidth=0)
    axes.set_ylabel("clips")
    axes.grid(axis="y", color=_FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    _plain(axes)


def _draw_marks(axes: Axes, axis: Axis, size: _Size) -> None:
    longest = max((len(text) for _, text in axis.marks), default=1)
    most = min(size.marks, size.mark_letters // longest)
    shown = axis.marks[:: -(-len(axis.marks) // most)]
    axes.set_xlim(0, len(axis.clips))
    axes.set_xticks([place for place, _ in shown], [text for _, text in shown])
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.tick_params(color=_FAINT, labelcolor=_INK)
    axes.yaxis.label.set_color(_INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _shades() -> ListedColormap:
    """From nothing to the colour of data."""
    red, green, blue = (int(_DATA[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return ListedColormap([(red, green, blue, opaque) for opaque in np.linspace(0, 1, _SHADES).tolist()])


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = stream.getvalue()
    for stand_in, colour in _OF_THE_PAGE.items():
        svg = svg.replace(stand_in, colour)
    return svg[svg.index("<svg") :]
