"""What AudioMoth writes into its recordings: the comment sentence, read clause by clause.

The wording changed with almost every firmware, so each clause is looked for by itself; clauses that are not known are
left alone. Templates: the sources of firmware 1.0 to 1.11.1, GPS-Sync, LIFEPLAN, EdgeImpulse, AudioMoth Live and
AudioMoth Utils. All patterns are of bounded length: reading takes time in proportion to the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from birddask.recordings.moments import US_PER_MIN, read_moment

# Only firmware 1.0 prints no zone; a sentence of another kind without one does not tell the time.
_RECORDED = re.compile(
    r"Recorded at (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<millisecond>\d{3}))? "
    r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>19\d\d|20\d\d|2100) (?:\((?P<zone>[^()]{1,16})\)|by AudioMoth )",
    re.ASCII,
)
_WHO = re.compile(
    r"by AudioMoth (?:(?P<live>Live)|(?P<serial>[0-9A-F]{16}))\b|during deployment (?P<deployment>[0-9A-F]{16})\b"
)
_SERIAL = re.compile(r"[0-9A-F]{16}")
_ZONE = re.compile(r"UTC(?:([+-])(\d{1,2}))?(?::\s?([0-5]?\d))?", re.ASCII)
GAINS = ("low", "low-medium", "medium", "medium-high", "high")
_GAIN = re.compile(rf"\bat (?:gain setting (?P<setting>[0-4])\b|(?P<gain>{'|'.join(GAINS)}) gain\b)")
_BATTERY = re.compile(
    r"\bbattery (?P<state>state )?was (?:(?P<below>less than|<) |(?P<above>greater than|>) )?"
    r"(?P<volts>\d)\.(?P<decimals>\d\d?)V",
    re.ASCII,
)
_TEMPERATURE = re.compile(r"\btemperature was (-?\d{1,3}\.\d)C", re.ASCII)
_TRIGGERED = re.compile(r"Amplitude threshold was |Frequency trigger \(|Edge Impulse model used ")
# A clause as it is written, and in words.
_TRIGGERS = (
    (
        re.compile(
            r"Frequency trigger \((\d{1,3}\.\d)kHz and window length of (\d{1,5}) samples\) "
            r"threshold was (\d{1,3}(?:\.\d{1,6})?)%",
            re.ASCII,
        ),
        r"frequency \1 kHz, window \2 samples, threshold \3 %",
    ),
    (re.compile(r"Amplitude threshold was (-?\d{1,3}) ?dB", re.ASCII), r"amplitude \1 dB"),
    (re.compile(r"Amplitude threshold was (\d{1,3}(?:\.\d{1,6})?)%", re.ASCII), r"amplitude \1 %"),
    (re.compile(r"Amplitude threshold was (\d{1,5})(?= with|\.(?!\d))", re.ASCII), r"amplitude \1"),
    (re.compile(r"Edge Impulse model used"), "Edge Impulse model"),
)
_AT_LEAST = re.compile(r" with (\d{1,5})s minimum trigger duration", re.ASCII)
_FILTER = re.compile(
    r"\b(?P<kind>Low|High|Band)-pass filter (?:applied )?with (?:cut-off )?frequenc(?:y|ies) of "
    r"(?P<first>\d{1,3}\.\d)kHz(?: and (?P<second>\d{1,3}\.\d)kHz)?(?= applied|\.)",
    re.ASCII,
)
_STOP_REASONS = {
    "low battery voltage": "low_voltage",
    "low voltage": "low_voltage",
    "change of switch position": "switch_position",
    "switch position change": "switch_position",
    "microphone change": "microphone",
    "magnetic switch": "magnetic_switch",
    "file size limit": "file_size_limit",
    "total file size limit": "file_size_limit",
    "SD card write error": "sd_write_error",
    "Edge Impulse model error": "model_error",
}
_STOPPED = re.compile(
    rf"Recording (?:cancelled before completion|stopped) (?:due to|by) (?P<reason>{'|'.join(_STOP_REASONS)})\b"
)
SHARED_SERIAL = "0FE081F80FE081F0"
"""Printed by every unit with firmware up to 1.1.0: the address of the serial number, not the number."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What a comment says; None, empty or False where it does not.

    Attributes:
        start_time_us: microseconds since 1970 UTC.
        utc_offset_min: of the device's clock, in minutes; None only without a start time.
        device: the serial number, of AudioMoths 16 hexadecimal digits; None where not stated or not unique.
        deployment: the identifier that stands in its place where one was set, 16 hexadecimal digits.
        model: of the recorder, such as ``AudioMoth`` or ``AudioMoth Live``; None if the comment is of none.
        gain: ``low``, ``low-medium``, ``medium``, ``medium-high`` or ``high``.
        battery_v: where ``battery_limit`` is ``below`` or ``above``, the end of what the device can measure.
        trigger: what had to be heard for the device to write, in words; None also where the clause is not understood.
        triggered: there is a clause about a trigger: silence may have been cut out of the recording.
        filter: the kind and the frequencies in kHz, in words.
        stop_reason: why the recording ended before its time: ``low_voltage``, ``switch_position``, ``microphone``,
            ``magnetic_switch``, ``file_size_limit``, ``sd_write_error`` or ``model_error``.
        derived: AudioMoth Utils made the file from another one and replaced the sentence.
    """

    start_time_us: int | None = None
    utc_offset_min: int | None = None
    device: str | None = None
    deployment: str | None = None
    model: str | None = None
    gain: str | None = None
    battery_v: float | None = None
    battery_limit: Literal["", "below", "above"] = ""
    temperature_c: float | None = None
    trigger: str | None = None
    triggered: bool = False
    filter: str | None = None
    stop_reason: str = ""
    derived: bool = False


def parse_comment(text: str) -> Comment:
    """The clauses of an AudioMoth comment that are understood."""
    start_time_us, utc_offset_min = _start(text)
    who = _WHO.search(text)
    battery_v, battery_limit = _battery(text)
    temperature = _TEMPERATURE.search(text)
    stopped = _STOPPED.search(text)
    return Comment(
        start_time_us=start_time_us,
        utc_offset_min=utc_offset_min,
        device=parse_serial(who["serial"] or "") if who else None,
        deployment=who["deployment"] if who else None,
        model=("AudioMoth Live" if who["live"] else "AudioMoth") if who else None,
        gain=_gain(text),
        battery_v=battery_v,
        battery_limit=battery_limit,
        temperature_c=float(temperature[1]) if temperature else None,
        trigger=_trigger(text),
        triggered=_TRIGGERED.search(text) is not None,
        filter=_filter(text),
        stop_reason=_STOP_REASONS[stopped["reason"]] if stopped else "",
        derived=text.startswith(("Expanded from ", "Split from ")),
    )


def parse_artist(text: str) -> str | None:
    """The serial number in an artist entry (``AudioMoth`` and 16 hexadecimal digits), None for anything else."""
    maker, _, serial = text.partition(" ")
    return parse_serial(serial) if maker == "AudioMoth" else None


def parse_serial(text: str) -> str | None:
    """A serial number as AudioMoth prints it, 16 upper-case hexadecimal digits; None if it is none, or not unique."""
    return text if _SERIAL.fullmatch(text) and text != SHARED_SERIAL else None


def parse_zone(text: str) -> int | None:
    """``UTC``, ``UTC+1``, ``UTC-3:30`` and firmware 1.2.2's ``UTC:30`` as an offset from UTC in minutes.

    None for anything else, also for offsets beyond the -12 to +14 hours that can be configured.
    """
    match = _ZONE.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    size_min = int(hours or 0) * 60 + int(minutes or 0)
    offset_min = -size_min if sign == "-" else size_min
    return offset_min if -12 * 60 <= offset_min <= 14 * 60 else None


def _start(text: str) -> tuple[int | None, int | None]:
    """The start in microseconds UTC and the offset of its clock in minutes, both or none."""
    match = _RECORDED.search(text)
    offset_min = parse_zone(match["zone"] or "UTC") if match else None
    if match is None or offset_min is None:
        return None, None
    digits = "".join(match[part] for part in ("year", "month", "day", "hour", "minute", "second"))
    local_us, _ = read_moment(digits, match["millisecond"] or "")
    if local_us is None:
        return None, None
    return local_us - offset_min * US_PER_MIN, offset_min


def _gain(text: str) -> str | None:
    match = _GAIN.search(text)
    if match is None:
        return None
    return GAINS[int(match["setting"])] if match["setting"] else match["gain"]


def _battery(text: str) -> tuple[float | None, Literal["", "below", "above"]]:
    match = _BATTERY.search(text)
    if match is None:
        return None, ""
    # Firmware 1.0 fills the tenths up to two digits, so that 4.02V means 4.2 V; no other old one has two.
    decimals = match["decimals"][-1] if match["state"] else match["decimals"]
    volts = float(f"{match['volts']}.{decimals}")
    if match["below"]:
        return volts, "below"
    return volts, "above" if match["above"] else ""


def _trigger(text: str) -> str | None:
    for clause, words in _TRIGGERS:
        match = clause.search(text)
        if match:
            at_least = _AT_LEAST.match(text, match.end())
            return match.expand(words) + (f", {at_least[1]} s minimum" if at_least else "")
    return None


def _filter(text: str) -> str | None:
    match = _FILTER.search(text)
    if match is None:
        return None
    upto = f"-{match['second']}" if match["second"] else ""
    return f"{match['kind'].lower()}-pass {match['first']}{upto} kHz"
