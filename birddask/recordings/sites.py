"""The site of a recording, read from its path by a pattern."""

from __future__ import annotations

import functools
import re

from birddask.errors import ConfigError

DEFAULT_PATTERN = "{site}/..."
# Folders that recorders make themselves, by day or for all their recordings: no names of places.
_RECORDERS_FOLDER = re.compile(r"(?:(?:19|20)\d{6}|data|dcim)/", re.IGNORECASE)
_FIELD = re.compile(r"\{([^{}]*)\}|(\.\.\.)")


def site_of(path: str, pattern: str) -> str | None:
    """The part of a path that the pattern names ``{site}``, None where the path does not match.

    ``{name}`` stands for one folder or a part of one, ``...`` for all that follows. The default pattern does not take
    a folder that a recorder made for the name of a place.

    Raises:
        ConfigError: the pattern has no ``{site}``, or a field that can't be a name, or one twice.
    """
    if pattern == DEFAULT_PATTERN and _RECORDERS_FOLDER.match(path):
        return None
    match = _compile(pattern).fullmatch(path)
    return match["site"] if match else None


@functools.cache
def _compile(pattern: str) -> re.Pattern[str]:
    expression, position, names = "", 0, set()
    for field in _FIELD.finditer(pattern):
        expression += re.escape(pattern[position : field.start()])
        name = field[1]
        if name is None:
            expression += ".+"
        elif not name.isidentifier():
            raise ConfigError(f"the site pattern {pattern!r} has {{{name}}}; a name is letters, digits and _")
        elif name in names:
            raise ConfigError(f"the site pattern {pattern!r} names {{{name}}} twice")
        else:
            expression += f"(?P<{name}>[^/]+)"
            names.add(name)
        position = field.end()
    if "site" not in names:
        raise ConfigError(f"the site pattern {pattern!r} has no {{site}}; for example {{site}}/...")
    return re.compile(expression + re.escape(pattern[position:]), re.DOTALL)
