"""Audacity labels: for each recording a text file with begin, end (seconds) and text, separated by tabs, UTF-8.

Source: Audacity manual, "Importing and Exporting Labels"
(https://manual.audacityteam.org/man/importing_and_exporting_labels.html). The text is name and probability.
"""

from __future__ import annotations

from birddask.formats.format import Context
from birddask.formats.per_recording import PerRecording


def _line(_context: Context) -> str:
    text = "one_line(common_name) || printf(' %.4f', probability)"
    return f"concat_ws(chr(9), seconds(file_start_us), seconds(file_end_us), {text})"


FORMAT = PerRecording(".labels.txt", "", _line)
