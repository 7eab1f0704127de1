"""What the name of a recording tells, as AudioMoth and the other usual recorders write it; pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from birddask.recordings.moments import read_moment, to_microseconds
from birddask.recordings.positions import read_position

# Years of other centuries are serial numbers, and so is a date or a time with one more digit at its side.
_STAMP = re.compile(
    # Some of Frontier Labs' recorders write a space for the zero of a day.
    r"(?<!\d)(?P<date>(?:19|20)\d\d(?P<dash>-?)\d\d(?P=dash)[\d ]\d)(?:_T|[_T$ -])?"
    r"(?P<time>\d\d(?P<mark>[-:]?)\d\d(?P=mark)\d\d)(?!\d)"
    r"(?P<triggered>T(?![A-Za-z0-9]))?"
    r"(?:(?P<fraction>_\d{3}|\.\d{3}|\.\d{6})(?![A-Za-z0-9]))?"
    # Hours alone only right behind six digits: after 12-08-00 a further -01 counts copies, and _-27.6 is a latitude.
    r"(?:_?(?P<zone>Z|[+-](?:0\d|1[0-4]):?[0-5]\d|(?<=\d{6})[+-](?:0\d|1[0-4]))(?![A-Za-z0-9]|\.\d))?",
    re.ASCII,
)
# ``[27.2819 90.1361]``, ``_1.4647 116.9136_``, ``[+44.72053-062.80072]`` and ``_-18.2656+144.5564``.
_POSITION = re.compile(r"[\[_]([+-]?\d{1,2}\.\d+)(?: |(?=[+-]))([+-]?\d{1,3}\.\d+)(?=[\]_+-]|\Z)", re.ASCII)
# Other firmware of AudioMoth names the day in the folder only.
_TIME_OF_DAY = re.compile(r"(?:(?P<prefix>[0-9A-F]{16})_)?(?P<time>\d{6})T", re.ASCII)
_DAY = re.compile(r"\d{8}", re.ASCII)
# Without the serial number in front such digits may be in another order: 160219010101 was 2019-02-16 once.
_HYDROPHONE = re.compile(r"(?P<prefix>\d+)\.(?P<stamp>\d{12})", re.ASCII)
_HEX = re.compile(r"[0-9A-F]{8}")
# AudioMoth came out in 2017 and writes dates since firmware 1.2.0 of 2018. Units that were never updated may go on for
# years, but the later the end, the more serial numbers of eight digits would pass for times.
_FIRST_HEX_US = to_microseconds(datetime(2017, 7, 1, tzinfo=UTC))
_END_OF_HEX_US = to_microseconds(datetime(2030, 1, 1, tzinfo=UTC))
_COPY_MARK = re.compile(r"(?: - Copy| copy)?(?: \d{1,3}| ?\(\d{1,3}\))?\Z", re.ASCII)
_CHANNELS = re.compile(r"(?:^|_)[01]\+[01]\Z")


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What the name of a file tells.

    Attributes:
        start_time_us: microseconds since 1970, in UTC if ``utc_offset_min`` is known, else on the recorder's own clock.
        utc_offset_min: of the recorder's clock as the name states it, in minutes; None where the time is unknown too.
        prefix: what stands before the date, the recorder or its site; without Song Meter's mark of the channels.
        triggered: the name carries AudioMoth's mark of a triggered recording.
        latitude_deg: -90 to 90, both or none of the two.
        longitude_deg: -180 to 180.
        unfinished: the recorder was interrupted before it gave the recording its name.
    """

    start_time_us: int | None = None
    utc_offset_min: int | None = None
    prefix: str | None = None
    triggered: bool = False
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    unfinished: bool = False


def parse_name(path: str) -> NameFacts:
    """The facts in the path of a recording below the archive, with forward slashes and extension."""
    folder, name = posixpath.split(path)
    stem, extension = posixpath.splitext(name)
    stem = _COPY_MARK.sub("", stem)
    if match := _STAMP.search(stem):
        return _parse_dated_name(stem, match)
    if match := _TIME_OF_DAY.fullmatch(stem):
        day = posixpath.basename(folder)
        start_time_us, _ = read_moment(day + match["time"]) if _DAY.fullmatch(day) else (None, None)
        return NameFacts(start_time_us, prefix=match["prefix"], triggered=True)
    if match := _HYDROPHONE.fullmatch(stem):
        start_time_us, _ = read_moment("20" + match["stamp"])
        return NameFacts(start_time_us, prefix=match["prefix"])
    if _HEX.fullmatch(stem):
        seconds_us = int(stem, 16) * 1_000_000
        if _FIRST_HEX_US <= seconds_us < _END_OF_HEX_US:
            return NameFacts(seconds_us, 0)
    # AudioMoth's firmware for GPS renames the recording when it is complete.
    return NameFacts(unfinished=stem == "SAMPLES" and extension.lower() == ".wav")


def _parse_dated_name(stem: str, match: re.Match[str]) -> NameFacts:
    digits = re.sub("[-:]", "", match["date"] + match["time"]).replace(" ", "0")
    start_time_us, utc_offset_min = read_moment(digits, (match["fraction"] or "")[1:], match["zone"] or "")
    position = _POSITION.search(stem, match.end())
    latitude_deg, longitude_deg = read_position(*position.groups()) if position else (None, None)
    return NameFacts(
        start_time_us,
        utc_offset_min,
        prefix=_prefix(stem[: match.start()]),
        triggered=match["triggered"] is not None,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
    )


def _prefix(before: str) -> str | None:
    prefix = before.rstrip("_. -")
    # What is glued to the date, such as an S for start, tells nothing of the recorder.
    return None if prefix == before else _CHANNELS.sub("", prefix) or None
