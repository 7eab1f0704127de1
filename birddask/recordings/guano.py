"""GUANO, the lines of metadata in a ``guan`` chunk; pure.

Newer AudioMoths write it, Song Meters, Batloggers and others too. The fields are those of the GUANO specification 1.0;
what begins with ``OAD|`` is Open Acoustic Devices' own.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import Literal

from birddask.recordings.audiomoth import GAINS, SHARED_SERIAL
from birddask.recordings.moments import parse_timestamp
from birddask.recordings.names import parse_name
from birddask.recordings.positions import read_position

_BLANK = string.whitespace + "\0"
# The specification has one style; Song Meter writes a space for the T and zones such as +0100 and +1:00.
_POSITION = re.compile(r"([+-]?\d{1,3}(?:\.\d{1,20})?),? +([+-]?\d{1,3}(?:\.\d{1,20})?)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,3}(?:\.\d{1,9})?", re.ASCII)
_LOSES_MINUS = "(1.10.0)"
"""AudioMoth's firmware that prints degrees between -1 and 0 without their sign."""
_BELOW_V, _ABOVE_V = 2.4, 5.0
"""What AudioMoth writes for less than 2.5 V and for more than 4.9 V, the ends of what it can measure."""

_GAIN = re.compile(r" GAIN ([0-4])(?!\d)", re.ASCII)
_TRIGGERED = re.compile(" (?:FREQ|AMP) ")
_FREQUENCY = re.compile(
    r" FREQ (?P<centre_hz>\d{1,6}) (?P<window>\d{1,5}) (?P<threshold>\d{1,3}(?:\.\d{1,9})?)% (?P<minimum_s>\d{1,5})",
    re.ASCII,
)
_AMPLITUDE = re.compile(
    r" AMP (?P<level>-?\d{1,5}(?:\.\d{1,9})?)(?P<unit>%|dB)?(?: (?P<minimum_s>\d{1,5}))?(?!\S)", re.ASCII
)
_FILTER = re.compile(r" (?P<kind>LPF|HPF) (?P<cut_off_hz>\d{1,6})(?!\S)", re.ASCII)
_BAND_PASS = re.compile(r" BPF (?P<lower_hz>\d{1,6}) (?P<upper_hz>\d{1,6})(?!\S)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Guano:
    """What the metadata say; None or empty where they do not.

    Attributes:
        start_time_us: microseconds since 1970, in UTC if ``utc_offset_min`` is known, else on the recorder's own clock.
        utc_offset_min: of the recorder's clock, in minutes.
        serial: of the recorder, None where every unit has the same.
        latitude_deg: -90 to 90, both or none of the two.
        longitude_deg: -180 to 180.
        location_source: for example ``GPS``.
        battery_v: where ``battery_limit`` is ``below`` or ``above``, the end of what it can measure.
        temperature_c: inside the recorder.
        gain: ``low``, ``low-medium``, ``medium``, ``medium-high`` or ``high``.
        trigger: what had to be heard for the recorder to write, in words; None also where that is not understood.
        filter: what the recorder filtered, in words.
        triggered: a trigger was set, or the original name has AudioMoth's mark of it; a copy may be expanded since.
    """

    start_time_us: int | None = None
    utc_offset_min: int | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    deployment: str | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    location_source: str | None = None
    battery_v: float | None = None
    battery_limit: Literal["", "below", "above"] = ""
    temperature_c: float | None = None
    gain: str | None = None
    trigger: str | None = None
    filter: str | None = None
    triggered: bool = False


def parse_guano(text: str) -> Guano:
    """The fields that are understood, of the first line of each kind; all others are left alone."""
    fields: dict[str, str] = {}
    for line in re.split("[\r\n]", text):
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(_BLANK), value.strip(_BLANK))
    settings = fields.get("OAD|Recording Settings", "")
    firmware = fields.get("Firmware Version", "")
    original_name = fields.get("Original Filename", "")
    start_time_us, utc_offset_min = parse_timestamp(fields.get("Timestamp", ""))
    latitude_deg, longitude_deg = _parse_position(fields.get("Loc Position", ""), firmware)
    battery_v, battery_limit = _parse_battery(fields.get("OAD|Battery Voltage", ""))
    gain = _GAIN.search(settings)
    serial = fields.get("Serial")
    return Guano(
        start_time_us=start_time_us,
        utc_offset_min=utc_offset_min,
        model=fields.get("Model") or None,
        serial=None if serial == SHARED_SERIAL else serial or None,
        firmware=firmware or None,
        deployment=fields.get("OAD|Deployment ID") or None,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        location_source=fields.get("OAD|Loc Source") or None,
        battery_v=battery_v,
        battery_limit=battery_limit,
        temperature_c=_parse_number(fields.get("Temperature Int", "")),
        gain=GAINS[int(gain[1])] if gain else None,
        trigger=_parse_trigger(settings),
        filter=_parse_filter(settings),
        triggered=_TRIGGERED.search(settings) is not None or parse_name(original_name).triggered,
    )


def _parse_position(text: str, firmware: str) -> tuple[float | None, float | None]:
    match = _POSITION.fullmatch(text)
    if match is None:
        return None, None
    latitude, longitude = match.groups()
    if firmware.endswith(_LOSES_MINUS) and (latitude.startswith("0") or longitude.startswith("0")):
        return None, None
    return read_position(latitude, longitude)


def _parse_battery(text: str) -> tuple[float | None, Literal["", "below", "above"]]:
    voltage_v = _parse_number(text)
    if voltage_v == _BELOW_V:
        return 2.5, "below"
    if voltage_v == _ABOVE_V:
        return 4.9, "above"
    return voltage_v, ""


def _parse_number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _parse_trigger(settings: str) -> str | None:
    if match := _FREQUENCY.search(settings):
        return (
            f"frequency {_kilohertz(match['centre_hz'])} kHz, window {match['window']} samples, "
            f"threshold {match['threshold']} %, {match['minimum_s']} s minimum"
        )
    if match := _AMPLITUDE.search(settings):
        level = f"{match['level']} {match['unit']}" if match["unit"] else match["level"]
        minimum = f", {match['minimum_s']} s minimum" if match["minimum_s"] else ""
        return f"amplitude {level}{minimum}"
    return None


def _parse_filter(settings: str) -> str | None:
    if match := _BAND_PASS.search(settings):
        return f"band-pass {_kilohertz(match['lower_hz'])}-{_kilohertz(match['upper_hz'])} kHz"
    if match := _FILTER.search(settings):
        kind = "low-pass" if match["kind"] == "LPF" else "high-pass"
        return f"{kind} {_kilohertz(match['cut_off_hz'])} kHz"
    return None


def _kilohertz(hertz: str) -> str:
    """With one decimal, as in AudioMoth's comments."""
    return f"{int(hertz) / 1000:.1f}"
