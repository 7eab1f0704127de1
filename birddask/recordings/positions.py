"""Places on Earth; pure."""

from __future__ import annotations


def read_position(latitude: str, longitude: str) -> tuple[float | None, float | None]:
    """Degrees from two decimal numbers, None for both if they are no place on Earth."""
    latitude_deg, longitude_deg = float(latitude), float(longitude)
    if abs(latitude_deg) <= 90 and abs(longitude_deg) <= 180:
        return latitude_deg, longitude_deg
    return None, None


def signed(degrees: str, *, negative: bool) -> str:
    """A decimal number of degrees with the sign that a letter beside it tells: south and west are below 0."""
    return f"-{degrees.lstrip('+-')}" if negative else degrees
