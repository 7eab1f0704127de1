"""GeoJSON (RFC 7946): a feature for each detection, a line each.

It is a point where its recorder stood, or has no place (``geometry`` is null) where the recording has no position.
"""

from __future__ import annotations

from dataclasses import dataclass

from birddask.detections.query import Columns
from birddask.formats.format import Context, Rows
from birddask.formats.json_object import json_object
from birddask.storage import Folder, spooled

_POINT = "json_object('type', 'Point', 'coordinates', json_array(longitude_deg, latitude_deg))"


@dataclass(frozen=True)
class GeoJson:
    """A collection of features, one a line."""

    extension: str = ".geojson"
    per_recording: bool = False

    def columns(self, context: Context) -> Columns:
        """The feature."""
        located = "latitude_deg IS NOT NULL AND longitude_deg IS NOT NULL"
        geometry = f"CASE WHEN {located} THEN {_POINT} END"
        return {"line": f"json_object('type', 'Feature', 'geometry', {geometry}, 'properties', {json_object(context)})"}

    def save(self, rows: Rows, folder: Folder, name: str) -> None:
        """Write the file."""
        between = '{"type":"FeatureCollection","features":[\n'
        with spooled(folder, name) as stream:
            for batch in rows:
                for line in batch["line"].to_pylist():
                    stream.write(f"{between}{line}".encode())
                    between = ",\n"
            stream.write((between if between.startswith("{") else "").encode() + b"\n]}\n")


FORMAT = GeoJson()
