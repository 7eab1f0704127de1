"""birddask's own columns as a CSV file: times in seconds behind the begin of the recording, and in UTC (ISO 8601)."""

from __future__ import annotations

from birddask.detections.query import Columns
from birddask.formats.format import Context, literal
from birddask.formats.spreadsheet import Spreadsheet, guarded


def _columns(context: Context) -> Columns:
    return {
        "site": guarded("site"),
        "recording": guarded("recording"),
        "recorder": guarded("recorder"),
        "start_s": "seconds(start_us)",
        "end_s": "seconds(end_us)",
        "start_time": "moment(start_time_us)",
        "label": guarded("label"),
        "scientific_name": guarded("scientific_name"),
        "common_name": guarded("common_name"),
        "probability": "probability::VARCHAR",
        "clips": "clips",
        "latitude_deg": "latitude_deg",
        "longitude_deg": "longitude_deg",
        "model": literal(context.model),
    }


FORMAT = Spreadsheet(_columns)
