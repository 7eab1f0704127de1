"""Detections as other programs read them, a module a format, imported when it is used: help only names them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from birddask.errors import ConfigError

if TYPE_CHECKING:
    from birddask.formats.format import Format

_HOMES = {
    "csv": "csv_table.CSV",
    "parquet": "parquet_table.PARQUET",
    "raven": "raven.RAVEN",
    "audacity": "audacity.AUDACITY",
    "kaleidoscope": "kaleidoscope.KALEIDOSCOPE",
    "birdnet-analyzer": "birdnet_analyzer.BIRDNET_ANALYZER",
    "geojson": "json_lines.GEOJSON",
    "darwin-core": "darwin_core.DARWIN_CORE",
    "ndjson": "json_lines.NDJSON",
}

FORMATS = tuple(_HOMES)
"""Their names."""


def find_format(name: str) -> Format:
    """A format by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in _HOMES:
        raise ConfigError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    module, _, attribute = _HOMES[name].partition(".")
    found: Format = getattr(importlib.import_module(f"birddask.formats.{module}"), attribute)
    return found


__all__ = ["FORMATS", "find_format"]
