"""JSON: a line for each detection, alone (https://github.com/ndjson/ndjson-spec) or as GeoJSON (RFC 7946).

Times are whole microseconds (``start_us``, ``end_us``, in the recording) and ISO 8601 in UTC (``start_time``). In
GeoJSON a detection is a point where its recorder stood, or a feature without a place (``geometry`` is null) where the
recording has no position.
"""

from __future__ import annotations

from dataclasses import dataclass

from birddask.detections.query import Columns
from birddask.formats.format import Context, Rows, literal
from birddask.storage import Folder, spooled

_POINT = "json_object('type', 'Point', 'coordinates', json_array(longitude_deg, latitude_deg))"


def _properties(context: Context) -> str:
    values = {
        "model": literal(context.model),
        **{name: name for name in ("clip", "clips", "site", "recording", "recorder", "start_us", "end_us")},
        "start_time": "moment(start_time_us)",
        **{name: name for name in ("label", "scientific_name", "common_name")},
        # By way of text, because JSON knows only doubles: 0.1 instead of 0.10000000149011612.
        "probability": "probability::VARCHAR::JSON",
    }
    return f"json_object({', '.join(f'{literal(name)}, {sql}' for name, sql in values.items())})"


@dataclass(frozen=True)
class JsonLines:
    """An object a line."""

    extension: str = ".ndjson"
    per_recording: bool = False

    def columns(self, context: Context) -> Columns:
        """The line."""
        return {"line": _properties(context)}

    def save(self, rows: Rows, folder: Folder, name: str) -> None:
        """Write the file."""
        with spooled(folder, name) as stream:
            for batch in rows:
                stream.writelines(f"{line}\n".encode() for line in batch["line"].to_pylist())


@dataclass(frozen=True)
class GeoJson:
    """A collection of features, one a line."""

    extension: str = ".geojson"
    per_recording: bool = False

    def columns(self, context: Context) -> Columns:
        """The feature."""
        located = "latitude_deg IS NOT NULL AND longitude_deg IS NOT NULL"
        geometry = f"CASE WHEN {located} THEN {_POINT} END"
        return {"line": f"json_object('type', 'Feature', 'geometry', {geometry}, 'properties', {_properties(context)})"}

    def save(self, rows: Rows, folder: Folder, name: str) -> None:
        """Write the file."""
        between = '{"type":"FeatureCollection","features":[\n'
        with spooled(folder, name) as stream:
            for batch in rows:
                for line in batch["line"].to_pylist():
                    stream.write(f"{between}{line}".encode())
                    between = ",\n"
            stream.write((between if between.startswith("{") else "").encode() + b"\n]}\n")


NDJSON, GEOJSON = JsonLines(), GeoJson()
