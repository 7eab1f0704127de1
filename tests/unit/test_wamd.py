from __future__ import annotations

import calendar
import struct
from dataclasses import astuple
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.recordings.wamd import Wamd, parse_wamd

VERSION, MODEL, SERIAL, FIRMWARE, PREFIX, START_TIME, FIRST_POSITION = range(7)
NOTES, LAST_POSITION, TEMPERATURE, PADDING = 0x0A, 0x14, 0x15, 0xFFFF


def microseconds(moment: datetime) -> int:
    return calendar.timegm(moment.timetuple()) * 1_000_000 + moment.microsecond


def starts(moment: str) -> int:
    """Microseconds from 1970 to a moment of the same clock."""
    return microseconds(datetime.fromisoformat(moment))


def chunk(*fields: tuple[int, bytes], version: int = 1) -> bytes:
    """The content of a chunk as recorders write it: the version first."""
    content = b"\x00\x00\x02\x00\x00\x00" + struct.pack("<H", version)
    return content + b"".join(struct.pack("<HI", kind, len(value)) + value for kind, value in fields)


SONG_METER = chunk(
    (MODEL, b"SM4"),
    (SERIAL, b"S4A04894"),
    (FIRMWARE, b"2.1.1"),
    (PREFIX, b"FNQ-RBS"),
    (NOTES, b"\xff\xfe\0\0"),
    (START_TIME, b"2019-01-02 04:48:02.010+10:00"),
    (LAST_POSITION, b",17.07007,S,145.37851,E"),
    (PADDING, b"\0\0\0"),
    (TEMPERATURE, b"21.75C"),
)

SONG_METER_FACTS = Wamd(
    model="SM4",
    serial="S4A04894",
    firmware="2.1.1",
    start_time_us=starts("2019-01-01T18:48:02.010"),
    utc_offset_min=600,
    latitude_deg=-17.07007,
    longitude_deg=145.37851,
    temperature_c=21.75,
)


def test_every_field_is_read() -> None:
    assert parse_wamd(SONG_METER) == SONG_METER_FACTS


def test_a_chunk_written_out_byte_by_byte() -> None:
    content = bytes.fromhex("0000 02000000 0100  0100 03000000 534d33  ffff 01000000 00  0200 05000000 5333000000")
    assert parse_wamd(content) == Wamd(model="SM3", serial="S3")


@pytest.mark.parametrize(
    ("text", "start", "offset_min"),
    [
        (b"2014-04-02 22:59:14-05:00", "2014-04-03T03:59:14", -300),
        (b"2014-04-02 22:59:14.250+09:30", "2014-04-02T13:29:14.250", 570),
        (b"2014-04-02 22:59:14.000", "2014-04-02T22:59:14", None),
        (b"2014-04-02 22:59:14", "2014-04-02T22:59:14", None),
        (b"2014-04-02 22:59:14\0\0\0", "2014-04-02T22:59:14", None),
    ],
)
def test_start_times_with_and_without_a_zone(text: bytes, start: str, offset_min: int | None) -> None:
    assert parse_wamd(chunk((START_TIME, text))) == Wamd(start_time_us=starts(start), utc_offset_min=offset_min)


@pytest.mark.parametrize("text", [b"", b"2014-04-31 22:59:14", b"2014-04-02 25:00:00", b"2014-04-02", b"\xff\xff\xff"])
def test_what_is_no_start_time_gives_none(text: bytes) -> None:
    assert parse_wamd(chunk((START_TIME, text))) == Wamd()


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        (b"WGS84,45.78350,N,64.23352,W", (45.7835, -64.23352)),
        (b"WGS84,45.78350,N,64.23352,W,102.5", (45.7835, -64.23352)),
        (b"WGS84, 17.07007, S, 145.37851, E, 300", (-17.07007, 145.37851)),
        (b",17.07007,S,145.37851,E", (-17.07007, 145.37851)),
        (b"WGS84,-17.07007,145.37851", (-17.07007, 145.37851)),
        (b"WGS84,45.78350,-64.23352,102\0", (45.7835, -64.23352)),
        (b"WGS84,-17.07007,S,-64.23352,W", (-17.07007, -64.23352)),
        (b"WGS84,45,N,64,E", (45.0, 64.0)),
        (b"WGS84,90.5,N,64.2,W", (None, None)),
        (b"WGS84,45.5,N,180.2,W", (None, None)),
        (b"WGS84,45.5,E,64.2,N", (None, None)),
        (b"NAD27,45.5,N,64.2,W", (None, None)),
        (b"WGS84,45.5", (None, None)),
        (b"WGS84,,N,,W", (None, None)),
        (b"WGS84", (None, None)),
        (b"", (None, None)),
    ],
)
@pytest.mark.parametrize("kind", [FIRST_POSITION, LAST_POSITION])
def test_positions_of_all_forms(kind: int, text: bytes, degrees: tuple[float | None, float | None]) -> None:
    latitude_deg, longitude_deg = degrees
    assert parse_wamd(chunk((kind, text))) == Wamd(latitude_deg=latitude_deg, longitude_deg=longitude_deg)


def test_where_the_recording_began_goes_before_the_position_that_was_last_set() -> None:
    content = chunk((LAST_POSITION, b"WGS84,1.5,N,2.5,E"), (FIRST_POSITION, b"WGS84,3.5,N,4.5,E"))
    assert parse_wamd(content) == Wamd(latitude_deg=3.5, longitude_deg=4.5)


@pytest.mark.parametrize(
    ("text", "celsius"),
    [(b"12.3C", 12.3), (b"-7.25 C\0", -7.25), (b"0C", 0.0), (b"54.1F", None), (b"12.3", None), (b"", None)],
)
def test_temperatures_are_celsius(text: bytes, celsius: float | None) -> None:
    assert parse_wamd(chunk((TEMPERATURE, text))) == Wamd(temperature_c=celsius)


def test_texts_end_at_their_first_nul_and_the_first_of_a_kind_counts() -> None:
    content = chunk((MODEL, b"SM4\0residue"), (MODEL, b"SM3"), (FIRMWARE, "Füllhorn\0".encode()), (SERIAL, b"\0\0"))
    assert parse_wamd(content) == Wamd(model="SM4", firmware="Füllhorn")


def test_another_version_of_the_layout_is_not_read() -> None:
    assert parse_wamd(chunk((MODEL, b"SM9"), version=2)) == Wamd()


@pytest.mark.parametrize("length", [7, 0xFFFF, 0xFFFFFFFF])
def test_what_stands_before_the_damage_is_kept(length: int) -> None:
    damaged = chunk((MODEL, b"SM4")) + struct.pack("<HI", SERIAL, length) + b"S4A048"
    assert parse_wamd(damaged) == Wamd(model="SM4")


@given(st.integers(0, len(SONG_METER)))
def test_a_cut_chunk_tells_a_part_of_what_the_whole_one_tells(length: int) -> None:
    for cut, whole in zip(astuple(parse_wamd(SONG_METER[:length])), astuple(SONG_METER_FACTS), strict=True):
        assert cut in (None, whole)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@st.composite
def written_chunks(draw: st.DrawFn) -> tuple[bytes, Wamd]:
    """Fields in any order, with and without a final NUL, among fields of other kinds; and what they mean."""
    model, serial, prefix = draw(TEXTS), draw(TEXTS), draw(TEXTS)
    moment = draw(st.datetimes(datetime(1970, 1, 1), datetime(2100, 12, 31)))  # noqa: DTZ001
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    offset_min = draw(st.integers(-12 * 60, 14 * 60))
    hours, minutes = divmod(abs(offset_min), 60)
    zone = f"{'-' if offset_min < 0 else '+'}{hours:02d}:{minutes:02d}"
    latitude, longitude = draw(st.integers(-9_000_000, 9_000_000)), draw(st.integers(-18_000_000, 18_000_000))
    north_south, east_west = "S" if latitude < 0 else "N", "W" if longitude < 0 else "E"
    position = f"WGS84,{abs(latitude) / 1e5:.5f},{north_south},{abs(longitude) / 1e5:.5f},{east_west}"
    fields = [
        (MODEL, model),
        (SERIAL, serial),
        (PREFIX, prefix),
        (START_TIME, moment.isoformat(" ", "milliseconds") + zone),
        (FIRST_POSITION, position),
    ]
    encoded = [(kind, text.encode() + draw(st.sampled_from([b"", b"\0"]))) for kind, text in fields]
    others = draw(st.lists(st.tuples(st.integers(0x20, 0xFFFF), st.binary(max_size=40)), max_size=3))
    facts = Wamd(
        model=model,
        serial=serial,
        start_time_us=microseconds(moment) - offset_min * 60_000_000,
        utc_offset_min=offset_min,
        latitude_deg=latitude / 1e5,
        longitude_deg=longitude / 1e5,
    )
    return chunk(*draw(st.permutations([*encoded, *others]))), facts


@given(written_chunks())
def test_what_a_recorder_writes_is_read(written: tuple[bytes, Wamd]) -> None:
    content, facts = written
    assert parse_wamd(content) == facts


@given(
    st.one_of(
        st.binary(),
        st.lists(st.tuples(st.integers(0, 0x20), st.binary(max_size=60))).map(lambda fields: chunk(*fields)),
        st.tuples(st.integers(0, len(SONG_METER) - 1), st.integers(0, 255)).map(
            lambda change: SONG_METER[: change[0]] + bytes([change[1]]) + SONG_METER[change[0] + 1 :]
        ),
    )
)
def test_any_bytes_give_facts_that_can_be_true(content: bytes) -> None:
    facts = parse_wamd(content)
    assert facts.start_time_us is not None or facts.utc_offset_min is None
    assert (facts.latitude_deg is None) == (facts.longitude_deg is None)
    assert -90 <= (facts.latitude_deg or 0) <= 90
    assert -180 <= (facts.longitude_deg or 0) <= 180


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [b"\0", b"\x01\0\0\0\0\0", b"1", b",", b" ", b"WGS84,1.1", b"-"])
def test_long_chunks_take_no_longer_than_their_length_asks(piece: bytes) -> None:
    parse_wamd(piece * 200_000)
    for kind in (MODEL, START_TIME, FIRST_POSITION, TEMPERATURE):
        parse_wamd(chunk((kind, piece * 200_000)))
