"""Raven selection tables: a tab-separated text file for each recording; times in seconds, frequencies in Hz.

Sources: Raven Pro 1.4 User's Manual (Cornell Lab of Ornithology) on selection tables; the columns of BirdNET-Analyzer's
(https://github.com/birdnet-team/BirdNET-Analyzer/pull/306). Tables have no quotes: tabs and line ends in names become
spaces. The frequencies are those that the model can have heard.
"""

from __future__ import annotations

from birddask.formats.format import Context, place
from birddask.formats.per_recording import PerRecording


def _columns(context: Context) -> dict[str, str]:
    return {
        "View": "'Spectrogram 1'",
        "Channel": "1",
        "Begin Time (s)": "seconds(file_start_us)",
        "End Time (s)": "seconds(file_end_us)",
        "Low Freq (Hz)": "'0.0'",
        "High Freq (Hz)": f"printf('%.1f', least({context.heard_rate_hz}, sample_rate_hz) / 2)",
        "Begin File": "one_line(regexp_extract(recording, '[^/]*$', 0, 's'))",
        "Begin Path": f"one_line({place(context)})",
        "File Offset (s)": "seconds(file_start_us)",
        "Common Name": "one_line(common_name)",
        "Scientific Name": "one_line(scientific_name)",
        "Confidence": "printf('%.4f', probability)",
    }


def _line(context: Context) -> str:
    return f"concat_ws(chr(9), {', '.join(_columns(context).values())})"


_HEADER = "\t".join(["Selection", *_columns(Context("", "", "", 0))]) + "\n"

FORMAT = PerRecording(".selections.txt", _HEADER, _line, numbered=True)
