"""Packages that only some kinds of clusters need."""

from __future__ import annotations

import importlib.util

from birddask.errors import ConfigError


def require_extra(extra: str, package: str) -> None:
    """Raise ConfigError if a package is missing, with the extra of birddask that brings it."""
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"clusters of the kind `{extra}` need a package more: pip install 'birddask[{extra}]'")
