"""What an AudioMoth writes beside its recordings about its settings: CONFIG.TXT, one a card.

Firmware 1.4.0 and later write it, and each new configuration overwrites it: it holds for recordings of the same device
only, and never against what a recording says itself. Keys and formats: the sources of firmware 1.4.0 to 1.11.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from birddask.recordings.audiomoth import parse_serial, parse_zone
from birddask.recordings.positions import read_position, signed

_ZONE_OF_DEVICE_TIME = re.compile(r"\((UTC[^()]{0,13})\)")
_LOCATION = re.compile(
    r"(?P<latitude>\d{1,2}\.\d{1,6})°(?P<north>[NS]) (?P<longitude>\d{1,3}\.\d{1,6})°(?P<east>[EW])"
    r"(?: \((?P<source>[^()]{1,40})\))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """The settings of one device; None where they are not stated.

    Attributes:
        device: the serial number, 16 hexadecimal digits.
        firmware: name and version as written, for example ``AudioMoth-Firmware-Basic (1.8.0)``.
        utc_offset_min: of the device's clock, in minutes.
        latitude_deg: -90 to 90, north is positive.
        longitude_deg: -180 to 180, east is positive.
        location_source: ``GPS``, ``Acoustic chime`` or ``Configuration app``.
    """

    device: str
    firmware: str
    utc_offset_min: int | None
    latitude_deg: float | None
    longitude_deg: float | None
    location_source: str | None


def parse_config(content: bytes) -> DeviceConfig | None:
    """The settings in a CONFIG.TXT, None if it does not name an AudioMoth and its firmware."""
    values: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").split("\n"):
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), value.strip())
    device, firmware = parse_serial(values.get("Device ID", "")), values.get("Firmware", "-")
    if device is None or firmware in ("", "-"):
        return None
    latitude_deg, longitude_deg, location_source = _location(values.get("Location", ""))
    return DeviceConfig(
        device=device,
        firmware=firmware,
        utc_offset_min=_utc_offset_min(values.get("Time zone", ""), values.get("Device time", "")),
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        location_source=location_source,
    )


def _utc_offset_min(time_zone: str, device_time: str) -> int | None:
    """The offset in either of the two places; firmware 1.10.0 moved it from the first to the second."""
    zone = _ZONE_OF_DEVICE_TIME.search(device_time)
    return parse_zone(zone[1] if zone else time_zone)


def _location(value: str) -> tuple[float | None, float | None, str | None]:
    """Latitude and longitude in degrees and where they come from, all or none."""
    match = _LOCATION.fullmatch(value)
    if match is None:
        return None, None, None
    latitude_deg, longitude_deg = read_position(
        signed(match["latitude"], negative=match["north"] == "S"),
        signed(match["longitude"], negative=match["east"] == "W"),
    )
    return latitude_deg, longitude_deg, None if latitude_deg is None else match["source"]
