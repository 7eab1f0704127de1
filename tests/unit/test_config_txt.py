from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.recordings.config_txt import DeviceConfig, parse_config

DEVICE = "24F3190361DA3578"
FIRMWARE = "AudioMoth-Firmware-Basic (1.8.0)"
HEAD = f"Device ID                       : {DEVICE}\nFirmware                        : {FIRMWARE}\n"


def config(
    *,
    device: str = DEVICE,
    firmware: str = FIRMWARE,
    utc_offset_min: int | None = None,
    latitude_deg: float | None = None,
    longitude_deg: float | None = None,
    location_source: str | None = None,
) -> DeviceConfig:
    return DeviceConfig(
        device=device,
        firmware=firmware,
        utc_offset_min=utc_offset_min,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        location_source=location_source,
    )


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "sidecar/CONFIG_1.4.4_emu.TXT",
            config(device="243B1F075C7A37BE", firmware="AudioMoth-Firmware-Basic (1.4.4)", utc_offset_min=630),
        ),
        ("sidecar/CONFIG_1.8.0_emu.TXT", config(utc_offset_min=600)),
    ],
)
def test_real_settings_are_understood(shared: Path, file: str, expected: DeviceConfig) -> None:
    assert parse_config((shared / file).read_bytes()) == expected


def test_the_settings_of_a_new_firmware_are_understood() -> None:
    text = (
        "Device ID                       : 245AAA0666BC09F5\r\n"
        "Firmware                        : AudioMoth-Firmware-Basic (1.11.0)\r\n"
        "\r\n"
        "Deployment ID                   : 00000000A4168C14\r\n"
        "\r\n"
        "Device time                     : 2026-07-11 12:21:10 (UTC-3:30)\r\n"
        "\r\n"
        "Sample rate (Hz)                : 16000\r\n"
        "Gain                            : Medium\r\n"
        "\r\n"
        "Sleep duration (s)              : -\r\n"
        "Recording duration (s)          : -\r\n"
        "\r\n"
        "Location                        : 52.146196°N 4.474776°W (Acoustic chime)\r\n"
        "Sun recording mode              : Sunrise and sunset\r\n"
        "Sunrise - before, after (mins)  : 60, 60\r\n"
        "\r\n"
        "First recording date            : ----------\r\n"
        "Last recording time             : 2026-08-11 12:00:00 (UTC-9)\r\n"
        "\r\n"
        "Use device ID in WAV file name  : Yes\r\n"
    )
    assert parse_config(text.encode()) == config(
        device="245AAA0666BC09F5",
        firmware="AudioMoth-Firmware-Basic (1.11.0)",
        utc_offset_min=-210,
        latitude_deg=52.146196,
        longitude_deg=-4.474776,
        location_source="Acoustic chime",
    )


@pytest.mark.parametrize(
    ("lines", "minutes"),
    [
        ("Time zone : UTC", 0),
        ("Time zone : UTC+10:30", 630),
        ("Time zone : UTC-3:30", -210),
        ("Time zone : -", None),
        ("Time zone : local", None),
        ("Time zone : UTC+10 or so", None),
        ("Time zone :", None),
        ("Time zone", None),
        ("Device time : 2026-07-11 12:21:10 (UTC)", 0),
        ("Device time : 2026-07-11 12:21:10 (UTC+7)", 420),
        ("Device time : 2026-07-11 12:21:10 (UTC+1", None),
        ("Device time : 2026-07-11 12:21:10", None),
        ("Device time : ---------- --:--:--", None),
        ("Recording period 1 : 08:00 - 11:00 (UTC+2)", None),
        ("First recording time : 2026-07-11 12:21:10 (UTC+2)", None),
        ("", None),
    ],
)
def test_the_offset_of_the_clock_stands_in_one_of_two_places(lines: str, minutes: int | None) -> None:
    assert parse_config((HEAD + lines).encode()) == config(utc_offset_min=minutes)


@pytest.mark.parametrize(
    ("location", "latitude_deg", "longitude_deg", "source"),
    [
        ("52.146196°N 4.474776°E (GPS)", 52.146196, 4.474776, "GPS"),
        ("52.14°S 4.47°W (Configuration app)", -52.14, -4.47, "Configuration app"),
        ("0.00°N 0.50°W (Configuration app)", 0.0, -0.5, "Configuration app"),
        ("90.00°S 180.00°E", -90.0, 180.0, None),
        ("90.01°N 4.47°E (GPS)", None, None, None),
        ("52.14°N 180.01°E (GPS)", None, None, None),
        ("52.14°N (GPS)", None, None, None),
        ("52.14 4.47 (GPS)", None, None, None),
        ("4.47°E 52.14°N (GPS)", None, None, None),
        ("-", None, None, None),
        ("", None, None, None),
    ],
)
def test_a_location_is_degrees_to_the_north_and_east(
    location: str, latitude_deg: float | None, longitude_deg: float | None, source: str | None
) -> None:
    expected = config(latitude_deg=latitude_deg, longitude_deg=longitude_deg, location_source=source)
    assert parse_config(f"{HEAD}Location : {location}\n".encode()) == expected


@pytest.mark.parametrize(
    "content",
    [
        f"\n{HEAD}",
        HEAD.replace("\n", "\r\n"),
        HEAD.rstrip("\n"),
        f"Device ID: {DEVICE}\nFirmware:{FIRMWARE}",
        f"Device ID{' ' * 80}:{' ' * 9}{DEVICE}  \nFirmware\t:\t{FIRMWARE}\t\n",
        f"Firmware : {FIRMWARE}\nDevice ID : {DEVICE}\n",
        f"{HEAD}Device ID : 0000000000000000\nFirmware : other\n",
        f"{HEAD}Deployment ID : -\nno colon\n: no key\n:\n",
    ],
)
def test_the_layout_does_not_matter(content: str) -> None:
    assert parse_config(content.encode()) == config()


@pytest.mark.parametrize("firmware", ["AudioMoth-GPS-Sync (1.2.0)", "My own: build (0.1)"])
def test_a_firmware_is_kept_as_it_is_written(firmware: str) -> None:
    assert parse_config(f"Device ID : {DEVICE}\nFirmware : {firmware}\n".encode()) == config(firmware=firmware)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        f"Device ID : {DEVICE}\n".encode(),
        f"Firmware : {FIRMWARE}\n".encode(),
        f"Device ID : {DEVICE}\nFirmware : -\n".encode(),
        f"Device ID : {DEVICE}\nFirmware :\n".encode(),
        f"Device ID : -\nFirmware : {FIRMWARE}\n".encode(),
        f"Device ID : 42\nFirmware : {FIRMWARE}\n".encode(),
        f"Device ID : 0FE081F80FE081F0\nFirmware : {FIRMWARE}\n".encode(),
        f"# Device ID : {DEVICE}\n# Firmware : {FIRMWARE}\n".encode(),
        HEAD.encode("utf-16"),
        HEAD.encode().replace(b"24F3", b"24\xffF3"),
        b"[autorun]\nicon=card.ico\n",
        b"dtparam=audio=on\narm_64bit=1\n",
    ],
)
def test_other_files_are_no_settings(content: bytes) -> None:
    assert parse_config(content) is None


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece", [b"\0", b"\n", b":", b" ", b"\xff\xfe", b"Device ID", b"Device ID : \n", b"Location:("]
)
def test_a_large_file_of_something_else_is_no_settings_at_once(piece: bytes) -> None:
    assert parse_config(piece * (1_000_000 // len(piece))) is None


identifiers = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016X}").filter(lambda text: text[:4] != "0FE0")


@st.composite
def written_configs(draw: st.DrawFn) -> tuple[bytes, DeviceConfig]:
    """A file as firmware 1.4 (LF, Time zone), 1.9 (CRLF) or 1.10 (CRLF, Device time, Location) writes it."""
    minor = draw(st.sampled_from([4, 5, 9, 10]))
    device, firmware = draw(identifiers), f"AudioMoth-Firmware-Basic (1.{minor}.{draw(st.integers(0, 9))})"
    deployment = draw(st.none() | identifiers) if minor >= 5 else None
    minutes = 15 * draw(st.integers(-48, 56))
    hours, rest = divmod(abs(minutes), 60)
    zone = "UTC" if minutes == 0 else f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02d}" if rest else "")
    lines = [""] if minor == 4 else []
    lines += [f"{'Device ID':32}: {device}", f"{'Firmware':32}: {firmware}", ""]
    lines += [f"{'Deployment ID':32}: {deployment}", ""] if deployment else []
    clock = f"{'Device time':32}: 2026-07-11 12:21:10 ({zone})" if minor == 10 else f"{'Time zone':32}: {zone}"
    lines += [clock, "", f"{'Sample rate (Hz)':32}: 48000", f"{'Sleep duration (s)':32}: -"]
    latitude_deg, longitude_deg, source = None, None, None
    if minor == 10 and draw(st.booleans()):
        places = draw(st.sampled_from([2, 6]))
        source = "Configuration app" if places == 2 else draw(st.sampled_from(["GPS", "Acoustic chime"]))
        one = 10**places
        north, east = draw(st.integers(-90 * one, 90 * one)), draw(st.integers(-180 * one, 180 * one))
        latitude_deg, longitude_deg = north / one, east / one
        latitude = f"{abs(north) // one}.{abs(north) % one:0{places}d}°{'S' if north < 0 else 'N'}"
        longitude = f"{abs(east) // one}.{abs(east) % one:0{places}d}°{'W' if east < 0 else 'E'}"
        lines += ["", f"{'Location':32}: {latitude} {longitude} ({source})"]
    text = "".join(line + ("\r\n" if minor >= 9 else "\n") for line in [*lines, "", f"{'Filter':32}: -"])
    return text.encode(), config(
        device=device,
        firmware=firmware,
        utc_offset_min=minutes,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        location_source=source,
    )


@given(written_configs())
def test_whatever_a_firmware_writes_is_read_back(written: tuple[bytes, DeviceConfig]) -> None:
    content, expected = written
    assert parse_config(content) == expected


@given(st.binary())
def test_any_bytes_have_an_answer(content: bytes) -> None:
    assert parse_config(content) is None


@given(written_configs(), st.data())
def test_damaged_settings_have_an_answer(written: tuple[bytes, DeviceConfig], data: st.DataObject) -> None:
    content, _ = written
    places = st.integers(0, len(content))
    damaged = content[: data.draw(places)] + data.draw(st.binary(max_size=4)) + content[data.draw(places) :]

    found = parse_config(damaged)

    assert found is None or len(found.device) == 16
    assert found is None or (found.latitude_deg is None) == (found.longitude_deg is None)
