"""Names from file systems and labels as they can be shown."""

from __future__ import annotations

# Letters are joined or kept apart by them, in Persian and Hindi as in emoji.
_JOINERS = frozenset("\u200c\u200d")


def printable(text: str) -> str:
    """A text in one line, in which letters that can't be seen, line ends for example, are spelled out."""
    return "".join(
        each if each.isprintable() or each in _JOINERS else each.encode("unicode_escape").decode() for each in text
    )
