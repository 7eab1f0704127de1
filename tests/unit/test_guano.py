from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.recordings.guano import Guano, parse_guano
from birddask.recordings.moments import parse_timestamp

GAINS = ["low", "low-medium", "medium", "medium-high", "high"]


def microseconds(moment: datetime) -> int:
    return calendar.timegm(moment.timetuple()) * 1_000_000 + moment.microsecond


def starts(moment: str) -> int:
    """Microseconds from 1970 to a moment of the same clock."""
    return microseconds(datetime.fromisoformat(moment))


# As firmware 1.11.0 writes it, every field set.
AUDIOMOTH = """GUANO|Version:1.0
Make:Open Acoustic Devices
Model:AudioMoth
Serial:24E144055E080032
OAD|Deployment ID:00000000A4168C14
Firmware Version:AudioMoth-Firmware-Basic (1.11.0)
Timestamp:2024-09-03T20:26:15+01:00
Loc Position:52.146196 -4.474776
OAD|Loc Source:GPS
Original Filename:20240903_202615T.WAV
OAD|Recording Settings:48000 GAIN 2 HPF 15000 AMP 4% 5
OAD|Battery Voltage:3.8
Temperature Int:-13.1"""

AUDIOMOTH_FACTS = Guano(
    start_time_us=starts("2024-09-03T19:26:15"),
    utc_offset_min=60,
    model="AudioMoth",
    serial="24E144055E080032",
    firmware="AudioMoth-Firmware-Basic (1.11.0)",
    deployment="00000000A4168C14",
    latitude_deg=52.146196,
    longitude_deg=-4.474776,
    location_source="GPS",
    battery_v=3.8,
    temperature_c=-13.1,
    gain="medium",
    trigger="amplitude 4 %, 5 s minimum",
    filter="high-pass 15.0 kHz",
    triggered=True,
)

SONG_METER = """GUANO|Version:1.0
Firmware Version:1.1
Make:Wildlife Acoustics, Inc.
Model:Song Meter Mini
Serial:SMA00646
WA|Song Meter|Prefix:SMA00646
WA|Song Meter|Audio settings:[{"rate":24000,"gain":18}]
Length:300.000
Original Filename:SMA00646_20201017_130500.wav
Timestamp:2020-10-17 13:05:00+1:00
Loc Position:54.75656 -1.59106
Temperature Int:21.25
Samplerate:24000
"""

SONG_METER_FACTS = Guano(
    start_time_us=starts("2020-10-17T12:05:00"),
    utc_offset_min=60,
    model="Song Meter Mini",
    serial="SMA00646",
    firmware="1.1",
    latitude_deg=54.75656,
    longitude_deg=-1.59106,
    temperature_c=21.25,
)


def with_separator(text: str, separator: str) -> str:
    return "\n".join(separator.join(line.split(":", 1)) for line in text.split("\n"))


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda text: text,
        lambda text: with_separator(text, ": "),
        lambda text: with_separator(text, "  :\t"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "  \n\n "),
        lambda text: "\n".join(reversed(text.split("\n"))),
        lambda text: f"{text}\n\0\0\0\0",
        lambda text: f"{text}\nMake:another\nTimestamp:2001-01-01T00:00:00Z",
        lambda text: f"Note:Timestamp:2001-01-01\nX|Make:another\nno separator\n:\n:::\n{text}",
    ],
)
@pytest.mark.parametrize(("text", "facts"), [(AUDIOMOTH, AUDIOMOTH_FACTS), (SONG_METER, SONG_METER_FACTS)])
def test_every_field_is_read_whatever_the_order_and_the_blanks(
    text: str, facts: Guano, rewritten: Callable[[str], str]
) -> None:
    assert parse_guano(rewritten(text)) == facts


@pytest.mark.parametrize("text", ["", "\n", "GUANO|Version:1.0", "Timestamp:\nMake: \nSerial:\0\nOriginal Filename:"])
def test_nothing_is_known_where_nothing_is_stated(text: str) -> None:
    assert parse_guano(text) == Guano()


@pytest.mark.parametrize(
    ("file", "position", "size", "minute", "temperature_c"),
    [
        ("fw1.11.0_guano_48kHz_2s_242A2604603691DD_20250503_031300.WAV", 192488, 364, 13, 13.1),
        ("242A2604603691DD_20250503_031300.WAV", 2880488, 364, 13, 13.1),
        ("242A2604603691DD_20250503_031400.WAV", 2880488, 364, 14, 13.4),
    ],
)
def test_the_metadata_of_real_recordings(
    shared: Path, file: str, position: int, size: int, minute: int, temperature_c: float
) -> None:
    with (shared / "audiomoth" / file).open("rb") as recording:
        recording.seek(position)
        chunk = recording.read()
    assert chunk[:8] == b"guan" + size.to_bytes(4, "little")
    assert parse_guano(chunk[8:].decode()) == Guano(
        start_time_us=starts(f"2025-05-03T03:{minute}:00"),
        utc_offset_min=0,
        model="AudioMoth",
        serial="242A2604603691DD",
        firmware="AudioMoth-Firmware-Basic (1.11.0)",
        latitude_deg=52.146196,
        longitude_deg=4.474776,
        location_source="Acoustic chime",
        battery_v=3.8,
        temperature_c=temperature_c,
        gain="medium",
    )


@pytest.mark.parametrize(
    ("text", "start", "offset_min"),
    [
        ("2024-09-03T20:26:15Z", "2024-09-03T20:26:15", 0),
        ("2024-09-03T20:26:15+01:00", "2024-09-03T19:26:15", 60),
        ("2024-09-03T20:26:15-03:30", "2024-09-03T23:56:15", -210),
        ("2024-09-03T20:26:15-00:30", "2024-09-03T20:56:15", -30),
        ("2024-09-03T20:26:15.785+10:30", "2024-09-03T09:56:15.785", 630),
        ("2022-08-15 21:34:14+0100", "2022-08-15T20:34:14", 60),
        ("2022-08-15 21:34:14 -0400", "2022-08-16T01:34:14", -240),
        ("2020-10-17 13:05:00+1:00", "2020-10-17T12:05:00", 60),
        ("2020-10-17T13:05:00-09", "2020-10-17T22:05:00", -540),
        ("2024-05-31T22:39:11", "2024-05-31T22:39:11", None),
        ("2024-05-31 22:39:11.5", "2024-05-31T22:39:11.500", None),
        ("2024-05-31T22:39:11.1234567+02:00", "2024-05-31T20:39:11.123456", 120),
        ("1970-01-01T00:00:07Z", "1970-01-01T00:00:07", 0),
    ],
)
def test_timestamps_of_all_styles(text: str, start: str, offset_min: int | None) -> None:
    assert parse_timestamp(text) == (starts(start), offset_min)
    guano = parse_guano(f"GUANO|Version: 1.0\nTimestamp: {text}")
    assert guano == Guano(start_time_us=starts(start), utc_offset_min=offset_min)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-09-03",
        "20:26:15",
        "2024-09-03T20:26",
        "2024-02-30T20:26:15Z",
        "2024-09-03T25:00:00Z",
        "2024-09-03T24:00:00Z",
        "2024-09-03T20:26:60Z",
        "0000-00-00T00:00:00",
        "1899-12-31T23:59:59Z",
        "2101-01-01T00:00:00Z",
        "2024-09-03T20:26:15+15:00",
        "2024-09-03T20:26:15+01:75",
        "2024-09-03T20:26:15 CEST",
        "2024-09-03T20:26:15Z or so",
        "٢٠٢٤-09-03T20:26:15Z",
    ],
)
def test_what_is_no_timestamp_gives_no_time(text: str) -> None:
    assert parse_timestamp(text) == (None, None)


@pytest.mark.parametrize(
    ("position", "firmware", "degrees"),
    [
        ("52.146196 4.474776", "(1.11.0)", (52.146196, 4.474776)),
        ("-33.87 151.21", "(1.11.0)", (-33.87, 151.21)),
        ("-90 -180", "(1.11.0)", (-90.0, -180.0)),
        ("51.48 -0.01", "(1.10.1)", (51.48, -0.01)),
        ("51.48 0.01", "(1.10.1)", (51.48, 0.01)),
        ("51.48, 0.01", "(1.10.1)", (51.48, 0.01)),
        ("51.48 0.01", "(1.10.0)", (None, None)),
        ("0.01 -51.48", "(1.10.0)", (None, None)),
        ("-1.01 10.48", "(1.10.0)", (-1.01, 10.48)),
        ("90.01 4.47", "(1.11.0)", (None, None)),
        ("52.14 180.01", "(1.11.0)", (None, None)),
        ("52.14", "(1.11.0)", (None, None)),
        ("nan nan", "(1.11.0)", (None, None)),
        ("1e1 1e1", "(1.11.0)", (None, None)),
        ("52.14N 4.47E", "(1.11.0)", (None, None)),
    ],
)
def test_positions_are_degrees_on_earth_with_their_sign(
    position: str, firmware: str, degrees: tuple[float | None, float | None]
) -> None:
    text = f"Loc Position:{position}\nFirmware Version:AudioMoth-Firmware-Basic {firmware}"
    guano = parse_guano(text)
    assert (guano.latitude_deg, guano.longitude_deg) == degrees


@pytest.mark.parametrize(
    ("text", "voltage_v", "limit"),
    [
        ("3.8", 3.8, ""),
        ("2.5", 2.5, ""),
        ("4.9", 4.9, ""),
        ("2.4", 2.5, "below"),
        ("5.0", 4.9, "above"),
        ("low", None, ""),
    ],
)
def test_the_battery_is_measured_between_limits(text: str, voltage_v: float | None, limit: str) -> None:
    guano = parse_guano(f"OAD|Battery Voltage:{text}")
    assert (guano.battery_v, guano.battery_limit) == (voltage_v, limit)


@pytest.mark.parametrize(
    ("settings", "gain", "trigger", "filtered"),
    [
        ("48000 GAIN 0", "low", None, None),
        ("48000 GAIN 4 LGR D48 ESM", "high", None, None),
        ("384000 GAIN 2 AMP 4% 5", "medium", "amplitude 4 %, 5 s minimum", None),
        ("384000 GAIN 2 AMP 0.0001% 0", "medium", "amplitude 0.0001 %, 0 s minimum", None),
        ("48000 GAIN 3 AMP -60dB 51 LGR", "medium-high", "amplitude -60 dB, 51 s minimum", None),
        ("48000 GAIN 3 AMP 0dB 51", "medium-high", "amplitude 0 dB, 51 s minimum", None),
        ("48000 GAIN 3 AMP 512 1 D48", "medium-high", "amplitude 512, 1 s minimum", None),
        ("48000 GAIN 3 AMP 512", "medium-high", "amplitude 512", None),
        ("48000 GAIN 1 LPF 1000", "low-medium", None, "low-pass 1.0 kHz"),
        ("48000 GAIN 1 HPF 15000 ESM", "low-medium", None, "high-pass 15.0 kHz"),
        ("48000 GAIN 1 BPF 1000 12000", "low-medium", None, "band-pass 1.0-12.0 kHz"),
        (
            "48000 GAIN 1 BPF 900 12100 AMP 100% 5 LGR",
            "low-medium",
            "amplitude 100 %, 5 s minimum",
            "band-pass 0.9-12.1 kHz",
        ),
        (
            "250000 GAIN 2 FREQ 30000 64 2% 3 HPF 15000",
            "medium",
            "frequency 30.0 kHz, window 64 samples, threshold 2 %, 3 s minimum",
            "high-pass 15.0 kHz",
        ),
        (
            "8000 GAIN 2 FREQ 1200 1024 0.05% 60",
            "medium",
            "frequency 1.2 kHz, window 1024 samples, threshold 0.05 %, 60 s minimum",
            None,
        ),
        ("48000 GAIN 5 BPF 1000 HPF x", None, None, None),
        ("48000 GAIN 20", None, None, None),
    ],
)
def test_recording_settings_in_words(
    settings: str, gain: str | None, trigger: str | None, filtered: str | None
) -> None:
    guano = parse_guano(f"OAD|Recording Settings:{settings}")
    assert guano == Guano(gain=gain, trigger=trigger, filter=filtered, triggered=trigger is not None)


@pytest.mark.parametrize(
    ("text", "triggered"),
    [
        ("Original Filename:20240903_202615T.WAV", True),
        ("Original Filename:242A2604603691DD_20240903_202615T.WAV", True),
        ("Original Filename:202615T.WAV", True),
        ("Original Filename:20240903_202615.WAV", False),
        ("OAD|Recording Settings:48000 GAIN 2 AMP in words of tomorrow", True),
        ("OAD|Recording Settings:48000 GAIN 2", False),
        ("Note: AMP FREQ T.WAV", False),
    ],
)
def test_a_trigger_is_seen_in_the_settings_or_the_original_name(text: str, *, triggered: bool) -> None:
    assert parse_guano(text).triggered == triggered


def test_the_serial_number_that_every_unit_has_is_none() -> None:
    assert parse_guano("Serial:0FE081F80FE081F0\nModel:AudioMoth") == Guano(model="AudioMoth")


SINGLE_LINES = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=30)


@st.composite
def written_metadata(draw: st.DrawFn) -> tuple[str, Guano]:
    """Lines as AudioMoth's firmware prints them, and what they mean."""
    moment = draw(st.datetimes(datetime(1970, 1, 1), datetime(2100, 12, 31)))  # noqa: DTZ001
    millisecond = draw(st.sampled_from([0, 785]))
    moment = moment.replace(microsecond=1000 * millisecond)
    offset_min = draw(st.integers(-12 * 60, 14 * 60))
    hours, minutes = divmod(abs(offset_min), 60)
    zone = f"{'-' if offset_min < 0 else '+'}{hours:02d}:{minutes:02d}" if offset_min else "Z"
    fraction = f".{millisecond:03d}" if millisecond else ""
    latitude_deg, longitude_deg = draw(st.integers(-9000, 9000)) / 100, draw(st.integers(-18000, 18000)) / 100
    gain = draw(st.integers(0, 4))
    trigger, trigger_words = draw(
        st.one_of(
            st.just(("", None)),
            st.builds(
                lambda level, minimum: (f" AMP {level}% {minimum}", f"amplitude {level} %, {minimum} s minimum"),
                st.sampled_from(["0.0001", "0.03", "0.5", "4", "100"]),
                st.integers(0, 60),
            ),
            st.builds(
                lambda level, minimum: (f" AMP -{level}dB {minimum}", f"amplitude -{level} dB, {minimum} s minimum"),
                st.integers(1, 100),
                st.integers(0, 60),
            ),
        )
    )
    tenths_c = draw(st.integers(-400, 800))
    make, deployment = draw(SINGLE_LINES), draw(SINGLE_LINES)
    lines = [
        "GUANO|Version:1.0",
        f"Make:{make}",
        f"OAD|Deployment ID:{deployment}",
        f"Timestamp:{moment.isoformat(timespec='seconds')}{fraction}{zone}",
        f"Loc Position:{latitude_deg:.2f} {longitude_deg:.2f}",
        f"OAD|Recording Settings:48000 GAIN {gain}{trigger}",
        f"Temperature Int:{tenths_c / 10:.1f}",
    ]
    facts = Guano(
        start_time_us=microseconds(moment) - offset_min * 60_000_000,
        utc_offset_min=offset_min,
        deployment=deployment,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        temperature_c=tenths_c / 10,
        gain=GAINS[gain],
        trigger=trigger_words,
        triggered=trigger_words is not None,
    )
    return draw(st.sampled_from(["\n", "\r\n"])).join(draw(st.permutations(lines))), facts


@given(written_metadata())
def test_what_a_recorder_writes_is_read(written: tuple[str, Guano]) -> None:
    text, facts = written
    assert parse_guano(text) == facts


KEYS = [line.partition(":")[0] for line in AUDIOMOTH.split("\n")]


@given(
    st.one_of(
        st.text(),
        st.lists(st.tuples(st.sampled_from(KEYS), st.text())).map(
            lambda fields: "\n".join(f"{key}:{value}" for key, value in fields)
        ),
        st.from_regex(r"Timestamp:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d*)?(Z|[+-]\d{1,2}:?(\d\d)?)?", fullmatch=True),
        st.from_regex(r"Loc Position:-?\d*\.?\d* -?\d*\.?\d*", fullmatch=True),
        st.from_regex(
            r"OAD\|Recording Settings:( (GAIN|FREQ|LPF|BPF|HPF|AMP)( -?\d+(\.\d+)?(%|dB)?)*)*", fullmatch=True
        ),
    )
)
def test_any_text_gives_facts_that_can_be_true(text: str) -> None:
    guano = parse_guano(text)
    assert guano.start_time_us is not None or guano.utc_offset_min is None
    assert (guano.latitude_deg is None) == (guano.longitude_deg is None)
    assert -90 <= (guano.latitude_deg or 0) <= 90
    assert -180 <= (guano.longitude_deg or 0) <= 180


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["1", " ", "\0", ":", "\n", "\r\n", ":\n", " AMP 1", " FREQ 1 1 1.1", " BPF 1", "1 ", "+"]
)
@pytest.mark.parametrize("key", KEYS)
def test_long_values_take_no_longer_than_their_length_asks(key: str, piece: str) -> None:
    parse_guano(f"{key}:{piece * 30_000}x")
