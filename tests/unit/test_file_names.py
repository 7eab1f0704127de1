from __future__ import annotations

import calendar
import string
from datetime import date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from birddask.recordings.moments import read_moment
from birddask.recordings.names import NameFacts, parse_name
from birddask.recordings.positions import read_position

EARLIEST, LATEST = datetime(1900, 1, 1), datetime(2099, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001
ZONES_MIN = st.integers(-14 * 60, 14 * 60)


def microseconds(moment: datetime) -> int:
    return calendar.timegm(moment.timetuple()) * 1_000_000 + moment.microsecond


def starts(moment: str) -> int:
    """Microseconds from 1970 to a moment of the same clock."""
    return microseconds(datetime.fromisoformat(moment))


def zone_text(offset_min: int, colon: str) -> str:
    hours, minutes = divmod(abs(offset_min), 60)
    return f"{'-' if offset_min < 0 else '+'}{hours:02d}{colon}{minutes:02d}"


AUDIOMOTH = [
    ("5B07C752.WAV", NameFacts(starts("2018-05-25T08:20:34"), 0)),
    ("595B2DF0.WAV", NameFacts(starts("2017-07-04T05:56:00"), 0)),
    ("20250503_031300.WAV", NameFacts(starts("2025-05-03T03:13:00"))),
    ("20250503_031300.wav", NameFacts(starts("2025-05-03T03:13:00"))),
    ("20250503_031300T.WAV", NameFacts(starts("2025-05-03T03:13:00"), triggered=True)),
    ("20250503/20250503_031300.WAV", NameFacts(starts("2025-05-03T03:13:00"))),
    ("ridge/card 1/20250503/20250503_031300T.WAV", NameFacts(starts("2025-05-03T03:13:00"), triggered=True)),
    (
        "242A2604603691DD_20250503_031300.WAV",
        NameFacts(starts("2025-05-03T03:13:00"), prefix="242A2604603691DD"),
    ),
    (
        "00000000A4168C14_20250503_031300T.WAV",
        NameFacts(starts("2025-05-03T03:13:00"), prefix="00000000A4168C14", triggered=True),
    ),
    ("20250503_031300_SYNC.WAV", NameFacts(starts("2025-05-03T03:13:00"))),
    ("20240903_202615T_SYNC.WAV", NameFacts(starts("2024-09-03T20:26:15"), triggered=True)),
    ("20240903_202615_785.WAV", NameFacts(starts("2024-09-03T20:26:15.785"))),
    (
        "MEADOW-7_242A2604603691DD_20240903_202615_785.WAV",
        NameFacts(starts("2024-09-03T20:26:15.785"), prefix="MEADOW-7_242A2604603691DD"),
    ),
    ("pond_20250503_031300.WAV", NameFacts(starts("2025-05-03T03:13:00"), prefix="pond")),
    ("20250503/031300T.WAV", NameFacts(starts("2025-05-03T03:13:00"), triggered=True)),
    ("ridge/20250503/031300T.WAV", NameFacts(starts("2025-05-03T03:13:00"), triggered=True)),
    (
        "ridge/20250503/242A2604603691DD_031300T.WAV",
        NameFacts(starts("2025-05-03T03:13:00"), prefix="242A2604603691DD", triggered=True),
    ),
    ("SAMPLES.WAV", NameFacts(unfinished=True)),
    ("GPS/SAMPLES.wav", NameFacts(unfinished=True)),
    ("19700101_000007.WAV", NameFacts(starts("1970-01-01T00:00:07"))),
    (
        "HB-YRK016_HMTC_20221125_102500+1000.WAV",
        NameFacts(starts("2022-11-25T00:25:00"), 600, prefix="HB-YRK016_HMTC"),
    ),
    ("20180517_010348.5AFCD4F4.WAV", NameFacts(starts("2018-05-17T01:03:48"))),
]

SONG_METERS = [
    ("S4A03895_20190522_000000.wav", NameFacts(starts("2019-05-22T00:00:00"), prefix="S4A03895")),
    ("Data/S4U09523_20210621_205706.wav", NameFacts(starts("2021-06-21T20:57:06"), prefix="S4U09523")),
    ("SM301297_0+1_20170912_220000.wav", NameFacts(starts("2017-09-12T22:00:00"), prefix="SM301297")),
    ("SM304290_1+1_20211001_120004.wav", NameFacts(starts("2021-10-01T12:00:04"), prefix="SM304290")),
    ("0+1_20170912_220000.wav", NameFacts(starts("2017-09-12T22:00:00"))),
    ("OLONG-CH1_0+1_20171121$143444.wav", NameFacts(starts("2017-11-21T14:34:44"), prefix="OLONG-CH1")),
    (
        "OLONG-SOLAR_0+1_20180221T031609+1000.wav",
        NameFacts(starts("2018-02-20T17:16:09"), 600, prefix="OLONG-SOLAR"),
    ),
    ("FNQ-RBS_20190102_044802_010.wav", NameFacts(starts("2019-01-02T04:48:02.010"), prefix="FNQ-RBS")),
    ("MF01-01_SMM119_20251103_160600.wav", NameFacts(starts("2025-11-03T16:06:00"), prefix="MF01-01_SMM119")),
]

FRONTIER_LABS = [
    ("20191026T000000+1000_REC.flac", NameFacts(starts("2019-10-25T14:00:00"), 600)),
    (
        "20160809_063108_Dawn _1.4647 116.9136_.wav",
        NameFacts(starts("2016-08-09T06:31:08"), latitude_deg=1.4647, longitude_deg=116.9136),
    ),
    (
        "20160823_063006_Dawn _-1.4763 178.8986_.wav",
        NameFacts(starts("2016-08-23T06:30:06"), latitude_deg=-1.4763, longitude_deg=178.8986),
    ),
    (
        "20180226_040000_Bar29 [27.2819 90.1361].wav",
        NameFacts(starts("2018-02-26T04:00:00"), latitude_deg=27.2819, longitude_deg=90.1361),
    ),
    (
        "20161108_075126_SunriseToSunset [-39.5336 -131.2711].wav",
        NameFacts(starts("2016-11-08T07:51:26"), latitude_deg=-39.5336, longitude_deg=-131.2711),
    ),
    (
        "8537_20210614T120000-0300_every1d6x4hrs [+44.72053-062.80072].wav",
        NameFacts(starts("2021-06-14T15:00:00"), -180, "8537", latitude_deg=44.72053, longitude_deg=-62.80072),
    ),
    (
        "20210617T080000+0000_Rec2_-18.2656+144.5564.flac",
        NameFacts(starts("2021-06-17T08:00:00"), 0, latitude_deg=-18.2656, longitude_deg=144.5564),
    ),
    (
        "20220420_-27.61822+152.78111/-0000001_20220420T220000+1000_Rec_-27.61822+152.78111.flac",
        NameFacts(starts("2022-04-20T12:00:00"), 600, "-0000001", latitude_deg=-27.61822, longitude_deg=152.78111),
    ),
    (
        "20220502T075930_-12.4634+130.8456.flac",
        NameFacts(starts("2022-05-02T07:59:30"), latitude_deg=-12.4634, longitude_deg=130.8456),
    ),
    (
        "20180226_040000Z_+40.1213-075.0015+2.79CRSWGS_84.flac",
        NameFacts(starts("2018-02-26T04:00:00"), 0, latitude_deg=40.1213, longitude_deg=-75.0015),
    ),
    (
        "20190607_AAO/201906 7T095935+1000_REC [19.2144 152.8811].flac",
        NameFacts(starts("2019-06-06T23:59:35"), 600, latitude_deg=19.2144, longitude_deg=152.8811),
    ),
    (
        "00008570_Dartmouth_20220331T094900-0300_Rec.flac",
        NameFacts(starts("2022-03-31T12:49:00"), -180, "00008570_Dartmouth"),
    ),
    (
        "20220502T075930+1000_Minjerribah-Dry-B_1088507.flac",
        NameFacts(starts("2022-05-01T21:59:30"), 600),
    ),
    (
        "S20240815T091156.982648+1000_E20240815T091251.967555+1000_-12.34567+78.98102.wav",
        NameFacts(starts("2024-08-14T23:11:56.982648"), 600, latitude_deg=-12.34567, longitude_deg=78.98102),
    ),
    ("20160809_063108_Dawn [91.4647 116.9136].wav", NameFacts(starts("2016-08-09T06:31:08"))),
    ("20160809_063108_Dawn [1.4647 181.9136].wav", NameFacts(starts("2016-08-09T06:31:08"))),
    ("20160809_063108_Dawn [1.4647 116.9136 m].wav", NameFacts(starts("2016-08-09T06:31:08"))),
    ("[1.4647 116.9136]_20160809_063108.wav", NameFacts(starts("2016-08-09T06:31:08"), prefix="[1.4647 116.9136]")),
    ("20220502T075930-12.4634+130.8456.flac", NameFacts(starts("2022-05-02T07:59:30"))),
]

OTHERS = [
    ("SwiftOne_20220719_000000_-0400.wav", NameFacts(starts("2022-07-19T04:00:00"), -240, "SwiftOne")),
    ("OWL_123456_2022-07-19_T00-00-00.WAV", NameFacts(starts("2022-07-19T00:00:00"), prefix="OWL_123456")),
    ("0166_20240531_223911.wav", NameFacts(starts("2024-05-31T22:39:11"), prefix="0166")),
    ("2022-08-30_12-08-00 (1).wav", NameFacts(starts("2022-08-30T12:08:00"))),
    ("2022-08-30_12-08-00-01.wav", NameFacts(starts("2022-08-30T12:08:00"))),
    ("2022-08-30 12:08:00+10:00.wav", NameFacts(starts("2022-08-30T02:08:00"), 600)),
    ("671629352.181204100002.wav", NameFacts(starts("2018-12-04T10:00:02"), prefix="671629352")),
    ("20070415051314.wav.trimmed.wav", NameFacts(starts("2007-04-15T05:13:14"))),
    ("20151212_123456Z.mp3", NameFacts(starts("2015-12-12T12:34:56"), 0)),
    ("20250503_031300+10:00.wav", NameFacts(starts("2025-05-02T17:13:00"), 600)),
    ("123_20131012_123456-09_456.wav", NameFacts(starts("2013-10-12T21:34:56"), -540, "123")),
    ("20091219T070006.789+1130_00600.wav", NameFacts(starts("2009-12-18T19:30:06.789"), 690)),
    ("20091219T070006.789123+1130_00600.wav", NameFacts(starts("2009-12-18T19:30:06.789123"), 690)),
    (
        "0000514b-9329-404c-bdb3-a50827457b15_20100503-080000Z.mp3",
        NameFacts(starts("2010-05-03T08:00:00"), 0, "0000514b-9329-404c-bdb3-a50827457b15"),
    ),
    ("20230115_20250503_070000.WAV", NameFacts(starts("2025-05-03T07:00:00"), prefix="20230115")),
    ("00012345_20250503_070000T.WAV", NameFacts(starts("2025-05-03T07:00:00"), prefix="00012345", triggered=True)),
    ("weird20180801_230000.wav", NameFacts(starts("2018-08-01T23:00:00"))),
    ("PILLIGA_20121204_234600_+13-090.wav", NameFacts(starts("2012-12-04T23:46:00"), prefix="PILLIGA")),
]

NO_MARKS = [
    ("20160809_063108_Tawny frogmouth.wav", NameFacts(starts("2016-08-09T06:31:08"))),
    ("20160809_063108_T.wav", NameFacts(starts("2016-08-09T06:31:08"))),
    ("20250503_070000Test.WAV", NameFacts(starts("2025-05-03T07:00:00"))),
    ("20250503_070000Zoo.WAV", NameFacts(starts("2025-05-03T07:00:00"))),
    ("20250503_070000-1530.WAV", NameFacts(starts("2025-05-03T07:00:00"))),
    ("20250503_070000_1234.WAV", NameFacts(starts("2025-05-03T07:00:00"))),
    ("20250503_070000_010m.WAV", NameFacts(starts("2025-05-03T07:00:00"))),
]

# What may be a time may also be something else, and a wrong time is worse than none.
NO_TIMES = [
    ("00000000.WAV", NameFacts()),
    ("FFFFFFFF.WAV", NameFacts()),
    ("20190101.WAV", NameFacts()),
    ("10160435.wav", NameFacts()),
    ("5b07c752.wav", NameFacts()),
    ("5AFCD4F45AFCD4F4.WAV", NameFacts()),
    ("prefix5AFCD4F4prefix.WAV", NameFacts()),
    ("2025-05-03.wav", NameFacts()),
    ("2025-0503_031300.wav", NameFacts()),
    ("5160219010101.wav", NameFacts()),
    ("ridge_20250503.wav", NameFacts()),
    ("20250503_0313.wav", NameFacts()),
    ("20250503_0313000.wav", NameFacts()),
    ("120250503_031300.wav", NameFacts()),
    ("18501231_235959.wav", NameFacts()),
    ("20190101-1234-56ab-bdb3-a50827457b15.wav", NameFacts()),
    ("20250503/031300.WAV", NameFacts()),
    ("20250503/031300T/001.WAV", NameFacts()),
    ("20250503_031300/x.wav", NameFacts()),
    ("160219010101.WAV", NameFacts()),
    ("220728_0744 Tascam dr-100 mk3.wav", NameFacts()),
    ("acoustic_study_00m.mp3", NameFacts()),
    ("samples.wav", NameFacts()),
    ("SAMPLES.flac", NameFacts()),
    ("ZOOM0001.WAV", NameFacts()),
    ("data", NameFacts()),
    ("", NameFacts()),
    ("ridge/031300T.WAV", NameFacts(triggered=True)),
    ("120250503/031300T.WAV", NameFacts(triggered=True)),
    ("20250230_031300.WAV", NameFacts()),
    ("20251301_031300.WAV", NameFacts()),
    ("20250503_250000.WAV", NameFacts()),
    ("20250503_240000.WAV", NameFacts()),
    ("site_20250503_246000T.WAV", NameFacts(prefix="site", triggered=True)),
    ("20250503/246000T.WAV", NameFacts(triggered=True)),
    ("20250230/031300T.WAV", NameFacts(triggered=True)),
    ("671629352.181304100002.wav", NameFacts(prefix="671629352")),
]

NAMES = [*AUDIOMOTH, *SONG_METERS, *FRONTIER_LABS, *OTHERS, *NO_MARKS, *NO_TIMES]


@pytest.mark.parametrize(("path", "facts"), NAMES)
def test_a_name_tells_time_zone_recorder_trigger_and_place(path: str, facts: NameFacts) -> None:
    assert parse_name(path) == facts


@pytest.mark.parametrize("mark", [" 1", " 12", "(1)", " (2)", " - Copy", " - Copy (2)", " copy", " copy 2"])
def test_a_copy_made_by_an_operating_system_tells_the_same(mark: str) -> None:
    for path, facts in NAMES:
        stem, dot, extension = path.rpartition(".")
        if dot:
            assert parse_name(f"{stem}{mark}.{extension}") == facts, path


@given(
    st.lists(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1), min_size=1),
    st.sampled_from([name for name, _ in NAMES if "/" not in name and name and not name.endswith("T.WAV")]),
)
def test_folders_tell_nothing_of_a_name_that_has_a_date(folders: list[str], name: str) -> None:
    assert parse_name("/".join([*folders, name])) == parse_name(name)


@given(
    st.datetimes(EARLIEST, LATEST),
    st.text(string.ascii_letters + "_-", max_size=12),
    st.sampled_from(["%m%d_%H%M%S", "%m%dT%H%M%S", "%m%d$%H%M%S", "%m%d%H%M%S", "-%m-%d_%H-%M-%S"]),
    st.sampled_from(["", "T"]),
    st.one_of(st.none(), st.integers(0, 999)),
    st.one_of(st.none(), st.tuples(ZONES_MIN, st.sampled_from(["", "_"]), st.sampled_from(["", ":"]))),
)
@example(datetime(1900, 1, 1), "", "%m%d_%H%M%S", "T", 0, (14 * 60, "", ""))  # noqa: DTZ001
def test_what_is_written_into_a_name_is_read_from_it(
    moment: datetime,
    prefix: str,
    style: str,
    trigger: str,
    millisecond: int | None,
    zone: tuple[int, str, str] | None,
) -> None:
    stem = f"{prefix}_" if prefix else ""
    stem += f"{moment.year:04d}{moment.strftime(style)}{trigger}"
    stem += "" if millisecond is None else f"_{millisecond:03d}"
    offset_min, before, colon = zone or (None, "", "")
    stem += "" if offset_min is None else before + zone_text(offset_min, colon)
    facts = parse_name(f"{stem}.WAV")
    local_us = microseconds(moment.replace(microsecond=1000 * (millisecond or 0)))
    assert facts.start_time_us == local_us - 60_000_000 * (offset_min or 0)
    assert facts.utc_offset_min == offset_min
    assert facts.triggered == (trigger == "T")
    assert facts.prefix == (prefix.rstrip("_-") or None)


@given(st.integers(0, 0xFFFFFFFF))
@example(0x5956E57F)
@example(0x5956E580)
@example(0x70DBD87F)
@example(0x70DBD880)
def test_eight_hexadecimal_digits_are_seconds_while_such_names_were_written(seconds: int) -> None:
    written = starts("2017-07-01T00:00:00") <= seconds * 1_000_000 < starts("2030-01-01T00:00:00")
    assert parse_name(f"{seconds:08X}.WAV") == (NameFacts(seconds * 1_000_000, 0) if written else NameFacts())


# In hexadecimal the dates of the years 5957 to 7000 are times of 2017 to 2030.
@given(st.dates(max_value=date(2100, 12, 31)))
def test_a_date_alone_is_no_time(day: date) -> None:
    for stem in (day.isoformat().replace("-", ""), day.isoformat(), f"ridge_{day.isoformat()}"):
        assert parse_name(f"{stem}.WAV").start_time_us is None


@given(
    st.one_of(
        st.text(),
        st.from_regex(
            r"(\w*_)?[12]\d{3}-?[01 ]\d-?[0-3 ]\d[_T$ -]\d{2}[-:]?\d{2}[-:]?\d{2}T?(_\d{3})?_?([+-]\d{2}:?\d{2})?"
        ),
        st.from_regex(r"[0-9]{8}/[0-9]{6}T?\.WAV"),
        st.from_regex(r"[0-9]*\.[0-9]{12}\.wav"),
        st.from_regex(r"[0-9A-F]{8}\.WAV"),
        st.from_regex(r"20250503_031300.*[\[_][+-]?\d+\.\d*[ +-]-?\d+\.\d*[\]_]?", fullmatch=True),
    )
)
def test_any_name_gives_facts_that_can_be_true(path: str) -> None:
    facts = parse_name(path)
    if facts.start_time_us is None:
        assert facts.utc_offset_min is None
    else:
        start = datetime(1970, 1, 1) + timedelta(microseconds=facts.start_time_us)  # noqa: DTZ001
        assert datetime(1899, 12, 31, 10) <= start <= datetime(2101, 1, 1, 14)  # noqa: DTZ001
        assert facts.utc_offset_min is None or -840 <= facts.utc_offset_min <= 840
    assert (facts.latitude_deg is None) == (facts.longitude_deg is None)
    assert -90 <= (facts.latitude_deg or 0) <= 90
    assert -180 <= (facts.longitude_deg or 0) <= 180
    assert facts.prefix is None or facts.prefix in path


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "_",
        " ",
        "(",
        "0+1_",
        "20250503",
        "20250503_",
        "20250503_0313",
        " 1",
        "(1)",
        " - Copy",
        "_1.1",
        "[1.1 1.1",
        "-",
    ],
)
def test_long_names_take_no_longer_than_their_length_asks(piece: str) -> None:
    parse_name(f"20250503_031300{piece * 100_000}x.wav")
    parse_name(f"{piece * 100_000}x20250503_031300.wav")
    parse_name(f"{piece * 100_000}.wav")


@pytest.mark.parametrize(
    ("digits", "fraction", "zone", "moment"),
    [
        ("20240903202615", "", "", (starts("2024-09-03T20:26:15"), None)),
        ("20240903202615", "7", "Z", (starts("2024-09-03T20:26:15.7"), 0)),
        ("20240903202615", "7859999", "+0530", (starts("2024-09-03T14:56:15.785999"), 330)),
        ("20240903202615", "", "-3:30", (starts("2024-09-03T23:56:15"), -210)),
        ("20240903202615", "", "-00:30", (starts("2024-09-03T20:56:15"), -30)),
        ("20240903202615", "", "+14", (starts("2024-09-03T06:26:15"), 840)),
        ("20240903202615", "", "+14:01", (None, None)),
        ("20240903202615", "", "+01:60", (None, None)),
        ("20240903202615", "", "local", (None, None)),
        ("19000101000000", "", "+14:00", (starts("1899-12-31T10:00:00"), 840)),
        ("21001231235959", "", "", (starts("2100-12-31T23:59:59"), None)),
        ("18991231235959", "", "", (None, None)),
        ("21010101000000", "", "", (None, None)),
        ("00000000000000", "", "", (None, None)),
        ("20250229000000", "", "", (None, None)),
        ("20250503236000", "", "", (None, None)),
        ("20250503235960", "", "", (None, None)),
    ],
)
def test_a_moment_is_one_that_a_clock_can_show(
    digits: str, fraction: str, zone: str, moment: tuple[int | None, int | None]
) -> None:
    assert read_moment(digits, fraction, zone) == moment


@pytest.mark.parametrize(
    ("latitude", "longitude", "position"),
    [
        ("90", "-180", (90.0, -180.0)),
        ("-90.0", "+180.0", (-90.0, 180.0)),
        ("90.000001", "0", (None, None)),
        ("0", "-180.1", (None, None)),
    ],
)
def test_a_position_is_one_on_earth(latitude: str, longitude: str, position: tuple[float | None, float | None]) -> None:
    assert read_position(latitude, longitude) == position
