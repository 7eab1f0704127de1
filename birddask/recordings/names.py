"""Start time and recorder from a file's name, as the usual recorders write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from birddask.recordings.audiomoth import to_microseconds

# The century keeps numbers that are no dates apart, and a digit behind the time would be a number too.
_STAMP = re.compile(
    r"(?:^|(?P<prefix>.*?)_)"
    r"(?P<date>(?:19|20)\d{2}-?\d{2}-?\d{2})[_T$-]T?(?P<time>\d{2}-?\d{2}-?\d{2})(?!\d)"
    r"(?P<triggered>T(?![A-Za-z0-9]))?_?(?P<zone>Z|[+-]\d{4})?"
)
_HEX_NAME = re.compile(r"^[0-9A-F]{8}$")
_FIRST_AUDIOMOTH = datetime(2017, 7, 1, tzinfo=UTC)
_LAST_HEX_NAMES = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NameFacts:
    """What a file name tells.

    Attributes:
        start_time_us: microseconds since 1970, in UTC if ``zone_known``, else on the recorder's own clock.
        zone_known: the name states its offset from UTC, or its kind is always in UTC.
        prefix: what stands before the date, None if nothing does.
        triggered: the name carries AudioMoth's mark of a triggered recording.
    """

    start_time_us: int | None
    zone_known: bool
    prefix: str | None
    triggered: bool


def parse_name(stem: str) -> NameFacts:
    """The facts in a file name without its folder and extension."""
    match = _STAMP.match(stem)
    if match is None:
        return _parse_hex_name(stem)
    digits = (match["date"] + match["time"]).replace("-", "")
    prefix = match["prefix"] or None
    triggered = match["triggered"] is not None
    zone = match["zone"]
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC) - _offset(zone or "Z")
    except ValueError:
        return NameFacts(None, False, prefix, triggered)
    return NameFacts(to_microseconds(moment), zone is not None, prefix, triggered)


def _offset(zone: str) -> timedelta:
    if zone == "Z":
        return timedelta(0)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
    return -offset if zone[0] == "-" else offset


def _parse_hex_name(stem: str) -> NameFacts:
    """AudioMoth up to firmware 1.1.0: hexadecimal seconds since 1970 UTC."""
    if _HEX_NAME.match(stem):
        moment = datetime.fromtimestamp(int(stem, 16), tz=UTC)
        if _FIRST_AUDIOMOTH <= moment < _LAST_HEX_NAMES:
            return NameFacts(to_microseconds(moment), True, None, False)
    return NameFacts(None, False, None, False)
