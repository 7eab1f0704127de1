"""A detection as a JSON object.

Times are whole microseconds (``start_us``, ``end_us``, in the recording) and ISO 8601 in UTC (``start_time``).
"""

from __future__ import annotations

from birddask.formats.format import Context, literal


def json_object(context: Context) -> str:
    """SQL for the object."""
    values = {
        "model": literal(context.model),
        **{name: name for name in ("clip", "clips", "site", "recording", "recorder", "start_us", "end_us")},
        "start_time": "moment(start_time_us)",
        **{name: name for name in ("label", "scientific_name", "common_name")},
        # By way of text, because JSON knows only doubles: 0.1 instead of 0.10000000149011612.
        "probability": "probability::VARCHAR::JSON",
    }
    return f"json_object({', '.join(f'{literal(name)}, {sql}' for name, sql in values.items())})"
