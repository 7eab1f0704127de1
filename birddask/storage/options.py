"""Storage options with secrets left out: what travels and is written says ``${NAME}``, never what NAME holds."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from birddask.errors import ConfigError
from birddask.fingerprint import canonical_json

Options = str
"""Options as canonical JSON, references unresolved; empty for none."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:key|secret|token|password|passwd|passphrase|credentials?|connection_string)$", re.IGNORECASE
)
# Shorter values stand by chance in any text.
_SHORTEST_SECRET = 4


def to_options(options: Mapping[str, object], source: str) -> Options:
    """Options as they may travel.

    Raises:
        ConfigError: a secret is written out.
    """
    for name, value in _leaves(options):
        if _SECRET_NAME.search(name) and not (isinstance(value, str) and _REFERENCE.fullmatch(value)):
            raise ConfigError(
                f"{source}: `{name}` must not be written out; put it into an environment variable of driver and "
                f"workers and write {name}: ${{NAME_OF_THE_VARIABLE}}"
            )
    return canonical_json(options) if options else ""


def resolve(options: Options) -> dict[str, Any]:
    """Options with the values of the environment of this process.

    Raises:
        ConfigError: a variable is not set.
    """
    resolved: dict[str, Any] = _resolved(json.loads(options)) if options else {}
    return resolved


def redacted(text: str, options: Options) -> str:
    """A text in which no value from the environment stands."""
    for name in _REFERENCE.findall(options):
        value = os.environ.get(name, "")
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, f"${{{name}}}")
    return text


def _resolved(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _resolved(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each) for each in value]
    return _REFERENCE.sub(_from_environment, value) if isinstance(value, str) else value


def _from_environment(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if value is None:
        raise ConfigError(
            f"the storage options name ${{{match[1]}}}, but the environment variable {match[1]} is not set"
        )
    return value


def _leaves(options: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield name, value
