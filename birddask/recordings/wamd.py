"""Wildlife Acoustics' metadata in a ``wamd`` chunk; pure.

Layout and numbers are those of the maker's ``wa_meta.h``, version 1: little-endian (u16 kind, u32 length, value) one
behind the other, texts with or without a final NUL.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from birddask.recordings.moments import parse_timestamp
from birddask.recordings.positions import read_position, signed

_HEAD = struct.Struct("<HI")
_VERSION = 0x0000
_VERSION_1 = b"\x01\0"
_MODEL = 0x0001
_SERIAL = 0x0002
_FIRMWARE = 0x0003
_START_TIME = 0x0005
_FIRST_POSITION = 0x0006
_LAST_POSITION = 0x0014
_TEMPERATURE = 0x0015

# ``WGS84,nn.nnnnn,N,mmm.mmmmm,W[,altitude]``, without the datum in older files; Echo Meters write signs for letters.
_POSITION = re.compile(
    r"(?:WGS[^,]*)?,([+-]?\d{1,2}(?:\.\d{1,20})?)(?:,([NS]))?,([+-]?\d{1,3}(?:\.\d{1,20})?)(?:,([EW]))?(?:,.*)?",
    re.ASCII,
)
_CELSIUS = re.compile(r"([+-]?\d{1,3}(?:\.\d{1,9})?) ?C", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wamd:
    """What the chunk says; None where it does not.

    Attributes:
        start_time_us: microseconds since 1970, in UTC if ``utc_offset_min`` is known, else on the recorder's own clock.
        utc_offset_min: of the recorder's clock, in minutes.
        latitude_deg: -90 to 90, both or none of the two; where the recording began, else as last set.
        longitude_deg: -180 to 180.
        temperature_c: inside the recorder.
    """

    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    start_time_us: int | None = None
    utc_offset_min: int | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    temperature_c: float | None = None


def parse_wamd(content: bytes) -> Wamd:
    """The values that are understood, up to where the content is damaged or of another version."""
    values: dict[int, bytes] = {}
    position = 0
    while position + _HEAD.size <= len(content):
        kind, size = _HEAD.unpack_from(content, position)
        value = content[position + _HEAD.size : position + _HEAD.size + size]
        if len(value) < size or (kind == _VERSION and value != _VERSION_1):
            break
        values.setdefault(kind, value)
        position += _HEAD.size + size
    start_time_us, utc_offset_min = parse_timestamp(_text(values, _START_TIME))
    latitude_deg, longitude_deg = _parse_position(_text(values, _FIRST_POSITION) or _text(values, _LAST_POSITION))
    celsius = _CELSIUS.fullmatch(_text(values, _TEMPERATURE))
    return Wamd(
        model=_text(values, _MODEL) or None,
        serial=_text(values, _SERIAL) or None,
        firmware=_text(values, _FIRMWARE) or None,
        start_time_us=start_time_us,
        utc_offset_min=utc_offset_min,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        temperature_c=float(celsius[1]) if celsius else None,
    )


def _text(values: dict[int, bytes], kind: int) -> str:
    return values.get(kind, b"").split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def _parse_position(text: str) -> tuple[float | None, float | None]:
    match = _POSITION.fullmatch(text.replace(" ", ""))
    if match is None:
        return None, None
    latitude, north_or_south, longitude, east_or_west = match.groups()
    return read_position(
        signed(latitude, negative=north_or_south == "S"), signed(longitude, negative=east_or_west == "W")
    )
