from __future__ import annotations

import calendar
import io
import struct
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from birddask.recordings.flac_comments import (
    FlacComments,
    Sensor,
    parse_flac_comments,
    read_sensor,
    recorded_frames,
    without_comments,
)

STREAM_INFO, PADDING, SEEK_TABLE, COMMENTS, PICTURE = 0, 1, 3, 4, 6
VENDOR = "Frontier Labs"
BAR = Sensor(model="Frontier Labs BAR")


def starts(moment: str) -> int:
    """Microseconds from 1970 to a moment of the same clock."""
    return calendar.timegm(datetime.fromisoformat(moment).timetuple()) * 1_000_000


def text(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


def block(kind: int, content: bytes, *, last: bool = False) -> bytes:
    return bytes([kind | 0x80 * last]) + len(content).to_bytes(3, "big") + content


def comments(vendor: str, *entries: str) -> bytes:
    """The content of a block of comments."""
    return text(vendor.encode()) + struct.pack("<I", len(entries)) + b"".join(text(entry.encode()) for entry in entries)


def flac(*blocks: bytes) -> bytes:
    """The beginning of a FLAC file, up to its sound."""
    return b"fLaC" + block(STREAM_INFO, bytes(34)) + b"".join(blocks)


# As firmware 3.30 pads them; a byte that belongs to nothing follows.
FIRMWARE_3_30 = flac(
    block(
        COMMENTS,
        comments(
            VENDOR,
            "RecordingStart=2022-05-02T07:59:22+10:00",
            "RecordingEnd=2022-05-02T07:59:57+10:00",
            "SensorUid=00004024\r\n                             ",
            "SensorFirmwareVersion= 3.30                                ",
            "MicrophoneType1=STD AUDIO MIC   ",
            "MicrophoneUid1=003996  ",
            "ChannelGain1=50dB   ",
            "MicrophoneUid2=unknown ",
            "ChannelGain2=0dB   ",
            "BatteryLevel=100p 13.92V  ",
            "SensorLocation=-27.54167+153.04277/            ",
        )
        + b"\x80",
        last=True,
    )
)
SENSOR_3_30 = Sensor(
    start_time_us=starts("2022-05-01T21:59:22"),
    utc_offset_min=600,
    duration_s=35.0,
    model="Frontier Labs BAR",
    serial="00004024",
    firmware="3.30",
    gain="50dB",
    battery_v=13.92,
    latitude_deg=-27.54167,
    longitude_deg=153.04277,
)


def sensor(*entries: str) -> Sensor:
    """What one of Frontier Labs' recorders says with such comments."""
    return read_sensor(parse_flac_comments(flac(block(COMMENTS, comments(VENDOR, *entries)))))


def test_the_comments_of_a_real_recording(shared: Path) -> None:
    path = shared / "other/20220502T075930+1000_Minjerribah-Dry-B_1088507.flac"
    found = parse_flac_comments(path.read_bytes())
    assert found == FlacComments(
        "Frontier Labs",
        (
            ("RECORDINGSTART", "2022-05-02T07:59:22+10:00"),
            ("RECORDINGEND", "2022-05-02T07:59:57+10:00"),
            ("SENSORUID", "00004024"),
            ("SENSORFIRMWAREVERSION", "3.30"),
            ("MICROPHONETYPE1", "STD AUDIO MIC"),
            ("MICROPHONEUID1", "003996"),
            ("MICROPHONEBUILDDATE1", "2019-08-27"),
            ("CHANNELGAIN1", "50dB"),
            ("MICROPHONETYPE2", "unknown"),
            ("MICROPHONEUID2", "unknown"),
            ("MICROPHONEBUILDDATE2", "unknown"),
            ("CHANNELGAIN2", "0dB"),
            ("SDCARDCID", "9E4245353132474202000000A4012A49"),
            ("BATTERYLEVEL", "100p 13.92V"),
            ("SENSORLOCATION", "-27.54167+153.04277/"),
            ("LASTTIMESYNC", "2022-05-02T07:59:20+10:00"),
        ),
    )
    assert read_sensor(found) == SENSOR_3_30


def test_every_field_is_read() -> None:
    assert read_sensor(parse_flac_comments(FIRMWARE_3_30)) == SENSOR_3_30


def test_the_fields_of_older_firmware() -> None:
    found = sensor(
        "SensorUid=000010",
        "MicrophoneUid1=000629",
        "SensorFirmwareVersion=Firmware: V3.08       ",
        "SensorLocation=+19.2144 +152.8811",
        "ChannelGain1=50dB",
        "BatteryLevel=100p 12.83V",
        "RecordingEnd=2019-04-01 01:59:56",
        "RecordingStart=2019-04-01 00:00:01",
    )
    assert found == replace(
        BAR,
        start_time_us=starts("2019-04-01T00:00:01"),
        duration_s=7195.0,
        serial="000010",
        firmware="3.08",
        gain="50dB",
        battery_v=12.83,
        latitude_deg=19.2144,
        longitude_deg=152.8811,
    )


def test_comments_written_out_byte_by_byte() -> None:
    content = bytes.fromhex(
        "664c6143 04 00001a  04000000 54657374  02000000  03000000 613d62  03000000 433d3d".replace(" ", "")
    )
    assert parse_flac_comments(content) == FlacComments("Test", (("A", "b"), ("C", "=")))


def test_comments_that_libsndfile_writes() -> None:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 8000, 1, format="FLAC") as writer:
        writer.comment, writer.artist = "Recorded at dusk = 21:40 ü", "A. Moth"
        writer.write([0.0])
    found = parse_flac_comments(file.getvalue())
    assert sorted(found.entries) == [("ARTIST", "A. Moth"), ("COMMENT", "Recorded at dusk = 21:40 ü")]
    assert "libFLAC" in found.vendor
    assert read_sensor(found) == Sensor(comment="Recorded at dusk = 21:40 ü")


@pytest.mark.parametrize(
    ("entries", "comment"),
    [
        (("Comment=one",), "one"),
        (("DESCRIPTION= two \0",), "two"),
        (("description=two", "comment=one", "comment=three"), "one"),
        (("comment=", "description=two"), "two"),
        (("comments=no",), ""),
        ((), ""),
    ],
)
@pytest.mark.parametrize("vendor", [VENDOR, "Lavf60.3.100", ""])
def test_remarks_of_any_program(vendor: str, entries: tuple[str, ...], comment: str) -> None:
    found = parse_flac_comments(flac(block(COMMENTS, comments(vendor, *entries))))
    assert read_sensor(found).comment == comment


@pytest.mark.parametrize(
    "vendor", ["", "Lavf60.3.100", "reference libFLAC 1.4.3 20230623", "Frontier", "Frontier Labs 2"]
)
def test_fields_of_other_writers_are_not_taken_for_a_recorder_s(vendor: str) -> None:
    entries = ("SensorUid=00004024", "RecordingStart=2022-05-02T07:59:22+10:00", "BatteryLevel=100p 13.92V")
    assert read_sensor(parse_flac_comments(flac(block(COMMENTS, comments(vendor, *entries))))) == Sensor()


@pytest.mark.parametrize(
    ("start", "end", "start_time", "offset_min", "duration_s"),
    [
        ("2020-08-01T00:00:00+1000", "2020-08-01T01:59:55+1000", "2020-07-31T14:00:00", 600, 7195.0),
        ("2022-05-29T05:00:00-03:00", "2022-05-29T05:00:00-03:00", "2022-05-29T08:00:00", -180, 0.0),
        ("2022-05-29T05:00:00Z", "2022-05-29T06:00:00+01:00", "2022-05-29T05:00:00", 0, 0.0),
        ("2022-05-29 05:00:00", "2022-05-29T05:00:01+10:00", "2022-05-29T05:00:00", None, None),
        ("2022-05-29T05:00:01+00:00", "2022-05-29T05:00:00+00:00", "2022-05-29T05:00:01", 0, None),
        ("2022-05-29T05:00:00+00:00", "unknown", "2022-05-29T05:00:00", 0, None),
        ("unknown", "2022-05-29T05:00:00+00:00", None, None, None),
        ("2022-02-30T05:00:00+00:00", "2022-03-01T05:00:00+00:00", None, None, None),
        ("2022-02-03T25:00:00+00:00", "", None, None, None),
        ("22022-02-03T05:00:00+00:00", "", None, None, None),
        ("", "", None, None, None),
    ],
)
def test_start_and_duration(
    start: str, end: str, start_time: str | None, offset_min: int | None, duration_s: float | None
) -> None:
    found = sensor(f"RecordingStart={start}", f"RecordingEnd={end}")
    start_time_us = None if start_time is None else starts(start_time)
    assert found == replace(BAR, start_time_us=start_time_us, utc_offset_min=offset_min, duration_s=duration_s)


@pytest.mark.parametrize(
    ("value", "firmware"),
    [
        ("3.17", "3.17"),
        ("3.2", "3.2"),
        (" V3.12", "3.12"),
        ("Firmware: V3.08   tag    ", "3.08"),
        (" 3.20 atag emu wookies+rule          ", "3.20"),
        ("unknown", None),
        ("V", None),
        ("", None),
    ],
)
def test_firmware_of_all_styles(value: str, firmware: str | None) -> None:
    assert sensor(f"SensorFirmwareVersion={value}") == replace(BAR, firmware=firmware)


@pytest.mark.parametrize(
    ("value", "serial"), [("00000963", "00000963"), ("-0000001", None), ("unknown", None), ("  ", None)]
)
def test_serial_numbers(value: str, serial: str | None) -> None:
    assert sensor(f"SensorUid={value}") == replace(BAR, serial=serial)


@pytest.mark.parametrize(
    ("value", "battery_v"),
    [
        ("53p 12.16V", 12.16),
        ("9p 11.62V", 11.62),
        ("100p  5V", 5.0),
        ("3.80V", 3.8),
        ("0p 0.00V", None),
        ("100p 139.2V", None),
        ("100p", None),
        ("13.92", None),
        ("unknown", None),
        ("", None),
    ],
)
def test_batteries(value: str, battery_v: float | None) -> None:
    assert sensor(f"BatteryLevel={value}") == replace(BAR, battery_v=battery_v)


@pytest.mark.parametrize(
    ("value", "position"),
    [
        ("-27.54167+153.04277/", (-27.54167, 153.04277)),
        ("+43.63055-066.03199/", (43.63055, -66.03199)),
        ("+19.2144 +152.8811", (19.2144, 152.8811)),
        ("-27.5+153.0+012.7/", (-27.5, 153.0)),
        ("-90.0-180.0", (-90.0, -180.0)),
        ("+00.00000+000.00000/", (None, None)),
        ("-0.0 +0.0", (None, None)),
        ("+00.00000+006.50000/", (0.0, 6.5)),
        ("-90.1+153.0/", (None, None)),
        ("-27.5+180.1/", (None, None)),
        ("-27.5", (None, None)),
        ("27.5 153.0", (None, None)),
        ("unknown", (None, None)),
        ("", (None, None)),
    ],
)
def test_positions_of_all_forms(value: str, position: tuple[float | None, float | None]) -> None:
    latitude_deg, longitude_deg = position
    assert sensor(f"SensorLocation={value}") == replace(BAR, latitude_deg=latitude_deg, longitude_deg=longitude_deg)


@pytest.mark.parametrize(
    ("entries", "gain"),
    [
        (("ChannelGain1=40dB",), "40dB"),
        (("ChannelGain1=40dB", "ChannelGain2=50dB"), "40dB"),
        (("MicrophoneUid1=unknown", "ChannelGain1=0dB", "MicrophoneUid2=001720", "ChannelGain2=50dB"), "50dB"),
        (("MicrophoneUid1=unknown", "ChannelGain1=0dB", "MicrophoneUid2=unknown", "ChannelGain2=0dB"), None),
        (("ChannelGain1=",), None),
        ((), None),
    ],
)
def test_the_gain_is_that_of_a_microphone(entries: tuple[str, ...], gain: str | None) -> None:
    assert sensor(*entries) == replace(BAR, gain=gain)


def test_the_first_entry_of_a_key_counts_and_keys_are_the_same_in_any_case() -> None:
    found = parse_flac_comments(flac(block(COMMENTS, comments(VENDOR, "sensoruid=1", "SensorUid=2", "SENSORUID =3"))))
    assert found.entries == (("SENSORUID", "1"), ("SENSORUID", "2"), ("SENSORUID", "3"))
    assert read_sensor(found) == replace(BAR, serial="1")


# Real recordings: what the header states, and how long they took by the recorder's clock.
@pytest.mark.parametrize(
    ("firmware", "stated_frames", "duration_s", "frames"),
    [
        ("3.17", 317_292_544, 7195.0, 158_646_272),
        ("3.14", 158_644_224, 7195.0, 158_644_224),
        ("3.14", 1_096_704, 50.0, 1_096_704),
        ("3.14", 9216, 0.0, 9216),
        ("3.30", 770_048, 35.0, 770_048),
        ("3.20", 2 * 22_050 * 20, 21.0, 22_050 * 20),
        ("3.20", 22_050 * 8, 4.0, 22_050 * 8),
        ("3.20", 22_050 * 7200, 2400.0, 22_050 * 7200),
        ("3.20", 22_050 * 7200, None, 22_050 * 7200),
    ],
)
def test_twice_the_length_is_halved_where_the_recorder_s_clock_knows_better(
    firmware: str, stated_frames: int, duration_s: float | None, frames: int
) -> None:
    assert recorded_frames(replace(BAR, firmware=firmware, duration_s=duration_s), stated_frames, 22_050) == frames


def test_the_block_is_found_among_others_and_only_where_it_can_be() -> None:
    ours, other = block(COMMENTS, comments("ours")), block(COMMENTS, comments("other"))
    big = block(PICTURE, bytes(60_000))
    assert (
        parse_flac_comments(flac(block(PADDING, bytes(3)), block(SEEK_TABLE, bytes(18)), ours, other)).vendor == "ours"
    )
    assert parse_flac_comments(flac(big, ours)).vendor == "ours"
    assert parse_flac_comments(flac(big, big, ours)) == FlacComments()
    assert parse_flac_comments(flac(block(PADDING, b"", last=True), ours)) == FlacComments()
    assert parse_flac_comments(flac()) == FlacComments()
    assert parse_flac_comments(b"RIFF" + flac(ours)[4:]) == FlacComments()
    assert parse_flac_comments(b"") == FlacComments()


def test_what_stands_before_the_damage_is_kept() -> None:
    entries = text(b"A=1") + text(b"B") + text(b"=2") + text(b"C=\xff3")
    for count in (4, 5, 0xFFFFFFFF):
        content = text(b"x") + struct.pack("<I", count) + entries + b"\xff\xff\xff\xff"
        assert parse_flac_comments(flac(block(COMMENTS, content))).entries == (("A", "1"), ("", "2"), ("C", "\ufffd3"))
    content = text(b"x") + struct.pack("<I", 1) + entries
    assert parse_flac_comments(flac(block(COMMENTS, content))).entries == (("A", "1"),)
    too_long = struct.pack("<I", 0xFFFFFFFF) + b"x"
    assert parse_flac_comments(flac(block(COMMENTS, too_long))) == FlacComments()


def test_an_entry_does_not_reach_into_the_next_block() -> None:
    content = text(b"x") + struct.pack("<I", 1) + struct.pack("<I", 20) + b"A=1"
    found = parse_flac_comments(flac(block(COMMENTS, content), block(PADDING, b"not ours" * 9)))
    assert found == FlacComments("x")


@given(st.integers(0, len(FIRMWARE_3_30)))
def test_a_cut_file_tells_a_part_of_what_the_whole_one_tells(length: int) -> None:
    cut, whole = parse_flac_comments(FIRMWARE_3_30[:length]), parse_flac_comments(FIRMWARE_3_30)
    assert cut.vendor in ("", whole.vendor)
    assert cut.entries == whole.entries[: len(cut.entries)]


@pytest.mark.parametrize("last", [False, True])
def test_hidden_comments_leave_all_else_as_it_is(*, last: bool) -> None:
    before, content, after = flac(block(PADDING, b"ab")), comments(VENDOR, "A=1"), b"the rest"
    shown = before + block(COMMENTS, content, last=last) + after
    assert without_comments(shown) == before + block(PADDING, content, last=last) + after


@pytest.mark.parametrize("head", [b"", b"fLaC", flac(block(PADDING, b"ab", last=True)), b"RIFF" + FIRMWARE_3_30])
def test_where_there_are_no_comments_nothing_is_hidden(head: bytes) -> None:
    assert without_comments(head) == head


KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7D, exclude_characters="="), min_size=1, max_size=20)
VALUES = st.text(max_size=60)
OTHER_BLOCKS = st.lists(st.tuples(st.sampled_from([PADDING, 2, SEEK_TABLE, 5, PICTURE]), st.binary(max_size=50)))


@given(st.text(max_size=30), st.lists(st.tuples(KEYS, VALUES), max_size=8), OTHER_BLOCKS, OTHER_BLOCKS, st.binary())
def test_what_a_program_writes_is_read(
    vendor: str,
    entries: list[tuple[str, str]],
    before: list[tuple[int, bytes]],
    after: list[tuple[int, bytes]],
    sound: bytes,
) -> None:
    ours = block(COMMENTS, comments(vendor, *(f"{key}={value}" for key, value in entries)), last=not after)
    others = [[block(*other) for other in side] for side in (before, after)]
    blank = " \t\n\r\v\f\0"
    assert parse_flac_comments(flac(*others[0], ours, *others[1]) + sound) == FlacComments(
        vendor.strip(blank), tuple((key.strip().upper(), value.strip(blank)) for key, value in entries)
    )


@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda content: flac(block(COMMENTS, content))),
        st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60))).map(
            lambda blocks: b"fLaC" + b"".join(block(kind & 0x7F, content, last=kind > 0x7F) for kind, content in blocks)
        ),
        st.tuples(st.integers(0, len(FIRMWARE_3_30) - 1), st.integers(0, 255)).map(
            lambda change: FIRMWARE_3_30[: change[0]] + bytes([change[1]]) + FIRMWARE_3_30[change[0] + 1 :]
        ),
    )
)
def test_any_bytes_give_facts_that_can_be_true(head: bytes) -> None:
    facts = read_sensor(parse_flac_comments(head))
    assert facts.start_time_us is not None or facts.utc_offset_min is None
    assert (facts.duration_s or 0) >= 0
    assert 0 < (facts.battery_v or 1) < 100
    assert (facts.latitude_deg is None) == (facts.longitude_deg is None)
    assert -90 <= (facts.latitude_deg or 0) <= 90
    assert -180 <= (facts.longitude_deg or 0) <= 180
    assert len(without_comments(head)) == len(head)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [b"\0", b"1", b" ", b"+1.1", b"100p ", b"Firmware: ", b"="])
def test_long_files_take_no_longer_than_their_length_asks(piece: bytes) -> None:
    parse_flac_comments(b"fLaC" + piece * 200_000)
    parse_flac_comments(flac(block(COMMENTS, piece * 200_000)))
    long = piece.decode() * 10_000
    keys = ("RecordingStart", "RecordingEnd", "SensorUid", "SensorFirmwareVersion", "SensorLocation", "BatteryLevel")
    for key in keys:
        sensor(f"{key}={long}")
