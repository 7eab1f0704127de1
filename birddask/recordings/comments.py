"""The comment of a recording, whichever recorder wrote it; pure."""

from __future__ import annotations

from collections.abc import Callable

from birddask.recordings.audiomoth import Comment, parse_comment

# Each gives None for a comment that is not of its recorder. AudioMoth's is the last and takes any: it looks for each
# clause by itself, also in what programs made of the sentence.
_PARSERS: tuple[Callable[[str], Comment | None], ...] = (parse_comment,)


def read_comment(text: str) -> Comment:
    """What the comment says, by the first parser that knows it."""
    return next((said for parse in _PARSERS if (said := parse(text)) is not None), Comment())
