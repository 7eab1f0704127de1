"""What all metadata of a file together say about it: comment, GUANO, wamd, name, settings; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from birddask.recordings.audiomoth import Comment, parse_artist
from birddask.recordings.comments import read_comment
from birddask.recordings.config_txt import DeviceConfig
from birddask.recordings.flac_comments import Sensor
from birddask.recordings.guano import Guano, parse_guano
from birddask.recordings.names import NameFacts, parse_name
from birddask.recordings.recording import About
from birddask.recordings.start import Stated
from birddask.recordings.wamd import Wamd, parse_wamd

# The next file begins where such a recording ends.
_NOT_EARLY = frozenset({"", "file_size_limit"})

# It may become a site, and so the name of a folder.
_RECORDER = re.compile(r"[^/\x00-\x1f]{1,64}")

T = TypeVar("T")


@dataclass(frozen=True)
class Texts:
    """The metadata of a file as they were read, each parsed once.

    Attributes:
        path: below the archive.
        sensor: what a FLAC file's comments say.
    """

    path: str
    comment: str = ""
    artist: str = ""
    guano: str = ""
    wamd: bytes = b""
    sensor: Sensor = field(default_factory=Sensor)

    @cached_property
    def said(self) -> Comment:
        """The comment's clauses."""
        return read_comment(self.comment)

    @cached_property
    def guano_facts(self) -> Guano:
        """The GUANO fields."""
        return parse_guano(self.guano)

    @cached_property
    def wamd_facts(self) -> Wamd:
        """The fields of Wildlife Acoustics' chunk."""
        return parse_wamd(self.wamd)

    @cached_property
    def name(self) -> NameFacts:
        """What the name says."""
        return parse_name(self.path)

    @property
    def triggered(self) -> bool:
        """Whether silence may have been cut out."""
        return self.said.triggered or self.name.triggered or self.guano_facts.triggered

    @property
    def audiomoth(self) -> bool:
        """Whether an AudioMoth wrote the file as it is, not a program that cut it from another one."""
        return (self.said.model or "").startswith("AudioMoth") and not self.said.derived

    @property
    def stopped_early(self) -> bool:
        """Whether the recorder says that it had to stop."""
        return self.name.unfinished or self.said.stop_reason not in _NOT_EARLY


def recorder_of(texts: Texts) -> str | None:
    """The serial number of the recorder, or else what stands before the date in the file's name."""
    named = (
        texts.said.device,
        parse_artist(texts.artist),
        texts.guano_facts.serial,
        texts.wamd_facts.serial,
        texts.sensor.serial,
        texts.name.prefix,
    )
    return next((each for each in named if each and _RECORDER.fullmatch(each)), None)


def said_starts(texts: Texts) -> list[Stated]:
    """All start times that are stated, the more trusted first."""
    return list(_said_starts(texts))


def _said_starts(texts: Texts) -> Iterator[Stated]:
    for source, facts in (
        ("guano", texts.guano_facts),
        ("comment", texts.said),
        ("wamd", texts.wamd_facts),
        ("name", texts.name),
        ("flac", texts.sensor),
    ):
        if facts.start_time_us is not None:
            yield Stated(source, facts.start_time_us, facts.utc_offset_min)


def describe(texts: Texts, config: DeviceConfig | None, about: About) -> About:
    """``about`` with everything that the recorder says about itself.

    Args:
        texts: the file's own metadata.
        config: the settings beside the file, if they are of the same recorder or the file does not say which it is.
        about: what is known otherwise.
    """
    said, guano, wamd, name, sensor = texts.said, texts.guano_facts, texts.wamd_facts, texts.name, texts.sensor
    own_config = config if config and config.device == recorder_of(texts) else None
    battery = said if said.battery_v is not None else guano
    places = (guano, wamd, sensor, name, own_config)
    place = next((each for each in places if each and each.latitude_deg is not None), None)
    place_source = place.location_source if isinstance(place, Guano | DeviceConfig) else None
    return replace(
        about,
        model=_first(guano.model, said.model, wamd.model, sensor.model),
        firmware=_first(guano.firmware, wamd.firmware, sensor.firmware, own_config.firmware if own_config else None),
        deployment=_first(said.deployment, guano.deployment),
        gain=_first(said.gain, guano.gain, sensor.gain),
        battery_v=_first(battery.battery_v, sensor.battery_v),
        battery_limit=battery.battery_limit,
        temperature_c=_first(said.temperature_c, guano.temperature_c, wamd.temperature_c),
        latitude_deg=place.latitude_deg if place else None,
        longitude_deg=place.longitude_deg if place else None,
        location_source=place_source,
        trigger=_first(said.trigger, guano.trigger),
        filter=_first(said.filter, guano.filter),
        stop_reason=said.stop_reason,
        comment=texts.comment,
        guano=texts.guano,
    )


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)
