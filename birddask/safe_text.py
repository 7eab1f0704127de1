"""Names from file systems, labels and answers, as they can be shown: in a line of text, in a cell of a spreadsheet.

A spreadsheet takes a text for a formula that begins with ``=``, ``+``, ``-`` or ``@``, also of full width, or with a
tab or a line end. It gets an apostrophe in front (OWASP: https://owasp.org/www-community/attacks/CSV_Injection), and so
does a text that looks as if it had got one: whoever takes one away has the text as it was.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

# Letters are joined or kept apart by them, in Persian and Hindi as in emoji.
_JOINERS = frozenset("\u200c\u200d")
_OF_FULL_WIDTH = "".join(chr(ord(sign) + 0xFEE0) for sign in "=+-@")
FORMULA = rf"^'*[=+\-@\t\r\n{_OF_FULL_WIDTH}]"
"""A regular expression, as DuckDB and Python read it."""


def printable(text: str) -> str:
    """A text in one line, in which letters that can't be seen, line ends for example, are spelled out."""
    return "".join(
        each if each.isprintable() or each in _JOINERS else each.encode("unicode_escape").decode() for each in text
    )


def printable_lines(text: str) -> str:
    """A text of lines, each of them printable: no name in it can steer a terminal."""
    return "\n".join(map(printable, text.split("\n")))


def safe(text: str) -> str:
    """A text as no spreadsheet takes it for a formula."""
    return re.sub(FORMULA, r"'\g<0>", text)


def as_written(text: str) -> str:
    """The text of which ``safe`` made this one."""
    return text[1:] if text.startswith("'") and re.match(FORMULA, text) else text


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The end of a message about a name that nothing has: what it may be misspelt for; empty if nothing is alike."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
