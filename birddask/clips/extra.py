"""Whether there is what pictures and pages are made with."""

from __future__ import annotations

import importlib.util

from birddask.errors import ConfigError

_PACKAGES = ("PIL", "jinja2", "matplotlib")


def require_pictures() -> None:
    """Raise ConfigError unless the packages of the extra ``pictures`` are installed."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"pictures need {', '.join(missing)}: pip install 'birddask[pictures]'")
