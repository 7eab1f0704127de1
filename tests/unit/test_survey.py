from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birddask.accounting import count_recordings
from birddask.recordings.reasons import FLAGS, IGNORED, QUARANTINED
from birddask.recordings.recording import About, Recording, Scanned, Status
from birddask.survey.deployment import Deployment, Gap
from birddask.survey.survey import Copy, DamagedFile, Survey, survey

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(2025, 5, 3, 4, tzinfo=UTC)
RATE_HZ = 48_000
PLAIN = Recording(
    "a.WAV", 1, "usable", site="marsh", recorder="AA", sample_rate_hz=RATE_HZ, channels=1, frames=60 * RATE_HZ
)


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


NOW_US = us(datetime(2026, 1, 1, tzinfo=UTC))


def at(*starts: datetime | None) -> list[Scanned]:
    return [
        Scanned(replace(PLAIN, start_time_us=None if start is None else us(start)), About(utc_offset_min=60))
        for start in starts
    ]


def every(minutes: int, count: int, first: datetime = FIRST) -> list[datetime]:
    return [first + number * timedelta(minutes=minutes) for number in range(count)]


def only_deployment(rows: Sequence[Scanned]) -> Deployment:
    [deployment] = survey(rows, NOW_US).deployments
    return deployment


def about(facts: About) -> Scanned:
    return Scanned(PLAIN, facts)


def test_an_archive_without_files() -> None:
    assert survey([], NOW_US) == Survey(0, 0, 0, 0, 0.0, {}, {}, {}, (), {}, (), 0, ())


def test_a_small_archive_is_counted_with_every_number() -> None:
    usable = replace(PLAIN, path="marsh/1.WAV", flags="truncated,interrupted", start_time_us=us(FIRST))
    facts = About(
        utc_offset_min=60,
        model="AudioMoth",
        firmware="AudioMoth-Firmware-Basic (1.11.0)",
        battery_v=3.8,
        temperature_c=13.1,
        latitude_deg=52.1,
        longitude_deg=4.4,
    )
    other = replace(
        usable, path="moor/1.wav", site="moor", recorder=None, sample_rate_hz=22_050, frames=30 * 22_050, flags=""
    )
    unset = About(other_time_us=7_000_000)
    rows = [
        Scanned(other, About()),
        Scanned(usable, facts),
        Scanned(replace(other, start_time_us=None, flags="clock_unset"), unset),
        Scanned(Recording("fen/1.WAV", 0, "quarantined", "empty", site="fen"), About(detail="no bytes")),
        Scanned(Recording("marsh/2.WAV", 0, "quarantined", "empty", site="marsh"), About()),
        Scanned(Recording("marsh/3.WAV", 9, "quarantined", "no_header", site="marsh"), About()),
        Scanned(Recording("marsh/CONFIG.TXT", 9, "ignored", "sidecar"), About()),
        Scanned(Recording("marsh/1 1.WAV", 1, "ignored", "duplicate"), About(duplicate_of="marsh/1.WAV")),
    ]
    start = "2025-05-03T04:00:00+00:00"
    marsh = Deployment(
        site="marsh",
        recorder="AA",
        models=("AudioMoth",),
        firmwares=("AudioMoth-Firmware-Basic (1.11.0)",),
        sample_rates_hz=(48_000,),
        recordings=1,
        hours=1 / 60,
        utc_offset_min=60,
        first_start=start,
        last_start=start,
        days_recorded=1,
        days_spanned=1,
        usual_step_s=None,
        usual_length_s=60.0,
        gaps=(),
        lowest_battery_v=3.8,
        lowest_battery_limit="",
        lowest_temperature_c=13.1,
        highest_temperature_c=13.1,
        latitude_deg=52.1,
        longitude_deg=4.4,
        without_time=0,
        clock_unset=0,
        first_unset_clock=None,
        time_conflicts=0,
        starts_in_future=0,
        first_future_start=None,
        interrupted=1,
        truncated=1,
    )
    moor = Deployment(
        site="moor",
        recorder=None,
        models=(),
        firmwares=(),
        sample_rates_hz=(22_050,),
        recordings=2,
        hours=1 / 60,
        utc_offset_min=None,
        first_start=start,
        last_start=start,
        days_recorded=1,
        days_spanned=1,
        usual_step_s=None,
        usual_length_s=30.0,
        gaps=(),
        lowest_battery_v=None,
        lowest_battery_limit="",
        lowest_temperature_c=None,
        highest_temperature_c=None,
        latitude_deg=None,
        longitude_deg=None,
        without_time=1,
        clock_unset=1,
        first_unset_clock="1970-01-01T00:00:07+00:00",
        time_conflicts=0,
        starts_in_future=0,
        first_future_start=None,
        interrupted=0,
        truncated=0,
    )
    assert survey(rows, NOW_US) == Survey(
        found=8,
        usable=3,
        quarantined=3,
        ignored=2,
        usable_hours=1 / 30,
        quarantine_reasons={"empty": 2, "no_header": 1},
        ignore_reasons={"duplicate": 1, "sidecar": 1},
        flags={"clock_unset": 1, "interrupted": 1, "truncated": 1},
        deployments=(marsh, moor),
        damaged_sites={"fen": 1},
        damaged_files=(
            DamagedFile("fen/1.WAV", "empty", "no bytes"),
            DamagedFile("marsh/2.WAV", "empty", ""),
            DamagedFile("marsh/3.WAV", "no_header", ""),
        ),
        duplicates=1,
        duplicate_files=(Copy("marsh/1 1.WAV", "marsh/1.WAV"),),
    )


def test_a_file_that_was_changed_counts_once() -> None:
    rows = [
        Scanned(replace(PLAIN, superseded=True, flags="truncated", start_time_us=us(FIRST)), About(battery_v=1.0)),
        Scanned(PLAIN, About(battery_v=4.0)),
        Scanned(Recording("b.WAV", 0, "quarantined", "empty", superseded=True), About()),
        Scanned(Recording("c.WAV", 0, "ignored", "duplicate", superseded=True), About(duplicate_of="a.WAV")),
    ]
    assert survey(rows, NOW_US) == survey(rows[1:2], NOW_US)
    assert survey(rows, NOW_US).found == 1


def test_recorders_are_told_apart_and_so_are_sites() -> None:
    places = [("moor", "BB"), ("marsh", None), ("moor", "AA"), ("marsh", "AA"), ("moor", "AA"), ("moor", None)]
    rows = [Scanned(replace(PLAIN, site=site, recorder=recorder), About()) for site, recorder in places]
    found = [(each.site, each.recorder, each.recordings) for each in survey(rows, NOW_US).deployments]
    assert found == [("marsh", None, 1), ("marsh", "AA", 1), ("moor", None, 1), ("moor", "AA", 2), ("moor", "BB", 1)]


def test_a_gap_stands_between_two_starts() -> None:
    starts = [start for start in every(15, 96 * 3) if not 100 <= (start - FIRST) / timedelta(minutes=15) < 104]
    deployment = only_deployment(at(*starts))
    assert deployment.usual_step_s == 900
    assert deployment.gaps == (Gap("2025-05-04T04:45:00+00:00", "2025-05-04T06:00:00+00:00", 4),)
    assert (deployment.first_start, deployment.last_start) == ("2025-05-03T04:00:00+00:00", "2025-05-06T03:45:00+00:00")


def test_parts_of_a_second_do_not_change_the_step() -> None:
    beside = [start + timedelta(milliseconds=200 * (-1) ** number) for number, start in enumerate(every(1, 50))]
    deployment = only_deployment(at(*beside))
    assert (deployment.usual_step_s, deployment.gaps) == (60, ())
    assert deployment.last_start == "2025-05-03T04:48:59.800000+00:00"


def test_the_same_start_twice_and_overlapping_recordings_are_no_gaps() -> None:
    starts = every(5, 40)
    overlapping = starts[20] - timedelta(seconds=17)
    deployment = only_deployment(at(*starts, *starts[3:7], overlapping))
    assert (deployment.usual_step_s, deployment.gaps) == (300, ())


def test_days_begin_by_the_recorders_own_clock() -> None:
    late = [datetime(2025, 5, 3, 22, 30, tzinfo=UTC), datetime(2025, 5, 3, 23, 30, tzinfo=UTC)]
    at_home = [replace(row, about=About()) for row in at(*late)]
    eastward = [replace(row, about=About(utc_offset_min=600)) for row in at(*late)]
    days = [only_deployment(rows) for rows in (at(*late), at_home, eastward)]
    assert [(each.days_recorded, each.days_spanned) for each in days] == [(2, 2), (1, 1), (1, 1)]


def test_days_without_recordings_are_spanned() -> None:
    deployment = only_deployment(at(FIRST, FIRST + timedelta(days=3), FIRST + timedelta(days=9)))
    assert (deployment.days_recorded, deployment.days_spanned) == (3, 10)


def test_the_most_common_offset_is_the_recorders() -> None:
    offsets = [0, 60, None, 60, 120, None, None]
    assert only_deployment([about(About(utc_offset_min=each)) for each in offsets]).utc_offset_min == 60
    assert only_deployment([about(About(utc_offset_min=each)) for each in (120, -60)]).utc_offset_min == -60


def test_the_usual_length_is_the_median() -> None:
    lengths_s = [0.5, 60, 60, 55, 3600]
    rows = [Scanned(replace(PLAIN, frames=int(length_s * RATE_HZ)), About()) for length_s in lengths_s]
    assert only_deployment(rows).usual_length_s == 60.0
    assert only_deployment(rows[:1]).usual_length_s == 0.5
    assert only_deployment(rows).hours == pytest.approx(3775.5 / 3600)


@pytest.mark.parametrize(
    ("read", "lowest_v", "limit"),
    [
        ([(4.9, "above"), (4.9, "above")], 4.9, "above"),
        ([(4.9, "above"), (4.9, ""), (4.9, "above")], 4.9, ""),
        ([(2.5, ""), (2.5, "below"), (4.0, "")], 2.5, "below"),
        ([(4.9, "above"), (3.6, ""), (3.7, "")], 3.6, ""),
    ],
)
def test_the_lowest_battery_knows_the_end_of_the_scale(
    read: list[tuple[float, str]], lowest_v: float, limit: str
) -> None:
    rows = [about(About(battery_v=volts, battery_limit=end)) for volts, end in read]  # type: ignore[arg-type]
    deployment = only_deployment([*rows, about(About())])
    assert (deployment.lowest_battery_v, deployment.lowest_battery_limit) == (lowest_v, limit)


def test_temperatures_have_a_range() -> None:
    deployment = only_deployment([about(About(temperature_c=each)) for each in (13.1, -7.3, None, 39.1)])
    assert (deployment.lowest_temperature_c, deployment.highest_temperature_c) == (-7.3, 39.1)


def test_one_bad_fix_does_not_move_a_recorder() -> None:
    fixes = [(52.1, 4.4), (52.3, 4.6), (0.0, 0.0), (52.2, 4.5), (None, None), (89.0, None)]
    deployment = only_deployment([about(About(latitude_deg=lat, longitude_deg=long)) for lat, long in fixes])
    assert (deployment.latitude_deg, deployment.longitude_deg) == (52.1, 4.4)


def test_a_recorder_at_the_date_line_stays_there() -> None:
    fixes = [(-17.0, 179.99), (-17.0, -179.99)]
    deployment = only_deployment([about(About(latitude_deg=lat, longitude_deg=long)) for lat, long in fixes])
    assert deployment.longitude_deg == -179.99


def test_models_firmwares_and_rates_are_listed_once() -> None:
    rows = [
        Scanned(replace(PLAIN, sample_rate_hz=96_000), About(model="AudioMoth", firmware="1.11.0")),
        Scanned(PLAIN, About(model="AudioMoth", firmware="1.10.1")),
        Scanned(PLAIN, About()),
    ]
    deployment = only_deployment(rows)
    assert deployment.models == ("AudioMoth",)
    assert deployment.firmwares == ("1.10.1", "1.11.0")
    assert deployment.sample_rates_hz == (48_000, 96_000)


def test_starts_later_than_now_are_counted_and_say_nothing_else() -> None:
    future = [datetime(2085, 1, 1, tzinfo=UTC), datetime(2084, 1, 1, tzinfo=UTC)]
    regular = every(15, 10)
    deployment = only_deployment(at(*regular, *future, None))
    assert deployment.starts_in_future == 2
    assert deployment.first_future_start == "2084-01-01T00:00:00+00:00"
    told = only_deployment(at(*regular))
    assert replace(told, recordings=13, hours=13 / 60, without_time=1, starts_in_future=2) == replace(
        deployment, hours=13 / 60, first_future_start=None
    )


def test_a_recording_that_begins_now_does_not_begin_later() -> None:
    starts = [EPOCH + timedelta(microseconds=NOW_US + late) for late in (0, 1)]
    deployment = only_deployment(at(*starts))
    assert (deployment.starts_in_future, deployment.last_start) == (1, "2026-01-01T00:00:00+00:00")


def test_clocks_in_doubt_are_counted() -> None:
    rows = [
        Scanned(replace(PLAIN, flags="clock_unset"), About(other_time_us=70_000_000)),
        Scanned(replace(PLAIN, flags="clock_unset"), About(other_time_us=60_000_000)),
        Scanned(replace(PLAIN, flags="time_conflict,truncated", start_time_us=us(FIRST)), About(other_time_us=5)),
        Scanned(PLAIN, About()),
    ]
    deployment = only_deployment(rows)
    assert (deployment.clock_unset, deployment.without_time, deployment.time_conflicts) == (2, 3, 1)
    assert deployment.first_unset_clock == "1970-01-01T00:01:00+00:00"


def test_twenty_files_of_each_reason_are_named() -> None:
    damaged = [("empty", number) for number in range(25)] + [("no_header", number) for number in range(3)]
    rows = [Scanned(Recording(f"{reason}{n}.WAV", 0, "quarantined", reason), About()) for reason, n in damaged]
    copies = [
        Scanned(Recording(f"{number} 1.WAV", 0, "ignored", "duplicate"), About(duplicate_of=f"{number}.WAV"))
        for number in range(21)
    ]
    found = survey([*copies, *rows], NOW_US)
    assert found.quarantine_reasons == {"empty": 25, "no_header": 3}
    assert [file.path for file in found.damaged_files] == [
        *(f"empty{number}.WAV" for number in range(20)),
        *(f"no_header{number}.WAV" for number in range(3)),
    ]
    assert found.duplicates == 21
    assert found.duplicate_files == tuple(Copy(f"{number} 1.WAV", f"{number}.WAV") for number in range(20))


MOMENTS_US = st.integers(us(datetime(1972, 1, 1, tzinfo=UTC)), us(datetime(2100, 1, 1, tzinfo=UTC)))
FLAG_LISTS = st.lists(st.sampled_from(sorted(FLAGS)), unique=True).map(",".join)
SITES = st.sampled_from(["marsh", "moor", "fen", "unknown"])
ABOUTS = st.builds(
    About,
    detail=st.text(max_size=5),
    other_time_us=st.none() | MOMENTS_US,
    utc_offset_min=st.none() | st.integers(-720, 840),
    model=st.none() | st.sampled_from(["AudioMoth", "Song Meter Micro"]),
    firmware=st.none() | st.text(max_size=5),
    battery_v=st.none() | st.floats(0, 20),
    battery_limit=st.sampled_from(["", "below", "above"]),
    temperature_c=st.none() | st.floats(-90, 90),
    latitude_deg=st.none() | st.floats(-90, 90),
    longitude_deg=st.none() | st.floats(-180, 180),
)


@st.composite
def scanned(draw: st.DrawFn) -> Scanned:
    """A row of any status; few places, so that several rows share one."""
    status: Status = draw(st.sampled_from(["usable", "usable", "quarantined", "ignored"]))
    recording = Recording(
        draw(st.text(max_size=8)),
        1,
        status,
        site=draw(SITES),
        flags=draw(FLAG_LISTS),
        start_time_us=draw(st.none() | MOMENTS_US | st.integers(0, 60).map(lambda each: us(FIRST) + each * 60_000_000)),
        superseded=draw(st.integers(0, 9)) == 0,
    )
    facts = draw(ABOUTS)
    if status == "quarantined":
        return Scanned(replace(recording, reason=draw(st.sampled_from(sorted(QUARANTINED)))), facts)
    if status == "ignored":
        reason = draw(st.sampled_from(sorted(IGNORED)))
        original = "a.WAV" if reason == "duplicate" else None
        return Scanned(replace(recording, reason=reason), replace(facts, duplicate_of=original))
    rate_hz = draw(st.sampled_from([8_000, 22_050, 48_000]))
    frames = draw(st.integers(1, 10**9))
    recorder = draw(st.sampled_from([None, "AA", "BB"]))
    return Scanned(replace(recording, sample_rate_hz=rate_hz, frames=frames, channels=1, recorder=recorder), facts)


ROWS = st.lists(scanned(), max_size=19)


@settings(deadline=None)
@given(ROWS)
def test_counts_add_up(rows: list[Scanned]) -> None:
    found = survey(rows, NOW_US)
    counts = count_recordings([[row.recording for row in rows]])
    assert found.found == found.usable + found.quarantined + found.ignored
    assert found.found == sum(not row.recording.superseded for row in rows)
    for name, value in asdict(counts).items():
        assert getattr(found, name) == (pytest.approx(value) if name == "usable_hours" else value)
    assert found.usable == sum(each.recordings for each in found.deployments)
    assert found.usable_hours == pytest.approx(sum(each.hours for each in found.deployments))
    assert found.quarantined == sum(found.quarantine_reasons.values()) == len(found.damaged_files)
    assert found.duplicates == found.ignore_reasons.get("duplicate", 0) == len(found.duplicate_files)
    for name, flag in (("clock_unset", "clock_unset"), ("time_conflicts", "time_conflict"), ("truncated", "truncated")):
        assert found.flags.get(flag, 0) == sum(getattr(each, name) for each in found.deployments)
    for each in found.deployments:
        assert each.days_recorded <= min(each.recordings, each.days_spanned)
        assert each.without_time + each.starts_in_future <= each.recordings
        assert (each.first_start is None) == (each.without_time + each.starts_in_future == each.recordings)


@settings(deadline=None)
@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_rows_changes_only_which_files_are_named_first(
    orders: tuple[list[Scanned], list[Scanned]],
) -> None:
    one, other = (survey(rows, NOW_US) for rows in orders)
    assert Counter(one.damaged_files) == Counter(other.damaged_files)
    assert Counter(one.duplicate_files) == Counter(other.duplicate_files)
    assert replace(one, damaged_files=(), duplicate_files=()) == replace(other, damaged_files=(), duplicate_files=())


@settings(deadline=None)
@given(ROWS)
def test_a_survey_is_ready_for_json(rows: list[Scanned]) -> None:
    found = survey(rows, NOW_US)
    written = json.loads(json.dumps(asdict(found), allow_nan=False))
    assert written["quarantine_reasons"] == found.quarantine_reasons
    assert [each["first_start"] for each in written["deployments"]] == [each.first_start for each in found.deployments]
