from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.errors import ConfigError
from birddask.recordings.audiomoth import AudioMothComment, parse_comment, parse_zone
from birddask.recordings.names import parse_name
from birddask.recordings.sites import DEFAULT_PATTERN, site_of


def utc(moment: str) -> int:
    """Microseconds since 1970."""
    return round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1e6)


OLD = "at gain setting 2 while battery state was"
MIDDLE = "at medium-high gain setting while battery state was 3.9V and temperature was 25.3C."
NEW = "at medium gain while battery was 4.1V and temperature was -7.3C."
CANCELLED = "Recording cancelled before completion due to low battery voltage."
FREQUENCY = (
    "Frequency trigger (30.0kHz and window length of 64 samples) threshold was 2% with 3s minimum trigger duration."
)


# The wordings of firmware 1.0 to 1.12 and of its relatives, most of them from real recordings.
@pytest.mark.parametrize(
    ("comment", "start", "device"),
    [
        (f"Recorded at 05:56:00 04/07/2017 by AudioMoth 0FE081F80FE081F0 {OLD} 4.02V", "2017-07-04T05:56:00", None),
        (
            f"Recorded at 19:17:30 06/04/2018 (UTC) by AudioMoth 0FE081F80FE081F0 {OLD} 4.5V",
            "2018-04-06T19:17:30",
            None,
        ),
        (
            f"Recorded at 02:00:00 30/10/2019 (UTC) by AudioMoth 243B1F055B2BF663 {OLD} 3.8V.",
            "2019-10-30T02:00:00",
            "243B1F055B2BF663",
        ),
        (
            f"Recorded at 06:00:00 04/07/2019 (UTC:30) by AudioMoth 24526B065D325963 {OLD} less than 3.6V. {CANCELLED}",
            "2019-07-04T05:30:00",
            "24526B065D325963",
        ),
        (
            f"Recorded at 18:30:00 03/01/2022 (UTC+10:30) by AudioMoth 243B1F075C7A37BE {MIDDLE}",
            "2022-01-03T08:00:00",
            "243B1F075C7A37BE",
        ),
        (
            f"Recorded at 19:30:00 09/08/2025 (UTC-5) by AudioMoth 248D9B04645707D7 {NEW}",
            "2025-08-10T00:30:00",
            "248D9B04645707D7",
        ),
        (
            f"Recorded at 03:00:50 08/03/2022 (UTC-3:30) during deployment 00000000A4168C14 {NEW}",
            "2022-03-08T06:30:50",
            None,
        ),
        (
            "Recorded at 10:00:00.123 28/05/2024 (UTC+1) by AudioMoth Live using 384kHz AudioMoth USB Microphone.",
            "2024-05-28T09:00:00.123",
            None,
        ),
        ("Recorded at 12:00:00 01/05/2025 (UTC+sunrise) by AudioMoth 24526B065D325963", None, "24526B065D325963"),
        ("Expanded from 20240903_202615T.WAV as file 1 of 2.", None, None),
        ("Recorded at 25:00:00 01/05/2025 (UTC) by someone", None, None),
        ("Recorded at 12:00:00 30/02/2025 (UTC) by someone", None, None),
        ("Recorded at 00:00:00 00/00/0000 (UTC) by someone", None, None),
        ("Recorded at 00:00:00 01/01/0001 (UTC+1) by someone", None, None),
        ("Recorded at 23:30:00 31/12/9999 (UTC-1) by someone", None, None),
        ("", None, None),
    ],
)
def test_the_time_and_the_device_are_read_from_every_wording(
    comment: str, start: str | None, device: str | None
) -> None:
    assert parse_comment(comment) == AudioMothComment(start and utc(start), device, triggered=False)


@pytest.mark.parametrize(
    "clause",
    [
        "Amplitude threshold was 60.",
        "Amplitude threshold was -62 dB with 51s minimum trigger duration.",
        "Amplitude threshold was 0.05% with 5s minimum trigger duration. Recording stopped due to low voltage.",
        "High-pass filter with frequency of 15.0kHz applied. Amplitude threshold was 4% with 5s minimum duration.",
        f"{FREQUENCY} High-pass filter with frequency of 15.0kHz applied. Recording stopped by magnetic switch.",
        "Edge Impulse model used with 5s minimum trigger duration.",
    ],
)
def test_a_clause_about_a_trigger_marks_the_recording(clause: str) -> None:
    sentence = f"Recorded at 20:26:15 03/09/2024 (UTC+1) by AudioMoth 24E144055E080032 {NEW} {clause}"
    assert parse_comment(sentence) == AudioMothComment(utc("2024-09-03T19:26:15"), "24E144055E080032", triggered=True)


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [
        ("UTC", 0),
        ("UTC+1", 60),
        ("UTC-10", -600),
        ("UTC+5:30", 330),
        ("UTC-3:30", -210),
        ("UTC+12:45", 765),
        ("UTC+0:30", 30),
        ("UTC-0:30", -30),
        ("UTC:30", 30),
        ("UTC: 5", 5),
        ("UTC+5: 5", 305),
        ("UTC+", None),
        ("UTC1", None),
        ("GMT", None),
        ("UTC+5:30 or so", None),
    ],
)
def test_zones_are_offsets_with_the_sign_on_the_minutes_too(zone: str, minutes: int | None) -> None:
    assert parse_zone(zone) == (None if minutes is None else timedelta(minutes=minutes))


@given(st.from_regex(r"Recorded at \d\d:\d\d:\d\d(\.\d{3})? \d\d/\d\d/\d{4}( \(UTC([+-]\d{1,2})?(:\d\d)?\))?"))
def test_no_comment_breaks_the_reader(comment: str) -> None:
    parse_comment(comment)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("20250503_031300", ("2025-05-03T03:13:00", False, None, False)),
        ("20250503_031300T", ("2025-05-03T03:13:00", False, None, True)),
        ("20250503_031300T 1", ("2025-05-03T03:13:00", False, None, True)),
        ("242A2604603691DD_20250503_031300", ("2025-05-03T03:13:00", False, "242A2604603691DD", False)),
        ("242A2604603691DD_20250503_031300T", ("2025-05-03T03:13:00", False, "242A2604603691DD", True)),
        ("20240903_202615T_SYNC", ("2024-09-03T20:26:15", False, None, True)),
        ("20250503_031300_SYNC", ("2025-05-03T03:13:00", False, None, False)),
        ("20250503_031300_785", ("2025-05-03T03:13:00", False, None, False)),
        ("2403750567C2A798_20260810_172300 1", ("2026-08-10T17:23:00", False, "2403750567C2A798", False)),
        ("S4A03895_20190522_000000", ("2019-05-22T00:00:00", False, "S4A03895", False)),
        ("SM301297_0+1_20170912_220000", ("2017-09-12T22:00:00", False, "SM301297_0+1", False)),
        ("OLONG-CH1_0+1_20171121$143444", ("2017-11-21T14:34:44", False, "OLONG-CH1_0+1", False)),
        ("SwiftOne_20220719_000000_-0400", ("2022-07-19T04:00:00", True, "SwiftOne", False)),
        ("OWL_123456_2022-07-19_T00-00-00", ("2022-07-19T00:00:00", False, "OWL_123456", False)),
        ("20191026T000000+1000_REC", ("2019-10-25T14:00:00", True, None, False)),
        ("8537_20210614T120000-0300_every1d6x4hrs", ("2021-06-14T15:00:00", True, "8537", False)),
        ("20160809_063108_Dawn _1.4647 116.9136_", ("2016-08-09T06:31:08", False, None, False)),
        ("20160809_063108_Tawny frogmouth", ("2016-08-09T06:31:08", False, None, False)),
        ("20250503_070000Test", ("2025-05-03T07:00:00", False, None, False)),
        ("20160809_063108_T", ("2016-08-09T06:31:08", False, None, False)),
        ("2022-08-30_12-08-00 (1)", ("2022-08-30T12:08:00", False, None, False)),
        ("20151212_123456Z", ("2015-12-12T12:34:56", True, None, False)),
        ("20230115_20250503_070000", ("2025-05-03T07:00:00", False, "20230115", False)),
        ("00012345_20250503_070000T", ("2025-05-03T07:00:00", False, "00012345", True)),
        ("19700101_000007", ("1970-01-01T00:00:07", False, None, False)),
        ("5B07C752", ("2018-05-25T08:20:34", True, None, False)),
        ("595B2DF0", ("2017-07-04T05:56:00", True, None, False)),
        ("20250230_031300", (None, False, None, False)),
        ("site_20250503_246000T", (None, False, "site", True)),
        ("00010101_000000+0100", (None, False, None, False)),
        ("99991231_235959-0100", (None, False, None, False)),
        ("00000000", (None, False, None, False)),
        ("20190101", (None, False, None, False)),
        ("FFFFFFFF", (None, False, None, False)),
        ("5b07c752", (None, False, None, False)),
        ("5AFCD4F45AFCD4F4", (None, False, None, False)),
        ("SAMPLES", (None, False, None, False)),
        ("", (None, False, None, False)),
    ],
)
def test_a_name_tells_time_zone_recorder_and_trigger(
    name: str, facts: tuple[str | None, bool, str | None, bool]
) -> None:
    start, *others = facts
    assert astuple(parse_name(name)) == (start and utc(start), *others)


@given(st.one_of(st.text(), st.from_regex(r"\d{8}[_T]\d{6}T?_?([+-]\d{4})?"), st.from_regex(r"[0-9A-F]{8}")))
def test_no_name_breaks_the_reader(name: str) -> None:
    parse_name(name)


@pytest.mark.parametrize(
    ("path", "pattern", "site"),
    [
        ("ridge/20250503_031300.WAV", DEFAULT_PATTERN, "ridge"),
        ("ridge/card 1/20250503/031300.WAV", DEFAULT_PATTERN, "ridge"),
        ("20250503_031300.WAV", DEFAULT_PATTERN, None),
        ("2025/ridge/x.wav", "{year}/{site}/...", "ridge"),
        ("2025/ridge/card/x.wav", "{year}/{site}/{file}", None),
        ("ridge_2025/x.wav", "{site}_{year}/...", "ridge"),
        ("a/b/c/ridge/x.wav", ".../{site}/{file}", "ridge"),
        ("ridge-20250503_031300.WAV", "{site}-{stamp}.WAV", "ridge"),
        ("ridge+1/x.wav", "{site}+1/...", "ridge"),
        ("ridge_/x.wav", "{site}.+/...", None),
    ],
)
def test_the_site_is_the_part_of_the_path_that_the_pattern_names(path: str, pattern: str, site: str | None) -> None:
    assert site_of(path, pattern) == site


@given(st.text(min_size=1).filter(lambda name: "/" not in name), st.text(min_size=1))
def test_any_folder_can_be_a_site(site: str, rest: str) -> None:
    assert site_of(f"{site}/{rest}", DEFAULT_PATTERN) == site


@pytest.mark.parametrize(
    "pattern", ["", "...", "{place}/...", "{Site}/...", "{site}/{site}", "{site}/{1}", "{site-name}/...", "{}/{site}"]
)
def test_a_pattern_that_can_not_name_the_site_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="the site pattern"):
        site_of("ridge/x.wav", pattern)
