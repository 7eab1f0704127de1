from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.recordings.start import ClockShift, Offsets, Start, Stated, corrected, start_of

NOTHING_KNOWN = Offsets(None, 0)


def us(moment: str) -> int:
    return round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 1_000_000


def said(source: str, moment: str, utc_offset_min: int | None = None) -> Stated:
    return Stated(source, us(moment), utc_offset_min)


@pytest.mark.parametrize(
    ("stated", "offsets", "expected"),
    [
        ([], NOTHING_KNOWN, Start(None)),
        (
            [said("guano", "2025-05-03T03:13", 60), said("comment", "2025-05-03T03:13", 60)],
            NOTHING_KNOWN,
            Start(us("2025-05-03T03:13"), "guano", utc_offset_min=60),
        ),
        # A name on the recorder's clock agrees once the offset of the comment is taken off.
        (
            [said("comment", "2025-05-03T03:13", 630), said("name", "2025-05-03T13:43")],
            NOTHING_KNOWN,
            Start(us("2025-05-03T03:13"), "comment", utc_offset_min=630),
        ),
        # So does a name that somebody changed to UTC.
        (
            [said("comment", "2025-05-03T03:13", 630), said("name", "2025-05-03T03:13")],
            NOTHING_KNOWN,
            Start(us("2025-05-03T03:13"), "comment", utc_offset_min=630),
        ),
        (
            [said("comment", "2025-05-03T03:13", 60), said("name", "2025-05-03T04:14")],
            NOTHING_KNOWN,
            Start(us("2025-05-03T03:13"), "comment", ("time_conflict",), us("2025-05-03T03:14"), "name", 60),
        ),
        # What states an offset is believed before what does not.
        (
            [said("guano", "2025-05-03T05:13"), said("name", "2025-05-03T03:13", 120)],
            NOTHING_KNOWN,
            Start(us("2025-05-03T03:13"), "name", utc_offset_min=120),
        ),
        (
            [said("name", "2025-05-03T03:13")],
            Offsets(-90, 600),
            Start(us("2025-05-03T04:43"), "name_config", utc_offset_min=-90),
        ),
        (
            [said("name", "2025-05-03T03:13")],
            Offsets(None, 60),
            Start(us("2025-05-03T02:13"), "name_assumed_offset", ("offset_assumed",)),
        ),
        (
            [said("comment", "1970-01-01T00:00:07", 0), said("name", "1970-01-01T00:00:07")],
            NOTHING_KNOWN,
            Start(None, "unset_clock", ("clock_unset",), us("1970-01-01T00:00:07"), "comment", 0),
        ),
        # A name that was given later knows better than a clock that had not been set.
        (
            [said("comment", "1970-01-01T00:00:07", 0), said("name", "2025-05-03T03:13")],
            NOTHING_KNOWN,
            Start(us("2025-05-03T03:13"), "name", ("time_conflict",), us("1970-01-01T00:00:07"), "comment", 0),
        ),
        # A tape from before there were field recorders.
        (
            [said("name", "1985-05-03T03:13", 0)],
            NOTHING_KNOWN,
            Start(us("1985-05-03T03:13"), "name", utc_offset_min=0),
        ),
    ],
)
def test_the_most_trusted_source_decides_and_others_are_heard(
    stated: list[Stated], offsets: Offsets, expected: Start
) -> None:
    assert start_of(stated, offsets, header_unsure=False) == expected


@pytest.mark.parametrize(
    ("off_min", "header_unsure", "source"),
    [(30, True, "name"), (61, True, "name"), (62, True, "comment"), (30, False, "comment")],
)
def test_the_name_is_right_where_the_firmware_got_minutes_wrong(
    *, off_min: int, header_unsure: bool, source: str
) -> None:
    name = said("name", "2019-10-09T10:00")
    comment = Stated("comment", name.time_us - (330 - off_min) * 60_000_000, 330)
    found = start_of([comment, name], NOTHING_KNOWN, header_unsure=header_unsure)
    assert (found.source, found.flags) == (source, ("time_conflict",))
    assert {found.time_us, found.other_time_us} == {comment.time_us, us("2019-10-09T04:30")}


LATE = ClockShift(None, "", -3_600_000_000, unset=False)
UNSET = ClockShift(None, "", us("2025-05-03T04:00"), unset=True)


def test_a_correction_is_added_only_to_clocks_of_its_kind() -> None:
    right = Start(us("2025-05-03T03:13"), "comment", utc_offset_min=0)
    unset = Start(None, "unset_clock", ("clock_unset",), us("1970-01-01T00:00:07"), "comment", 0)
    assert corrected(right, [UNSET]) == right
    assert corrected(unset, [LATE]) == unset
    assert corrected(right, [UNSET, LATE]).time_us == us("2025-05-03T02:13")
    assert corrected(unset, [LATE, UNSET]) == Start(
        us("2025-05-03T04:00:07"), "comment", ("time_corrected",), us("1970-01-01T00:00:07"), "comment", 0
    )
    assert corrected(Start(None), [LATE, UNSET]) == Start(None)


@pytest.mark.parametrize(
    ("site", "folder", "concerned"),
    [
        (None, "", True),
        ("ridge", "", True),
        ("marsh", "", False),
        (None, "ridge/card 2", True),
        (None, "ridge/card", False),
        ("ridge", "ridge/card 2", True),
        ("marsh", "ridge/card 2", False),
    ],
)
def test_a_correction_is_for_a_site_or_a_folder(site: str | None, folder: str, *, concerned: bool) -> None:
    assert ClockShift(site, folder, 0, unset=False).concerns("ridge/card 2/x.wav", "ridge") == concerned


STATED = st.builds(
    Stated,
    st.sampled_from(["guano", "comment", "wamd", "name"]),
    st.integers(us("1969-01-01"), us("2090-01-01")),
    st.none() | st.integers(-720, 840),
)
OFFSETS = st.builds(Offsets, st.none() | st.integers(-720, 840), st.integers(-720, 840))


@given(stated=st.lists(STATED, max_size=4), offsets=OFFSETS, header_unsure=st.booleans())
def test_no_statement_is_lost_without_a_flag(stated: list[Stated], offsets: Offsets, *, header_unsure: bool) -> None:
    found = start_of(stated, offsets, header_unsure=header_unsure)
    assert (found.time_us is None) == (found.source in ("unknown", "unset_clock"))
    assert (found.other_time_us is None) == (not {"time_conflict", "clock_unset"} & set(found.flags))
    if found.time_us is not None:
        assert found.time_us >= us("1972-01-01")
    if any(each.utc_offset_min is not None and each.time_us >= us("1972-01-01") for each in stated):
        assert "offset_assumed" not in found.flags
