"""When a recording began, decided between all that states it; pure.

What states its offset from UTC is believed before what does not, and the recorder's own metadata before the name of the
file. Where two disagree the row says so and keeps both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from birddask.recordings.moments import UNSET_CLOCK_BEFORE_US, US_PER_MIN
from birddask.recordings.recording import UNKNOWN

# Names are cut to the second; Frontier Labs' recorders begin some seconds before the moment in the name.
_SAME_WITHIN_US = 1_000_000
_SAME_WITHIN_OF_FLAC_US = US_PER_MIN
# Firmware 1.2.2 of 9 October 2019 added the minutes of a zone as seconds to the time in its header.
_HEADER_OFF_BY_AT_MOST_US = 61 * US_PER_MIN


@dataclass(frozen=True, slots=True)
class Stated:
    """A start time as one source states it.

    Attributes:
        source: ``guano``, ``comment``, ``wamd``, ``name`` or ``flac``.
        time_us: microseconds since 1970, in UTC if ``utc_offset_min`` is known, else on the recorder's own clock.
        utc_offset_min: of the recorder's clock, in minutes.
    """

    source: str
    time_us: int
    utc_offset_min: int | None


@dataclass(frozen=True, slots=True)
class ClockShift:
    """A correction of a recorder's clock, given by the user.

    Attributes:
        site: of the recordings it is for; None for any.
        folder: that they lie in, below the archive; empty for any.
        shift_us: what is to be added to the recorder's time.
        unset: it is for a clock that counted from 1970; other times of the same recorder are right.
    """

    site: str | None
    folder: str
    shift_us: int
    unset: bool

    def concerns(self, path: str, site: str) -> bool:
        """Whether the recording at ``path`` is meant."""
        return self.site in (None, site) and (not self.folder or path.startswith(f"{self.folder}/"))


@dataclass(frozen=True, slots=True)
class Offsets:
    """Offsets from UTC for times that state none.

    Attributes:
        card_min: from the settings that the recorder left beside the file, in minutes.
        assumed_min: from the job file.
    """

    card_min: int | None
    assumed_min: int


@dataclass(frozen=True, slots=True)
class Start:
    """A decision.

    Attributes:
        time_us: microseconds since 1970 UTC, None where nothing states it or the clock had not been set.
        source: as in ``Stated``, then ``_config`` or ``_assumed_offset`` where the offset is not the source's own;
            ``unset_clock`` or ``unknown``.
        flags: ``time_conflict``, ``offset_assumed``, ``clock_unset``, ``time_corrected``.
        other_time_us: what another source states, where it differs; the raw time of a clock that had not been set.
        utc_offset_min: of the recorder's clock, None where only assumed.
    """

    time_us: int | None
    source: str = UNKNOWN
    flags: tuple[str, ...] = ()
    other_time_us: int | None = None
    other_source: str | None = None
    utc_offset_min: int | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    stated: Stated
    time_us: int
    source: str

    def agrees_with(self, chosen: _Candidate) -> bool:
        within_us = _SAME_WITHIN_OF_FLAC_US if "flac" in (self.source, chosen.source) else _SAME_WITHIN_US
        if abs(self.time_us - chosen.time_us) < within_us:
            return True
        # Names are also changed to UTC by people and programs.
        return self.stated.utc_offset_min is None and abs(self.stated.time_us - chosen.time_us) < _SAME_WITHIN_US

    @property
    def unset(self) -> bool:
        return self.time_us < UNSET_CLOCK_BEFORE_US


def start_of(stated: Sequence[Stated], offsets: Offsets, *, header_unsure: bool) -> Start:
    """The start time that follows from what is stated.

    Args:
        stated: the more trusted first.
        offsets: for what states no offset itself.
        header_unsure: the header may be of the firmware that got minutes of zones wrong; then the name is right.
    """
    zoned = [each for each in stated if each.utc_offset_min is not None]
    own_min = next((each.utc_offset_min for each in zoned), None)
    ordered = [*zoned, *(each for each in stated if each.utc_offset_min is None)]
    candidates = [_candidate(each, own_min, offsets) for each in ordered]
    if not candidates:
        return Start(None)
    # A clock that had not been set says nothing against a name that was given later.
    candidates.sort(key=lambda candidate: candidate.unset)
    if header_unsure:
        candidates = _name_first(candidates)
    chosen, *rest = candidates
    offset_min = chosen.stated.utc_offset_min if own_min is None else own_min
    if offset_min is None:
        offset_min = offsets.card_min
    if chosen.unset:
        source = chosen.stated.source
        return Start(None, "unset_clock", ("clock_unset",), chosen.time_us, source, offset_min)
    flags = ("offset_assumed",) if chosen.source.endswith("_assumed_offset") else ()
    start = Start(chosen.time_us, chosen.source, flags, utc_offset_min=offset_min)
    other = next((candidate for candidate in rest if not candidate.agrees_with(chosen)), None)
    if other is None:
        return start
    return replace(
        start,
        flags=(*flags, "time_conflict"),
        other_time_us=other.time_us,
        other_source=other.source,
    )


def corrected(start: Start, shifts: Sequence[ClockShift]) -> Start:
    """A start time with the first of the user's corrections that is for such a clock."""
    unset = start.source == "unset_clock"
    raw_us = start.other_time_us if unset else start.time_us
    shift = next((shift for shift in shifts if shift.unset == unset), None)
    if shift is None or raw_us is None:
        return start
    source = start.other_source if unset and start.other_source else start.source
    flags = tuple(flag for flag in start.flags if flag != "clock_unset")
    return replace(
        start,
        time_us=raw_us + shift.shift_us,
        source=source,
        flags=(*flags, "time_corrected"),
        other_time_us=raw_us if unset else start.other_time_us,
    )


def _candidate(stated: Stated, own_min: int | None, offsets: Offsets) -> _Candidate:
    if stated.utc_offset_min is not None:
        return _Candidate(stated, stated.time_us, stated.source)
    if own_min is not None:
        return _Candidate(stated, stated.time_us - own_min * US_PER_MIN, stated.source)
    if offsets.card_min is not None:
        return _Candidate(stated, stated.time_us - offsets.card_min * US_PER_MIN, f"{stated.source}_config")
    assumed_us = stated.time_us - offsets.assumed_min * US_PER_MIN
    return _Candidate(stated, assumed_us, f"{stated.source}_assumed_offset")


def _name_first(candidates: list[_Candidate]) -> list[_Candidate]:
    first = candidates[0]
    for candidate in candidates:
        near = abs(candidate.time_us - first.time_us) <= _HEADER_OFF_BY_AT_MOST_US
        if candidate.stated.source == "name" and near and not candidate.agrees_with(first):
            return [candidate, *(each for each in candidates if each is not candidate)]
    return candidates
