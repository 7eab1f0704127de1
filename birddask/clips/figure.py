"""A clip as a PNG file with axes and labels."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from birddask.clips.drawing import plain_text, short
from birddask.clips.looked_at import LookedAt
from birddask.safe_text import printable

_INCHES = (10.0, 5.0)
_DOTS_PER_INCH = 120
_NAME_LETTERS = 40


def png(clip: LookedAt) -> bytes:
    """The spectrograms of a clip, one above the other, beside its likeliest labels."""
    with plain_text():
        figure = Figure(_INCHES, layout="constrained")
        figure.suptitle("\n".join(map(printable, clip.title())), fontsize="medium")
        grid = figure.add_gridspec(len(clip.panels), 2, width_ratios=(5, 1))
        for number, panel in enumerate(clip.panels):
            axes = figure.add_subplot(grid[number, 0])
            axes.imshow(panel.levels, cmap="magma", vmin=0, vmax=255, aspect="auto", extent=(0, 1, 0, 1))
            axes.set_yticks([mark.place for mark in panel.marks], [mark.text for mark in panel.marks])
            lowest = number == len(clip.panels) - 1
            axes.set_xticks([mark.place for mark in clip.marks], [mark.text if lowest else "" for mark in clip.marks])
            if not panel.marks:
                axes.set_ylabel("mel")
        axes = figure.add_subplot(grid[:, 1])
        axes.set_axis_off()
        for line, (label, probability) in enumerate(clip.labels or ()):
            text = f"{probability:.2f}  {short(label, _NAME_LETTERS)}"
            axes.text(0, 0.98 - 0.08 * line, text, transform=axes.transAxes, va="top", fontsize="small")
        if clip.labels is None:
            axes.text(0, 0.98, "not scored yet", transform=axes.transAxes, va="top", fontsize="small")
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_DOTS_PER_INCH)
    return stream.getvalue()
