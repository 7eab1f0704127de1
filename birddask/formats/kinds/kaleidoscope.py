"""A CSV file that Wildlife Acoustics' Kaleidoscope opens: a row a detection, with the place of the sound in its file.

INDIR is the input folder, FOLDER what lies between it and the file. Kaleidoscope shows only columns that it knows: the
species goes into TOP1MATCH and its probability into TOP1DIST, as BirdNET-Analyzer does since
https://github.com/birdnet-team/BirdNET-Analyzer/pull/856 (which quotes Kaleidoscope's documentation). OFFSET and
DURATION are in seconds.
"""

from __future__ import annotations

from birddask.detections.query import Columns
from birddask.formats.format import Context, literal
from birddask.formats.spreadsheet import Spreadsheet, guarded


def _columns(context: Context) -> Columns:
    return {
        "INDIR": guarded(literal(context.archive)),
        "FOLDER": guarded("regexp_extract(recording, '^(.*)/', 1, 's')"),
        "IN FILE": guarded("regexp_extract(recording, '[^/]*$', 0, 's')"),
        "OFFSET": "seconds(file_start_us)",
        "DURATION": "seconds(file_end_us - file_start_us)",
        "TOP1MATCH": guarded("common_name"),
        "TOP1DIST": "printf('%.4f', probability)",
    }


FORMAT = Spreadsheet(_columns)
