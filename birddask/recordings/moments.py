"""Moments as whole microseconds, exact; what a clock can't have meant is no moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# A clock that was never set counts from 1970 on, and no battery lasts for two years.
UNSET_CLOCK_BEFORE_US = 63_072_000_000_000


def to_microseconds(moment: datetime) -> int:
    """Microseconds from 1970 UTC to an aware moment, exact."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
