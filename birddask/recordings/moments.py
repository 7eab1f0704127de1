"""Moments as whole microseconds, exact; what a clock can't have meant is no moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

# A clock that was never set counts from 1970 on, and no battery lasts for two years.
UNSET_CLOCK_BEFORE_US = 63_072_000_000_000
US_PER_S = 1_000_000
US_PER_MIN = 60 * US_PER_S
US_PER_DAY = 1440 * US_PER_MIN
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(?P<fraction>\d{1,9}))? ?"
    r"(?P<zone>Z|[+-]\d{1,2}(?::?\d\d)?)?",
    re.ASCII,
)
_ZONE = re.compile(r"([+-])(\d{1,2})(?::?([0-5]\d))?", re.ASCII)
_FURTHEST_OFFSET_MIN = 14 * 60


def to_microseconds(moment: datetime) -> int:
    """Microseconds from 1970 UTC to an aware moment, exact."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def to_datetime(moment_us: int) -> datetime:
    """The aware moment, in UTC, of so many microseconds from 1970 on; the inverse of ``to_microseconds``."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us)


def read_moment(digits: str, fraction: str = "", zone: str = "") -> tuple[int | None, int | None]:
    """Microseconds since 1970, and the offset from UTC in minutes, from the digits of a date and a time.

    The microseconds are in UTC if a zone is stated, else on the clock of whoever wrote them, and the offset is None.
    Both are None where no clock can show such digits: hour 25, 31 February, a year outside 1900 to 2100.

    Args:
        digits: fourteen, from the year to the second.
        fraction: further digits of the second; cut off behind the sixth.
        zone: ``Z``, or hours with or without minutes, as in ``+10``, ``-0400`` or ``+1:00``, up to 14 hours.
    """
    date = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    time = int(digits[8:10]), int(digits[10:12]), int(digits[12:]), int(fraction[:6].ljust(6, "0"))
    try:
        local_us = to_microseconds(datetime(*date, *time, tzinfo=UTC))
    except ValueError:
        return None, None
    if not 1900 <= date[0] <= 2100:
        return None, None
    if not zone:
        return local_us, None
    match = _ZONE.fullmatch(zone.replace("Z", "+00"))
    if match is None:
        return None, None
    size_min = int(match[2]) * 60 + int(match[3] or 0)
    if size_min > _FURTHEST_OFFSET_MIN:
        return None, None
    offset_min = -size_min if match[1] == "-" else size_min
    return local_us - offset_min * US_PER_MIN, offset_min


def parse_timestamp(text: str) -> tuple[int | None, int | None]:
    """Microseconds since 1970 and the offset from UTC in minutes, of ``2024-09-03T20:26:15.785+01:00`` and the like.

    Without a zone the microseconds are on the recorder's own clock and the offset is None; what is no time gives None
    for both.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None, None
    return read_moment("".join(match.groups()[:6]), match["fraction"] or "", match["zone"] or "")
