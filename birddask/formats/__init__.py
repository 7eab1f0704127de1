"""Detections as other programs read them, imported when they are used: help only names them."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from birddask.errors import ConfigError
from birddask.formats import kinds

if TYPE_CHECKING:
    from birddask.formats.format import Format

_MODULES = {module.name.replace("_", "-"): module.name for module in pkgutil.iter_modules(kinds.__path__)}

FORMATS = tuple(_MODULES)
"""Their names."""


def find_format(name: str) -> Format:
    """A format by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in _MODULES:
        raise ConfigError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    found: Format = importlib.import_module(f"{kinds.__name__}.{_MODULES[name]}").FORMAT
    return found


__all__ = ["FORMATS", "find_format"]
