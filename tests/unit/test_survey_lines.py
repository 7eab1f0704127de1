from __future__ import annotations

from dataclasses import replace

import pytest

from birddask.survey.deployment import Deployment, Gap
from birddask.survey.lines import survey_lines
from birddask.survey.survey import Copy, DamagedFile, Survey

MARSH = Deployment(
    site="marsh",
    recorder="242A2604603691DD",
    models=("AudioMoth",),
    firmwares=("AudioMoth-Firmware-Basic (1.11.0)",),
    sample_rates_hz=(48_000,),
    recordings=911,
    hours=75.9166,
    utc_offset_min=60,
    first_start="2025-05-02T23:00:00+00:00",
    last_start="2025-05-12T22:45:00.250000+00:00",
    days_recorded=10,
    days_spanned=10,
    usual_step_s=900,
    usual_length_s=300.0,
    gaps=(
        Gap("2025-05-07T00:30:00+00:00", "2025-05-07T01:00:00+00:00", 1),
        Gap("2025-05-09T23:30:00+00:00", "2025-05-10T11:45:00+00:00", 48),
    ),
    lowest_battery_v=3.6,
    lowest_battery_limit="",
    lowest_temperature_c=-2.5,
    highest_temperature_c=31.0,
    latitude_deg=52.146196,
    longitude_deg=4.474776,
    without_time=0,
    clock_unset=0,
    first_unset_clock=None,
    time_conflicts=0,
    starts_in_future=0,
    first_future_start=None,
    interrupted=2,
    truncated=1,
)
MOOR = replace(
    MARSH,
    site="moor",
    recorder=None,
    models=(),
    firmwares=(),
    sample_rates_hz=(22_050,),
    recordings=1,
    hours=0.0082,
    utc_offset_min=None,
    first_start=None,
    last_start=None,
    days_recorded=0,
    days_spanned=0,
    usual_step_s=None,
    usual_length_s=29.5,
    gaps=(),
    lowest_battery_v=None,
    lowest_temperature_c=None,
    highest_temperature_c=None,
    latitude_deg=None,
    longitude_deg=None,
    without_time=1,
    clock_unset=1,
    first_unset_clock="1970-01-01T00:00:07+00:00",
    interrupted=0,
    truncated=0,
)
SMALL = Survey(
    found=919,
    usable=912,
    quarantined=5,
    ignored=2,
    usable_hours=75.9248,
    quarantine_reasons={"empty": 4, "no_audio": 1},
    ignore_reasons={"duplicate": 1, "sidecar": 1},
    flags={"clock_unset": 1, "interrupted": 2, "truncated": 1},
    deployments=(MARSH, MOOR),
    damaged_sites={"fen": 1},
    damaged_files=(
        DamagedFile("marsh/20250504_040000.WAV", "empty", ""),
        DamagedFile("marsh/20250504_041500.WAV", "empty", "the file has no bytes"),
        DamagedFile("marsh/20250504_043000.WAV", "empty", "the file has no bytes"),
        DamagedFile("marsh/20250504_044500.WAV", "empty", "the file has no bytes"),
        DamagedFile(
            "fen/20250504_050000.WAV",
            "no_audio",
            "the header is whole but no samples follow; the recorder says: Recorded at 05:00:00 04/05/2025 (UTC) by "
            "AudioMoth 242A2604603691DD. Recording stopped due to SD card write error.",
        ),
    ),
    duplicates=1,
    duplicate_files=(Copy("marsh/20250503_000000 1.WAV", "marsh/20250503_000000.WAV"),),
)
PAGE = """\
recordings: 919 found = 912 usable (75.92 h) + 5 quarantined + 2 ignored
  quarantined: 4 x empty
  quarantined: 1 x no_audio
  ignored: 1 x duplicate
  ignored: 1 x sidecar

site marsh, recorder 242A2604603691DD
  recorded     911 recordings, 75.92 h, usually 5 min long, 48000 Hz
  time         2025-05-03 00:00 to 2025-05-12 23:45 (UTC+1), on 10 of 10 days
  device       AudioMoth, AudioMoth-Firmware-Basic (1.11.0)
  battery      3.6 V at the lowest
  temperature  -2.5 to 31.0 °C
  place        52.14620, 4.47478
  incomplete   2 ended early, 1 cut short
  schedule     a recording every 15 min
  gaps         2, 49 recordings missing in all
               2025-05-07 01:30 to 2025-05-07 02:00, 1 recording
               2025-05-10 00:30 to 2025-05-10 12:45, 48 recordings

site moor, recorder unknown
  recorded     1 recording, 0.01 h, usually 29.5 s long, 22050 Hz
  time         not known for 1 recording
  schedule     none to be seen, so gaps can't be told

clocks that are off or in doubt
  site moor, recorder unknown
    1 recording of a clock that was not set; it showed 1970-01-01T00:00:07+00:00 at first
  To correct a clock, write under `clocks` in the job file what it showed (`clock`) and what the
  time really was (`truth`), then scan with --refresh.

remarks on usable recordings
  clock_unset  1  the clock had not been set: the start time is unknown unless the job file corrects
                  it
  interrupted  2  ended before its time, the recorder says why or the length is odd
  truncated    1  fewer samples than the header declares; what is there is used

damaged: 5 files
  empty     4  the file has no bytes: power was lost, or the card was full or pulled, before the
               recording was closed
    marsh/20250504_040000.WAV
    marsh/20250504_041500.WAV
    marsh/20250504_043000.WAV
    marsh/20250504_044500.WAV
  no_audio  1  the header is whole but no samples follow
    fen/20250504_050000.WAV
      the header is whole but no samples follow; the recorder says: Recorded at 05:00:00 04/05/2025
      (UTC) by AudioMoth 242A2604603691DD. Recording stopped due to SD card write error.
  site fen has nothing usable, 1 damaged file

ignored: 2 files
  duplicate  1  a second copy of a recording, byte for byte; only the first one is used
  sidecar    1  written by a recorder beside its recordings: settings, logs, positions

copies: 1 file
  marsh/20250503_000000 1.WAV is a copy of marsh/20250503_000000.WAV
"""
EMPTY = Survey(0, 0, 0, 0, 0.0, {}, {}, {}, (), {}, (), 0, ())


def page_of(*deployments: Deployment) -> list[str]:
    return list(survey_lines(replace(EMPTY, deployments=deployments)))


def row_of(deployment: Deployment, heading: str) -> str:
    [line] = [line for line in page_of(deployment) if line.startswith(f"  {heading:<11}  ")]
    return line[15:]


def test_a_small_page() -> None:
    assert "".join(f"{line}\n" for line in survey_lines(SMALL)) == PAGE


def test_no_line_of_the_page_is_too_wide() -> None:
    assert max(len(line) for line in survey_lines(SMALL)) <= 100


def test_an_archive_without_files_has_one_line() -> None:
    assert list(survey_lines(EMPTY)) == ["recordings: 0 found = 0 usable (0.00 h) + 0 quarantined + 0 ignored"]


@pytest.mark.parametrize(
    ("step_s", "words"),
    [
        (1, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (900, "15 min"),
        (3600, "1 h"),
        (3601, "1 h 1 s"),
        (5400, "1 h 30 min"),
        (86_400, "24 h"),
    ],
)
def test_a_schedule_in_words(step_s: int, words: str) -> None:
    assert row_of(replace(MARSH, usual_step_s=step_s), "schedule") == f"a recording every {words}"


@pytest.mark.parametrize(
    ("length_s", "words"),
    [(0.5, "0.5 s"), (9.9997, "10 s"), (10.0, "10 s"), (29.97, "30 s"), (59.99, "60 s"), (299.98, "5 min")],
)
def test_a_length_in_words(length_s: float, words: str) -> None:
    assert f"usually {words} long" in row_of(replace(MARSH, usual_length_s=length_s), "recorded")


@pytest.mark.parametrize(
    ("offset_min", "shown"),
    [
        (None, "2025-05-02 23:00 to 2025-05-12 22:45 (UTC)"),
        (0, "2025-05-02 23:00 to 2025-05-12 22:45 (UTC)"),
        (330, "2025-05-03 04:30 to 2025-05-13 04:15 (UTC+5:30)"),
        (-210, "2025-05-02 19:30 to 2025-05-12 19:15 (UTC-3:30)"),
        (-600, "2025-05-02 13:00 to 2025-05-12 12:45 (UTC-10)"),
    ],
)
def test_times_are_shown_as_the_recorder_showed_them(offset_min: int | None, shown: str) -> None:
    assert row_of(replace(MARSH, utc_offset_min=offset_min), "time") == f"{shown}, on 10 of 10 days"


def test_one_day_is_a_day_and_unknown_times_are_said() -> None:
    deployment = replace(MARSH, utc_offset_min=0, days_recorded=1, days_spanned=1, without_time=3)
    assert row_of(deployment, "time").endswith(" (UTC), on 1 of 1 day; not known for 3 recordings")


def test_times_that_can_not_be_are_not_shown_as_times() -> None:
    deployment = replace(MARSH, first_start=None, last_start=None, starts_in_future=1)
    assert row_of(deployment, "time") == "later than now for 1 recording"


@pytest.mark.parametrize(
    ("volts", "limit", "words"),
    [
        (3.0, "", "3 V at the lowest"),
        (2.5, "below", "below 2.5 V at the lowest"),
        (4.9, "above", "above 4.9 V at the lowest"),
    ],
)
def test_a_battery_at_the_end_of_its_scale(volts: float, limit: str, words: str) -> None:
    assert row_of(replace(MARSH, lowest_battery_v=volts, lowest_battery_limit=limit), "battery") == words  # type: ignore[arg-type]


def test_a_schedule_without_gaps() -> None:
    assert row_of(replace(MARSH, gaps=()), "gaps") == "none"


def test_a_single_gap() -> None:
    assert row_of(replace(MARSH, gaps=MARSH.gaps[:1]), "gaps") == "1, 1 recording missing in all"


def test_what_is_not_incomplete_is_not_called_so() -> None:
    assert row_of(replace(MARSH, interrupted=0), "incomplete") == "1 cut short"
    assert row_of(replace(MARSH, truncated=0), "incomplete") == "2 ended early"
    assert not any("incomplete" in line for line in page_of(replace(MARSH, interrupted=0, truncated=0)))


def test_long_lists_are_shortened() -> None:
    gaps = (*MARSH.gaps * 8, MARSH.gaps[0])
    files = tuple(DamagedFile(f"{number}.WAV", "empty", "") for number in range(20))
    copies = tuple(Copy(f"{number} 1.WAV", f"{number}.WAV") for number in range(20))
    lines = list(
        survey_lines(
            replace(
                EMPTY,
                quarantined=300,
                quarantine_reasons={"empty": 300},
                deployments=tuple(replace(MARSH, site=f"{number:03}", gaps=gaps) for number in range(62)),
                damaged_sites={f"fen{number}": 2 for number in range(6)},
                damaged_files=files,
                duplicates=40,
                duplicate_files=copies,
            )
        )
    )
    assert sum(line.startswith("site ") for line in lines) == 50
    assert lines[lines.index("damaged: 300 files") - 2] == "and 12 more"
    assert lines.count(f"{'':15}and 12 more") == 50
    assert [line for line in lines if line.endswith("48 recordings")] == 100 * [
        "               2025-05-10 00:30 to 2025-05-10 12:45, 48 recordings"
    ]
    assert lines[lines.index("    4.WAV") + 1] == "    and 295 more"
    assert lines[lines.index("  site fen4 has nothing usable, 2 damaged files") + 1] == "  and 1 more"
    assert lines[-1] == "  and 35 more"


def test_five_of_five_are_not_shortened() -> None:
    lines = page_of(replace(MARSH, gaps=(*MARSH.gaps * 2, MARSH.gaps[0])))
    assert not any("more" in line for line in lines)


def test_every_doubt_about_a_clock_is_shown() -> None:
    deployment = replace(
        MOOR, clock_unset=12, starts_in_future=1, first_future_start="2085-01-01T00:00:00+00:00", time_conflicts=2
    )
    lines = page_of(MARSH, deployment)
    first = lines.index("clocks that are off or in doubt")
    assert lines[first + 1 : first + 5] == [
        "  site moor, recorder unknown",
        "    12 recordings of a clock that was not set; it showed 1970-01-01T00:00:07+00:00 at first",
        "    1 recording later than now, from 2085-01-01T00:00:00+00:00 on",
        "    2 recordings with two start times that differ",
    ]


def test_clocks_that_are_right_are_not_mentioned() -> None:
    assert not any("clock" in line for line in page_of(MARSH))


def test_codes_without_words_are_shown_as_they_are() -> None:
    lines = list(survey_lines(replace(EMPTY, quarantined=2, quarantine_reasons={"of_another_version": 2})))
    assert lines[-2:] == ["damaged: 2 files", "  of_another_version  2"]


def test_names_can_neither_break_a_line_nor_move_the_cursor() -> None:
    files = (DamagedFile("a\nb\x1b[2J\x85.WAV", "empty", ""), DamagedFile("Ödland/ä é.WAV", "empty", ""))
    lines = list(survey_lines(replace(EMPTY, quarantined=1, quarantine_reasons={"empty": 2}, damaged_files=files)))
    assert lines[-2:] == [r"    a\nb\x1b[2J\x85.WAV", "    Ödland/ä é.WAV"]
