"""What AudioMoth writes into its recordings: the comment sentence, read clause by clause.

The wording changed with almost every firmware; clauses that are not known are left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Years of other centuries are no times, and near the ends of the calendar an offset would leave it.
_RECORDED = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d)(?:\.(\d{3}))? (\d\d)/(\d\d)/((?:19|20)\d\d)(?: \((UTC[^)]*)\))?"
)
_DEVICE = re.compile(r"by AudioMoth ([0-9A-F]{16})")
_ZONE = re.compile(r"UTC(?:([+-])(\d{1,2}))?(?::\s?(\d{1,2}))?$")
_TRIGGER = re.compile(r"Amplitude threshold was|Frequency trigger \(|Edge Impulse model used")
_SHARED_SERIAL = "0FE081F80FE081F0"
"""Printed by every unit with firmware up to 1.1.0: the address of the serial number, not the number."""


@dataclass(frozen=True)
class AudioMothComment:
    """What the sentence says.

    Attributes:
        start_time_us: microseconds since 1970 UTC, None if the sentence has no time.
        device: the serial number, None where not stated or not unique.
        triggered: silence may have been cut out of the recording.
    """

    start_time_us: int | None
    device: str | None
    triggered: bool


def parse_comment(text: str) -> AudioMothComment:
    """The clauses of an AudioMoth comment that are understood."""
    device = _DEVICE.search(text)
    serial = device.group(1) if device else None
    return AudioMothComment(
        start_time_us=_start_time_us(text),
        device=None if serial == _SHARED_SERIAL else serial,
        triggered=_TRIGGER.search(text) is not None,
    )


def _start_time_us(text: str) -> int | None:
    match = _RECORDED.search(text)
    if match is None:
        return None
    hour, minute, second, milliseconds, day, month, year, zone = match.groups()
    # Firmware 1.0 prints no zone and keeps UTC.
    offset = parse_zone(zone or "UTC")
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    if offset is None:
        return None
    return to_microseconds(local - offset) + 1000 * int(milliseconds or 0)


def parse_zone(text: str) -> timedelta | None:
    """``UTC``, ``UTC+1``, ``UTC-3:30`` and firmware 1.2.2's ``UTC:30`` as an offset from UTC."""
    match = _ZONE.match(text)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return -offset if sign == "-" else offset


def to_microseconds(moment: datetime) -> int:
    """Microseconds from 1970 UTC to an aware moment, exact."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
