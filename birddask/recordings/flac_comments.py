"""What a FLAC file says of itself in its Vorbis comments; pure.

Layout and limits are those of RFC 9639, sections 8.1 and 8.6. Frontier Labs' recorders tell everything there; what the
fields look like is known from recordings of firmware 3.08 to 3.30.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

from birddask.recordings.moments import parse_timestamp
from birddask.recordings.positions import read_position

HEAD_BYTES = 1 << 16
"""How much of a file is looked at. Comments stand in the first kilobytes, unless pictures stand before them."""

_MARKER = b"fLaC"
_BLOCK_HEAD_BYTES = 4
_PADDING, _COMMENTS, _LAST = 1, 4, 0x80

_BLANK = string.whitespace + "\0"
_FRONTIER_LABS = "Frontier Labs"
_UNKNOWN = "unknown"
# A recorder without a serial number calls itself -0000001.
_SERIAL = re.compile(r"[0-9A-Za-z]+")
# ``Firmware: V3.08``, ``V3.14``, ``3.30``, and ``3.20`` with the tags of a program that repaired the file.
_FIRMWARE = re.compile(r"(?:Firmware: ?)?V?([0-9][0-9A-Za-z.]*)")
_BATTERY = re.compile(r"(?:\d{1,3}p +)?(\d{1,2}(?:\.\d{1,3})?)V", re.ASCII)
# ISO 6709 with decimal degrees; older firmware writes a space between them and no slash.
_POSITION = re.compile(
    r"([+-]\d{1,2}(?:\.\d{1,20})?) ?([+-]\d{1,3}(?:\.\d{1,20})?)(?:[+-]\d{1,5}(?:\.\d{1,20})?)?/?", re.ASCII
)
# Where a recorder is that has never known its place.
_NOWHERE = (0.0, 0.0)
# Times are in whole seconds: this many of them tell a length from twice that length, to this share of it.
_SURE_FROM_S = 20
_OFF_BY_AT_MOST = 0.1


@dataclass(frozen=True, slots=True)
class FlacComments:
    """The block of comments; empty where there is none.

    Attributes:
        vendor: the program that wrote the file.
        entries: keys in capitals with their values, without the blanks around them; in the file's order.
    """

    vendor: str = ""
    entries: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Sensor:
    """What the comments say of a recorder; None or empty where they do not, or where it can't be true.

    Attributes:
        start_time_us: microseconds since 1970, in UTC if ``utc_offset_min`` is known, else on the recorder's own clock.
        utc_offset_min: of the recorder's clock, in minutes.
        duration_s: from start to end by that clock.
        gain: of the first channel that has a microphone, for example ``50dB``.
        latitude_deg: -90 to 90, both or none of the two.
        longitude_deg: -180 to 180.
        comment: a remark, of any program; copies of other recorders' files keep there what their headers said.
    """

    start_time_us: int | None = None
    utc_offset_min: int | None = None
    duration_s: float | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    gain: str | None = None
    battery_v: float | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    comment: str = ""


def parse_flac_comments(head: bytes) -> FlacComments:
    """The comments among the first bytes of a FLAC file, up to where they are damaged; empty for any other file."""
    head = head[:HEAD_BYTES]
    block = _comments_at(head)
    if block is None:
        return FlacComments()
    start = block + _BLOCK_HEAD_BYTES
    content = head[start : start + _block_bytes(head, block)]
    vendor, position = _text_at(content, 0)
    count = int.from_bytes(content[position : position + 4], "little")
    position += 4
    texts: list[str] = []
    while len(texts) < count and position < len(content):
        text, position = _text_at(content, position)
        texts.append(text)
    entries = (text.partition("=") for text in texts)
    return FlacComments(
        vendor.strip(_BLANK),
        tuple((key.strip(_BLANK).upper(), value.strip(_BLANK)) for key, equals, value in entries if equals),
    )


def without_comments(head: bytes) -> bytes:
    """The same bytes with the block of comments, if there is one, marked as padding."""
    block = _comments_at(head[:HEAD_BYTES])
    if block is None:
        return head
    return head[:block] + bytes([head[block] & _LAST | _PADDING]) + head[block + 1 :]


def read_sensor(comments: FlacComments) -> Sensor:
    """The recorder that wrote the comments; only Frontier Labs' are understood, and remarks of anyone."""
    fields: dict[str, str] = {}
    for key, value in comments.entries:
        fields.setdefault(key, value)
    comment = fields.get("COMMENT") or fields.get("DESCRIPTION", "")
    if comments.vendor != _FRONTIER_LABS:
        return Sensor(comment=comment)
    start_time_us, utc_offset_min = parse_timestamp(fields.get("RECORDINGSTART", ""))
    latitude_deg, longitude_deg = _parse_position(fields.get("SENSORLOCATION", ""))
    firmware = _FIRMWARE.match(fields.get("SENSORFIRMWAREVERSION", ""))
    return Sensor(
        start_time_us=start_time_us,
        utc_offset_min=utc_offset_min,
        duration_s=_duration_s(fields.get("RECORDINGSTART", ""), fields.get("RECORDINGEND", "")),
        model=f"{_FRONTIER_LABS} BAR",
        serial=_parse_serial(fields.get("SENSORUID", "")),
        firmware=firmware[1] if firmware else None,
        gain=_gain(fields),
        battery_v=_parse_battery(fields.get("BATTERYLEVEL", "")),
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        comment=comment,
    )


def recorded_frames(sensor: Sensor, stated_frames: int, sample_rate_hz: int) -> int:
    """How many frames a file has whose header states so many.

    Frontier Labs' firmware 3.17 to 3.24, and now and then 3.30, states twice as many as it recorded (problem FL010 of
    Open Ecoacoustics' list): half of them is right where the recorder's clock says so.
    """
    half = stated_frames // 2
    took_s = sensor.duration_s
    if took_s is None or took_s < _SURE_FROM_S or abs(half / sample_rate_hz - took_s) > _OFF_BY_AT_MOST * took_s:
        return stated_frames
    return half


def _comments_at(head: bytes) -> int | None:
    """Where the block of comments begins."""
    position = len(_MARKER) if head.startswith(_MARKER) else len(head)
    while position + _BLOCK_HEAD_BYTES <= len(head):
        if head[position] & ~_LAST == _COMMENTS:
            return position
        if head[position] & _LAST:
            break
        position += _BLOCK_HEAD_BYTES + _block_bytes(head, position)
    return None


def _block_bytes(head: bytes, block: int) -> int:
    return int.from_bytes(head[block + 1 : block + _BLOCK_HEAD_BYTES], "big")


def _text_at(content: bytes, position: int) -> tuple[str, int]:
    """The text at a position and the position behind it; empty, and the end, where it is not whole."""
    start = position + 4
    end = start + int.from_bytes(content[position:start], "little")
    if end > len(content):
        return "", len(content)
    return content[start:end].decode("utf-8", "replace"), end


def _duration_s(start: str, end: str) -> float | None:
    start_us, start_offset_min = parse_timestamp(start)
    end_us, end_offset_min = parse_timestamp(end)
    if start_us is None or end_us is None or (start_offset_min is None) != (end_offset_min is None):
        return None
    return (end_us - start_us) / 1_000_000 if end_us >= start_us else None


def _parse_serial(text: str) -> str | None:
    return text if _SERIAL.fullmatch(text) and text != _UNKNOWN else None


def _gain(fields: dict[str, str]) -> str | None:
    for channel in "12":
        if fields.get(f"MICROPHONEUID{channel}") != _UNKNOWN:
            return fields.get(f"CHANNELGAIN{channel}") or None
    return None


def _parse_battery(text: str) -> float | None:
    match = _BATTERY.fullmatch(text)
    battery_v = float(match[1]) if match else 0.0
    return battery_v or None


def _parse_position(text: str) -> tuple[float | None, float | None]:
    match = _POSITION.fullmatch(text)
    position = read_position(*match.groups()) if match else (None, None)
    return (None, None) if position == _NOWHERE else position
