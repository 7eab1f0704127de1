"""Detections as other programs read them, a module a format."""

from collections.abc import Mapping

from birddask.formats.audacity import AUDACITY
from birddask.formats.birdnet_analyzer import BIRDNET_ANALYZER
from birddask.formats.csv_table import CSV
from birddask.formats.darwin_core import DARWIN_CORE
from birddask.formats.format import Context, Format
from birddask.formats.json_lines import GEOJSON, NDJSON
from birddask.formats.kaleidoscope import KALEIDOSCOPE
from birddask.formats.parquet_table import PARQUET
from birddask.formats.raven import RAVEN

FORMATS: Mapping[str, Format] = {
    "csv": CSV,
    "parquet": PARQUET,
    "raven": RAVEN,
    "audacity": AUDACITY,
    "kaleidoscope": KALEIDOSCOPE,
    "birdnet-analyzer": BIRDNET_ANALYZER,
    "geojson": GEOJSON,
    "darwin-core": DARWIN_CORE,
    "ndjson": NDJSON,
}

__all__ = ["FORMATS", "Context", "Format"]
