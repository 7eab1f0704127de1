"""The CSV columns of BirdNET-Analyzer 2, for all recordings in one file; seconds count from the begin of the file.

Sources: ``--rtype csv`` of https://birdnet-team.github.io/BirdNET-Analyzer/usage/cli.html; the columns are quoted in
https://github.com/nationalparkservice/NSNSDAcoustics/issues/16.
"""

from __future__ import annotations

from birddask.detections.query import Columns
from birddask.formats.format import Context, place
from birddask.formats.spreadsheet import Spreadsheet, guarded


def _columns(context: Context) -> Columns:
    return {
        "Start (s)": "seconds(file_start_us)",
        "End (s)": "seconds(file_end_us)",
        "Scientific name": guarded("scientific_name"),
        "Common name": guarded("common_name"),
        "Confidence": "printf('%.4f', probability)",
        "File": guarded(place(context)),
    }


FORMAT = Spreadsheet(_columns)
