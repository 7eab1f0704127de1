"""How matplotlib draws for people: names as they are, without anything that is global."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import matplotlib as mpl

from birddask.safe_text import printable


@contextlib.contextmanager
def plain_text() -> Iterator[None]:
    """Inside it no ``$`` in a name begins a formula, and text stays text in SVG."""
    with mpl.rc_context({"text.parse_math": False, "svg.fonttype": "none"}), warnings.catch_warnings():
        # In SVG the browser has the letter; in PNG a box is what there is to draw.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
        yield


def short(name: str, letters: int) -> str:
    """A name in one line of at most so many letters."""
    shown = printable(name)
    return shown if len(shown) <= letters else f"{shown[: letters - 1]}…"
