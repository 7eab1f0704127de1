from __future__ import annotations

import struct
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.recordings.audiomoth import Comment, parse_artist, parse_comment, parse_serial, parse_zone

DEVICE = "24526B065D325963"
DEPLOYMENT = "00000000A4168C14"
SHARED_SERIAL = "0FE081F80FE081F0"
GAINS = ["low", "low-medium", "medium", "medium-high", "high"]


def said(
    start: str | None = None,
    zone_min: int | None = 0,
    *,
    device: str | None = DEVICE,
    deployment: str | None = None,
    model: str | None = "AudioMoth",
    gain: str | None = "medium",
    battery_v: float | None = None,
    battery_limit: Literal["", "below", "above"] = "",
    temperature_c: float | None = None,
    trigger: str | None = None,
    filtered: str | None = None,
    stop_reason: str = "",
) -> Comment:
    """What a sentence says whose start is this moment in UTC."""
    return Comment(
        start_time_us=None if start is None else microseconds(datetime.fromisoformat(f"{start}+00:00")),
        utc_offset_min=zone_min,
        device=device,
        deployment=deployment,
        model=model,
        gain=gain,
        battery_v=battery_v,
        battery_limit=battery_limit,
        temperature_c=temperature_c,
        trigger=trigger,
        triggered=trigger is not None,
        filter=filtered,
        stop_reason=stop_reason,
        derived=False,
    )


def microseconds(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000 + moment.microsecond


NOTHING = said(None, None, device=None, model=None, gain=None)

# What stands before the clauses that differ, as the firmwares of their time write it.
TO_1_3 = f"Recorded at 06:00:00 04/07/2019 (UTC) by AudioMoth {DEVICE} at gain setting 2 while battery state was"
TO_1_5 = (
    f"Recorded at 06:00:00 04/07/2020 (UTC) by AudioMoth {DEVICE} at medium gain setting while battery state was 3.9V "
    "and temperature was 25.3C."
)
FROM_1_6 = (
    f"Recorded at 06:00:00 04/07/2022 (UTC) by AudioMoth {DEVICE} at medium gain while battery was 4.1V "
    "and temperature was 14.0C."
)


def said_to_1_5(
    trigger: str | None = None, filtered: str | None = None, stop_reason: str = "", gain: str = "medium"
) -> Comment:
    return said(
        "2020-07-04T06:00:00",
        gain=gain,
        battery_v=3.9,
        temperature_c=25.3,
        trigger=trigger,
        filtered=filtered,
        stop_reason=stop_reason,
    )


def said_from_1_6(
    trigger: str | None = None, filtered: str | None = None, stop_reason: str = "", gain: str = "medium"
) -> Comment:
    return said(
        "2022-07-04T06:00:00",
        gain=gain,
        battery_v=4.1,
        temperature_c=14.0,
        trigger=trigger,
        filtered=filtered,
        stop_reason=stop_reason,
    )


OLDEST = f"Recorded at 05:56:00 04/07/2017 by AudioMoth {SHARED_SERIAL} at gain setting"
CANCELLED = "Recording cancelled before completion due to"
FREQUENCY = (
    "Frequency trigger (30.0kHz and window length of 64 samples) threshold was 2% with 3s minimum trigger duration."
)
LIVE = "by AudioMoth Live using a 384kHz AudioMoth USB Microphone."


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        pytest.param(
            f"{OLDEST} 0 while battery state was < 3.6V",
            said("2017-07-04T05:56:00", device=None, gain="low", battery_v=3.6, battery_limit="below"),
            id="1.0, empty battery",
        ),
        pytest.param(
            f"{OLDEST} 1 while battery state was 4.02V",
            said("2017-07-04T05:56:00", device=None, gain="low-medium", battery_v=4.2),
            id="1.0, tenths of two digits",
        ),
        pytest.param(
            f"{OLDEST} 3 while battery state was > 5.0V",
            said("2017-07-04T05:56:00", device=None, gain="medium-high", battery_v=5.0, battery_limit="above"),
            id="1.0, full battery",
        ),
        pytest.param(
            f"Recorded at 19:17:30 06/04/2018 (UTC) by AudioMoth {SHARED_SERIAL} at gain setting 4 "
            "while battery state was < 3.6V",
            said("2018-04-06T19:17:30", device=None, gain="high", battery_v=3.6, battery_limit="below"),
            id="1.0.1 and 1.1.0",
        ),
        pytest.param(
            f"Recorded at 06:00:00 04/07/2018 (UTC+2) by AudioMoth {DEVICE} at gain setting 2 "
            "while battery state was < 3.6V.",
            said("2018-07-04T04:00:00", 120, battery_v=3.6, battery_limit="below"),
            id="1.2.0",
        ),
        pytest.param(
            f"{TO_1_3} greater than 4.9V.",
            said("2019-07-04T06:00:00", battery_v=4.9, battery_limit="above"),
            id="1.2.1, full battery",
        ),
        pytest.param(
            f"{TO_1_3} less than 3.6V. {CANCELLED} low battery voltage.",
            said("2019-07-04T06:00:00", battery_v=3.6, battery_limit="below", stop_reason="low_voltage"),
            id="1.2.1, low battery",
        ),
        pytest.param(
            f"{TO_1_3} 4.0V. {CANCELLED} change of switch position.",
            said("2019-07-04T06:00:00", battery_v=4.0, stop_reason="switch_position"),
            id="1.2.1, switch",
        ),
        pytest.param(
            f"Recorded at 06:00:00 04/07/2020 (UTC-3:30) by AudioMoth {DEVICE} at gain setting 2 "
            "while battery state was 4.4V.",
            said("2020-07-04T09:30:00", -210, battery_v=4.4),
            id="1.2.2 and 1.3.0, half hour",
        ),
        pytest.param(
            f"Recorded at 06:00:00 04/07/2020 (UTC+5: 5) by AudioMoth {DEVICE} at gain setting 2 "
            "while battery state was 4.4V.",
            said("2020-07-04T00:55:00", 305, battery_v=4.4),
            id="1.2.2 and 1.3.0, minutes of one digit",
        ),
        pytest.param(
            f"{TO_1_5} Amplitude threshold was 0.", said_to_1_5("amplitude 0"), id="1.4.0, threshold in steps"
        ),
        pytest.param(
            f"{TO_1_5} Amplitude threshold was 32768. Low-pass filter applied with cut-off frequency of 1.0kHz. "
            f"{CANCELLED} low voltage.",
            said_to_1_5("amplitude 32768", "low-pass 1.0 kHz", "low_voltage"),
            id="1.4.0, low-pass",
        ),
        pytest.param(
            f"{TO_1_5} High-pass filter applied with cut-off frequency of 15.0kHz. "
            f"{CANCELLED} change of switch position.",
            said_to_1_5(filtered="high-pass 15.0 kHz", stop_reason="switch_position"),
            id="1.4.0, high-pass",
        ),
        pytest.param(
            f"{TO_1_5} Band-pass filter applied with cut-off frequencies of 1.0kHz and 12.0kHz. "
            f"{CANCELLED} file size limit.",
            said_to_1_5(filtered="band-pass 1.0-12.0 kHz", stop_reason="file_size_limit"),
            id="1.4.2, file size",
        ),
        pytest.param(
            f"Recorded at 03:00:50 08/03/2021 (UTC-0:30) during deployment {DEPLOYMENT} using external microphone at "
            f"medium-high gain setting while battery state was less than 2.5V and temperature was -0.5C. {CANCELLED} "
            "microphone change.",
            said(
                "2021-03-08T03:30:50",
                -30,
                device=None,
                deployment=DEPLOYMENT,
                gain="medium-high",
                battery_v=2.5,
                battery_limit="below",
                temperature_c=-0.5,
                stop_reason="microphone",
            ),
            id="1.5.0, deployment and microphone",
        ),
        pytest.param(
            f"Recorded at 03:00:50 08/03/2021 (UTC+0:30) by AudioMoth {DEVICE} using external microphone at low gain "
            "setting while battery state was greater than 4.9V and temperature was 7.0C.",
            said(
                "2021-03-08T02:30:50",
                30,
                gain="low",
                battery_v=4.9,
                battery_limit="above",
                temperature_c=7.0,
            ),
            id="1.5.0, microphone",
        ),
        pytest.param(
            f"{FROM_1_6} Amplitude threshold was 512 with 0s minimum trigger duration. "
            "Low-pass filter with frequency of 1.0kHz applied. Recording stopped due to microphone change.",
            said_from_1_6("amplitude 512, 0 s minimum", "low-pass 1.0 kHz", "microphone"),
            id="1.6.0, threshold in steps before the filter",
        ),
        pytest.param(
            f"{FROM_1_6} Amplitude threshold was 0.0001% with 60s minimum trigger duration. Band-pass filter with "
            "frequencies of 1.0kHz and 12.0kHz applied. Recording stopped due to switch position change.",
            said_from_1_6("amplitude 0.0001 %, 60 s minimum", "band-pass 1.0-12.0 kHz", "switch_position"),
            id="1.6.0, threshold in percent before the filter",
        ),
        pytest.param(
            f"{FROM_1_6} Amplitude threshold was 0 dB with 1s minimum trigger duration. "
            "High-pass filter with frequency of 0.5kHz applied. Recording stopped due to file size limit.",
            said_from_1_6("amplitude 0 dB, 1 s minimum", "high-pass 0.5 kHz", "file_size_limit"),
            id="1.6.0, threshold in decibels before the filter",
        ),
        pytest.param(
            f"{FROM_1_6} Recording stopped by magnetic switch.",
            said_from_1_6(stop_reason="magnetic_switch"),
            id="1.7.0, magnetic switch",
        ),
        pytest.param(
            f"{FROM_1_6} Band-pass filter with frequencies of 1.0kHz and 12.0kHz applied. Amplitude threshold was "
            "-62 dB with 51s minimum trigger duration. Recording stopped due to low voltage.",
            said_from_1_6("amplitude -62 dB, 51 s minimum", "band-pass 1.0-12.0 kHz", "low_voltage"),
            id="1.8.0, threshold after the filter",
        ),
        pytest.param(
            f"{FROM_1_6} {FREQUENCY} Low-pass filter with frequency of 90.5kHz applied.",
            said_from_1_6("frequency 30.0 kHz, window 64 samples, threshold 2 %, 3 s minimum", "low-pass 90.5 kHz"),
            id="1.8.0, frequency before the filter",
        ),
        pytest.param(
            f"{FROM_1_6} Amplitude threshold was 100% with 5s minimum trigger duration. "
            "Recording stopped due to SD card write error.",
            said_from_1_6("amplitude 100 %, 5 s minimum", stop_reason="sd_write_error"),
            id="1.11.0, card",
        ),
        pytest.param(
            f"{FROM_1_6} Recording stopped due to magnetic switch.",
            said_from_1_6(stop_reason="magnetic_switch"),
            id="GPS-Sync",
        ),
        pytest.param(
            f"{TO_1_5} {CANCELLED} total file size limit.",
            said_to_1_5(stop_reason="file_size_limit"),
            id="LIFEPLAN",
        ),
        pytest.param(
            f"{FROM_1_6} Edge Impulse model used with 5s minimum trigger duration.",
            said_from_1_6("Edge Impulse model, 5 s minimum"),
            id="EdgeImpulse",
        ),
        pytest.param(
            f"{FROM_1_6} Recording stopped due to Edge Impulse model error.",
            said_from_1_6(stop_reason="model_error"),
            id="EdgeImpulse, error",
        ),
        pytest.param(
            f"Recorded at 10:00:00.123 28/05/2024 (UTC+1) {LIVE}",
            said("2024-05-28T09:00:00.123", 60, device=None, model="AudioMoth Live", gain=None),
            id="Live, milliseconds",
        ),
        pytest.param(
            "Recorded at 10:00:00 28/05/2024 (UTC) by AudioMoth Live using 384kHz AudioMoth USB Microphone.",
            said("2024-05-28T10:00:00", device=None, model="AudioMoth Live", gain=None),
            id="Live",
        ),
    ],
)
def test_every_wording_is_understood(comment: str, expected: Comment) -> None:
    assert parse_comment(comment) == expected


OLD = "while battery state was"


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        pytest.param(
            f"Recorded at 19:17:30 06/04/2018 (UTC) by AudioMoth {SHARED_SERIAL} at gain setting 2 {OLD} 4.5V",
            said("2018-04-06T19:17:30", device=None, battery_v=4.5),
            id="1.0.1, metamoth",
        ),
        pytest.param(
            f"Recorded at 09:32:00 04/05/2018 (UTC) by AudioMoth {SHARED_SERIAL} at gain setting 2 {OLD} 4.3V",
            said("2018-05-04T09:32:00", device=None, battery_v=4.3),
            id="1.0.1, opensoundscape",
        ),
        pytest.param(
            f"Recorded at 06:00:00 17/02/2019 (UTC) by AudioMoth {SHARED_SERIAL} at gain setting 4 {OLD} 4.7V",
            said("2019-02-17T06:00:00", device=None, gain="high", battery_v=4.7),
            id="1.0.1, renamed",
        ),
        pytest.param(
            f"Recorded at 02:00:00 30/10/2019 (UTC) by AudioMoth 243B1F055B2BF663 at gain setting 1 {OLD} 3.8V.",
            said("2019-10-30T02:00:00", device="243B1F055B2BF663", gain="low-medium", battery_v=3.8),
            id="1.2.1",
        ),
        pytest.param(
            f"Recorded at 10:25:00 04/04/2020 (UTC) by AudioMoth 24526B065D325963 at gain setting 2 {OLD} 4.7V.",
            said("2020-04-04T10:25:00", device="24526B065D325963", battery_v=4.7),
            id="1.3.0",
        ),
        pytest.param(
            "Recorded at 17:22:00 09/02/2021 (UTC) by AudioMoth 24E144085F2569BF at medium-high gain setting while "
            "battery state was 4.6V and temperature was 19.4C. Amplitude threshold was 60.",
            said(
                "2021-02-09T17:22:00",
                device="24E144085F2569BF",
                gain="medium-high",
                battery_v=4.6,
                temperature_c=19.4,
                trigger="amplitude 60",
            ),
            id="1.4.1, threshold",
        ),
        pytest.param(
            "Recorded at 23:32:00 01/05/2021 (UTC) by AudioMoth 240435055C7B17DB at medium gain setting while battery "
            "state was 4.1V and temperature was 5.8C.",
            said("2021-05-01T23:32:00", device="240435055C7B17DB", battery_v=4.1, temperature_c=5.8),
            id="1.4.4",
        ),
        pytest.param(
            "Recorded at 18:30:00 03/01/2022 (UTC+10:30) by AudioMoth 243B1F075C7A37BE at medium-high gain setting "
            "while battery state was 3.9V and temperature was 25.3C.",
            said(
                "2022-01-03T08:00:00",
                630,
                device="243B1F075C7A37BE",
                gain="medium-high",
                battery_v=3.9,
                temperature_c=25.3,
            ),
            id="1.4.4, half hour",
        ),
        pytest.param(
            "Recorded at 19:30:00 12/11/2021 (UTC) by AudioMoth 248D9B045EC9EE79 at medium gain while battery was 4.1V "
            "and temperature was 14.0C.",
            said("2021-11-12T19:30:00", device="248D9B045EC9EE79", battery_v=4.1, temperature_c=14.0),
            id="1.6.0",
        ),
        pytest.param(
            "Recorded at 01:09:00 07/09/2021 (UTC) by AudioMoth 247AA506603EC3A8 at medium-high gain while battery was "
            "4.0V and temperature was 22.6C",
            said(
                "2021-09-07T01:09:00", device="247AA506603EC3A8", gain="medium-high", battery_v=4.0, temperature_c=22.6
            ),
            id="1.6.0, without its dot",
        ),
        pytest.param(
            "Recorded at 10:00:00 28/05/2024 (UTC) by AudioMoth 243B1F026488F56E at medium gain while battery was 3.8V "
            "and temperature was 12.8C.",
            said("2024-05-28T10:00:00", device="243B1F026488F56E", battery_v=3.8, temperature_c=12.8),
            id="GPS-Sync",
        ),
        pytest.param(
            "Recorded at 20:26:15 03/09/2024 (UTC+1) by AudioMoth 24E144055E080032 at medium gain while battery was "
            "4.2V and temperature was 19.3C. High-pass filter with frequency of 15.0kHz applied. Amplitude threshold "
            "was 4% with 5s minimum trigger duration.",
            said(
                "2024-09-03T19:26:15",
                60,
                device="24E144055E080032",
                battery_v=4.2,
                temperature_c=19.3,
                trigger="amplitude 4 %, 5 s minimum",
                filtered="high-pass 15.0 kHz",
            ),
            id="1.10.1, triggered",
        ),
        pytest.param(
            "Recorded at 03:13:00 03/05/2025 (UTC) by AudioMoth 242A2604603691DD at medium gain while battery was 3.8V "
            "and temperature was 13.1C.",
            said("2025-05-03T03:13:00", device="242A2604603691DD", battery_v=3.8, temperature_c=13.1),
            id="1.11.0",
        ),
        pytest.param(
            "Recorded at 19:30:00 09/08/2025 (UTC-5) by AudioMoth 248D9B04645707D7 at medium gain while battery was "
            "4.5V and temperature was 12.3C.",
            said("2025-08-10T00:30:00", -300, device="248D9B04645707D7", battery_v=4.5, temperature_c=12.3),
            id="1.11.0, west",
        ),
        pytest.param(
            "Recorded at 00:00:00 11/05/2026 (UTC-7) by AudioMoth 242A2605648965BB at high gain while battery was "
            "greater than 4.9V and temperature was 13.3C.",
            said(
                "2026-05-11T07:00:00",
                -420,
                device="242A2605648965BB",
                gain="high",
                battery_v=4.9,
                battery_limit="above",
                temperature_c=13.3,
            ),
            id="1.11.1",
        ),
        pytest.param(
            "Recorded at 16:00:00 10/08/2026 (UTC) by AudioMoth 2403750567C2A798 at medium gain while battery was 4.8V "
            "and temperature was 39.1C.",
            said("2026-08-10T16:00:00", device="2403750567C2A798", battery_v=4.8, temperature_c=39.1),
            id="1.12.1",
        ),
        pytest.param(
            f"Recorded at 06:00:00 04/07/2018 (UTC-10) by AudioMoth 24526B065D325963 at gain setting 2 {OLD} > 5.0V.",
            said("2018-07-04T16:00:00", -600, battery_v=5.0, battery_limit="above"),
            id="1.2.0",
        ),
        pytest.param(
            f"Recorded at 06:00:00 04/07/2019 (UTC:30) by AudioMoth 24526B065D325963 at gain setting 2 {OLD} "
            "less than 3.6V. Recording cancelled before completion due to low battery voltage.",
            said("2019-07-04T05:30:00", 30, battery_v=3.6, battery_limit="below", stop_reason="low_voltage"),
            id="1.2.2, half hour",
        ),
        pytest.param(
            "Recorded at 06:00:00 04/07/2020 (UTC) by AudioMoth 24526B065D325963 at high gain setting while battery "
            "state was less than 2.5V and temperature was -7.3C. Amplitude threshold was 16384. Band-pass filter "
            "applied with cut-off frequencies of 1.0kHz and 12.0kHz. Recording cancelled before completion due to "
            "change of switch position.",
            said(
                "2020-07-04T06:00:00",
                gain="high",
                battery_v=2.5,
                battery_limit="below",
                temperature_c=-7.3,
                trigger="amplitude 16384",
                filtered="band-pass 1.0-12.0 kHz",
                stop_reason="switch_position",
            ),
            id="1.4.0, all clauses",
        ),
        pytest.param(
            "Recorded at 03:00:50 08/03/2022 (UTC+5:30) during deployment 00000000A4168C14 using external microphone "
            "at medium-high gain while battery was 4.1V and temperature was 7.0C. Amplitude threshold was -62 dB with "
            "51s minimum trigger duration. Recording stopped due to low voltage.",
            said(
                "2022-03-07T21:30:50",
                330,
                device=None,
                deployment="00000000A4168C14",
                gain="medium-high",
                battery_v=4.1,
                temperature_c=7.0,
                trigger="amplitude -62 dB, 51 s minimum",
                stop_reason="low_voltage",
            ),
            id="1.6.0, deployment",
        ),
        pytest.param(
            f"{FROM_1_6} Frequency trigger (30.0kHz and window length of 64 samples) threshold was 2% with 3s minimum "
            "trigger duration. High-pass filter with frequency of 15.0kHz applied. Recording stopped by magnetic "
            "switch.",
            said_from_1_6(
                "frequency 30.0 kHz, window 64 samples, threshold 2 %, 3 s minimum",
                "high-pass 15.0 kHz",
                "magnetic_switch",
            ),
            id="1.8.0, frequency",
        ),
        pytest.param(
            f"{FROM_1_6} Recording stopped due to SD card write error.",
            said_from_1_6(stop_reason="sd_write_error"),
            id="1.11.0, card",
        ),
    ],
)
def test_sentences_from_real_recordings_are_understood(comment: str, expected: Comment) -> None:
    assert parse_comment(comment) == expected


def comment_of(path: Path) -> str:
    """The ICMT entry of a file that has one near its beginning, up to the first NUL."""
    head = path.read_bytes()[:2048]
    position = head.index(b"ICMT")
    (size,) = struct.unpack_from("<I", head, position + 4)
    return head[position + 8 : position + 8 + size].split(b"\0")[0].decode()


SPRING = said("2025-05-03T03:13:00", device="242A2604603691DD", battery_v=3.8, temperature_c=13.1)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("audiomoth/242A2604603691DD_20250503_031300.WAV", SPRING),
        (
            "audiomoth/242A2604603691DD_20250503_031400.WAV",
            said("2025-05-03T03:14:00", device="242A2604603691DD", battery_v=3.8, temperature_c=13.4),
        ),
        (
            "audiomoth/fw1.0.1-1.1.0_hdr192_192kHz_2s.WAV",
            said("2018-04-06T19:17:30", device=None, battery_v=4.5),
        ),
        (
            "audiomoth/fw1.2.1-1.3.0_hdr360_384kHz_2s.WAV",
            said("2019-10-30T02:00:00", device="243B1F055B2BF663", gain="low-medium", battery_v=3.8),
        ),
        (
            "audiomoth/fw1.6-1.9_hdr488_384kHz_2s_20211112_193000.WAV",
            said("2021-11-12T19:30:00", device="248D9B045EC9EE79", battery_v=4.1, temperature_c=14.0),
        ),
        (
            "faults/02_powerloss_fw1.11/20250503_041000.WAV",
            said(
                "2025-05-03T04:10:00",
                device="242A2604603691DD",
                battery_v=3.8,
                temperature_c=13.1,
                stop_reason="sd_write_error",
            ),
        ),
        (
            "faults/12_clock_not_set/19700101_000007.WAV",
            said("1970-01-01T00:00:07", device="242A2604603691DD", battery_v=3.8, temperature_c=13.1),
        ),
        (
            "faults/15_fw1.2.2_UTC_colon30/20190704_063000.WAV",
            said("2019-07-04T06:00:00", 30, battery_v=4.5),
        ),
        (
            "faults/16_fw1.0_hexname/595B2DF0.WAV",
            said("2017-07-04T05:56:00", device=None, battery_v=4.2),
        ),
        (
            "faults/21_twav_two_events/20250503_070000T.WAV",
            said(
                "2025-05-03T07:00:00",
                device="242A2604603691DD",
                battery_v=3.8,
                temperature_c=13.1,
                trigger="amplitude 4 %, 5 s minimum",
            ),
        ),
    ],
)
def test_the_comments_of_real_files_are_understood(shared: Path, file: str, expected: Comment) -> None:
    assert parse_comment(comment_of(shared / file)) == expected


def test_a_sentence_inside_another_programs_comment_is_found(shared: Path) -> None:
    content = (shared / "other/oss_audiomoth_gps.wav").read_bytes()
    position = content.index(b"ICMT")
    text = content[position + 8 : position + 800].split(b"\0")[0].decode()

    assert text.startswith("opso_metadata{")
    assert parse_comment(text) == said(
        "2024-05-28T10:00:00", device="243B1F026488F56E", battery_v=3.8, temperature_c=12.8
    )


@pytest.mark.parametrize(
    "comment",
    [
        "Expanded from 20240903_202615T.WAV as file 1 of 2.",
        "Split from 242A2604603691DD_20250503_031300.WAV as file 12 of 30.",
        f"Split from {'A_LONG_PREFIX_' * 30}",
    ],
)
def test_a_file_cut_from_another_one_says_nothing_else(comment: str) -> None:
    assert asdict(parse_comment(comment)) == asdict(NOTHING) | {"derived": True}


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "Dawn chorus behind the house, expanded later",
        "SongMeter(SM4) at gain 16 dB while battery was fine",
        "opso_metadata{}",
        f"artist AudioMoth {DEVICE}",
    ],
)
def test_other_comments_say_nothing(comment: str) -> None:
    assert parse_comment(comment) == NOTHING


@pytest.mark.parametrize(
    "moment",
    [
        "25:00:00 01/05/2025 (UTC)",
        "12:60:00 01/05/2025 (UTC)",
        "12:00:60 01/05/2025 (UTC)",
        "12:00:00 31/02/2025 (UTC)",
        "12:00:00 00/00/2025 (UTC)",
        "12:00:00 29/02/2100 (UTC)",
        "00:00:00 00/00/0000 (UTC)",
        "00:00:00 01/01/0001 (UTC+1)",
        "12:00:00 01/05/1899 (UTC)",
        "12:00:00 01/05/2101 (UTC)",
        "23:30:00 31/12/9999 (UTC-1)",
        "12:00:00 01/05/20250 (UTC)",
        "12:00:00 01/05/2025 (UTC+sunrise)",
        "12:00:00 01/05/2025 (UTC+99)",
        "12:00:00 01/05/2025 (GMT)",
        "12:00:00 01/05/2025 ()",
        "12:00:00 01/05/2025 (UTC+1",
        "12:00:00 01/05/2025 local time",
        "1:00:00 01/05/2025 (UTC)",
        "\u0661\u0662:00:00 01/05/2025 (UTC)",
    ],
)
def test_an_impossible_or_unclear_time_is_no_time_and_the_rest_is_kept(moment: str) -> None:
    comment = f"Recorded at {moment} by AudioMoth {DEVICE} at medium gain while battery was 3.8V"
    assert parse_comment(comment) == said(None, None, battery_v=3.8)


@pytest.mark.parametrize(
    ("moment", "start"),
    [
        ("00:00:00 01/01/1900 (UTC+14)", "1899-12-31T10:00:00"),
        ("23:59:59 31/12/2100 (UTC-12)", "2101-01-01T11:59:59"),
        ("12:00:00 29/02/2000 (UTC)", "2000-02-29T12:00:00"),
    ],
)
def test_times_at_the_ends_of_the_range_are_times(moment: str, start: str) -> None:
    parsed = parse_comment(f"Recorded at {moment} by AudioMoth {DEVICE}")
    assert parsed.start_time_us == microseconds(datetime.fromisoformat(f"{start}+00:00"))


@pytest.mark.parametrize(
    ("clause", "trigger"),
    [
        ("Amplitude threshold was rather high.", None),
        ("Amplitude threshold was 123456 with 5s minimum trigger duration.", None),
        ("Amplitude threshold was 4.5 with 5s minimum trigger duration.", None),
        ("Amplitude threshold was 4% for a while.", "amplitude 4 %"),
        ("Frequency trigger (30kHz) threshold was low.", None),
        ("Edge Impulse model used twice.", "Edge Impulse model"),
    ],
)
def test_a_trigger_in_unknown_words_is_still_a_trigger(clause: str, trigger: str | None) -> None:
    parsed = parse_comment(f"{FROM_1_6} {clause} Recording stopped due to low voltage.")
    assert (parsed.triggered, parsed.trigger, parsed.stop_reason) == (True, trigger, "low_voltage")


@pytest.mark.parametrize(
    "clause",
    [
        "Recording stopped due to rain.",
        "Notch filter with frequency of 1.0kHz applied.",
        "Band-pass filter with frequencies of 1.0kHz to 12.0kHz applied.",
        "Humidity was 80%.",
        "A later clause about a battery and its gain.",
    ],
)
def test_clauses_that_are_not_known_are_left_alone(clause: str) -> None:
    assert parse_comment(f"{FROM_1_6} {clause}") == said_from_1_6()


@pytest.mark.parametrize(
    ("battery", "volts"), [("state was 4.02", 4.2), ("state was 3.10", 3.0), ("was 4.02", 4.02), ("was 4.2", 4.2)]
)
def test_only_the_first_firmware_filled_the_tenths_to_two_digits(battery: str, volts: float) -> None:
    assert parse_comment(f"at medium gain while battery {battery}V").battery_v == volts


@pytest.mark.parametrize(
    ("artist", "serial"),
    [
        ("AudioMoth 242A2604603691DD", "242A2604603691DD"),
        ("AudioMoth 0FE081F80FE081F0", None),
        ("AudioMoth Live", None),
        ("AudioMoth", None),
        ("AudioMoth 242A2604603691D", None),
        ("AudioMoth 242A2604603691DD0", None),
        ("AudioMoth 242A2604603691DG", None),
        ("AudioMoth  242A2604603691DD", None),
        ("242A2604603691DD", None),
        ("Chorus 242A2604603691DD", None),
        ("", None),
    ],
)
def test_the_artist_is_the_serial_number(artist: str, serial: str | None) -> None:
    assert parse_artist(artist) == serial


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [
        ("UTC", 0),
        ("UTC+1", 60),
        ("UTC-10", -600),
        ("UTC+5:30", 330),
        ("UTC-3:30", -210),
        ("UTC+12:45", 765),
        ("UTC+14", 840),
        ("UTC-12", -720),
        ("UTC+0:30", 30),
        ("UTC-0:30", -30),
        ("UTC:30", 30),
        ("UTC: 5", 5),
        ("UTC+5: 5", 305),
        ("UTC+", None),
        ("UTC1", None),
        ("GMT", None),
        ("", None),
        ("UTC+5:30 or so", None),
        ("UTC+14:15", None),
        ("UTC-12:15", None),
        ("UTC+99", None),
        ("UTC+1:75", None),
        ("UTC+\u0661", None),
        ("UTC\n", None),
    ],
)
def test_zones_are_offsets_with_the_sign_on_the_minutes_too(zone: str, minutes: int | None) -> None:
    assert parse_zone(zone) == minutes


serials = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016X}").filter(lambda text: text != SHARED_SERIAL)
starts = st.integers(86_400, 4_102_358_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
quarters_of_hours = st.integers(-48, 56).map(lambda quarters: 15 * quarters)
frequencies = st.integers(0, 1920).map(lambda hundreds: f"{hundreds // 10}.{hundreds % 10}")
percents = st.sampled_from(["0.0001", "0.002", "0.05", "0.3", "1", "9", "40", "100"])


@st.composite
def moments(draw: st.DrawFn, firmware: tuple[int, int, int]) -> tuple[str, Comment]:
    """A start as a firmware prints it."""
    start = draw(starts)
    if firmware < (1, 2, 0):
        printed = start.strftime("%H:%M:%S %d/%m/%Y") + (" (UTC)" if firmware > (1, 0, 0) else "")
        return printed, replace(NOTHING, start_time_us=microseconds(start), utc_offset_min=0)
    whole_hours = st.integers(-12, 14).map(lambda hours: 60 * hours)
    minutes = draw(whole_hours if firmware < (1, 2, 2) else quarters_of_hours)
    if firmware < (1, 4, 0) and -60 < minutes < 0:
        minutes = -minutes  # It prints no sign where the hours are 0.
    hours, rest = divmod(abs(minutes), 60)
    signed = minutes != 0 and (hours > 0 or firmware >= (1, 4, 0))
    zone = f"UTC{'-' if minutes < 0 else '+'}{hours}" if signed else "UTC"
    if rest:
        zone += f":{rest:02d}"
    local = start.astimezone(timezone(timedelta(minutes=minutes)))
    printed = f"{local:%H:%M:%S %d/%m/%Y} ({zone})"
    return printed, replace(NOTHING, start_time_us=microseconds(start), utc_offset_min=minutes)


Battery = tuple[str, float, Literal["", "below", "above"]]


@st.composite
def batteries(draw: st.DrawFn, below: str, above: str, *, digits: int = 1) -> Battery:
    """A voltage as it is printed, its value, and the side on which the battery is beyond it."""
    decivolts = draw(st.integers(25, 50))
    voltage: Battery = (f"{decivolts // 10}.{decivolts % 10:0{digits}d}V", decivolts / 10, "")
    empty: Battery = (f"{below}V", float(below[-3:]), "below")
    full: Battery = (f"{above}V", float(above[-3:]), "above")
    return draw(st.sampled_from([voltage, empty, full]))


@st.composite
def sentences_to_1_3(draw: st.DrawFn) -> tuple[str, Comment]:
    firmware = draw(st.sampled_from([(1, 0, 0), (1, 0, 1), (1, 2, 0), (1, 2, 1), (1, 2, 2)]))
    printed, start = draw(moments(firmware))
    device = draw(serials) if firmware >= (1, 2, 0) else SHARED_SERIAL
    gain = draw(st.integers(0, 4))
    limits = ("< 3.6", "> 5.0") if firmware < (1, 2, 1) else ("less than 3.6", "greater than 4.9")
    battery, volts, limit = draw(batteries(*limits, digits=2 if firmware == (1, 0, 0) else 1))
    text = f"Recorded at {printed} by AudioMoth {device} at gain setting {gain} while battery state was {battery}"
    text += "." if firmware >= (1, 2, 0) else ""
    stop, stop_reason = "", ""
    if firmware >= (1, 2, 1):
        stops = [("", ""), ("low battery voltage", "low_voltage"), ("change of switch position", "switch_position")]
        stop, stop_reason = draw(st.sampled_from(stops))
    text += f" Recording cancelled before completion due to {stop}." if stop else ""
    return text, replace(
        start,
        device=device if firmware >= (1, 2, 0) else None,
        model="AudioMoth",
        gain=GAINS[gain],
        battery_v=volts,
        battery_limit=limit,
        stop_reason=stop_reason,
    )


@st.composite
def beginnings_from_1_4(draw: st.DrawFn, firmware: tuple[int, int, int]) -> tuple[str, Comment]:
    """A sentence up to its temperature."""
    printed, start = draw(moments(firmware))
    device, gain = draw(serials), draw(st.sampled_from(GAINS))
    deployed, external = draw(st.booleans()), draw(st.booleans())
    if firmware < (1, 5, 0):
        deployed, external = False, False
    battery, volts, limit = draw(batteries("less than 2.5", "greater than 4.9"))
    decidegrees = draw(st.integers(-400, 850))
    temperature = f"{'-' if decidegrees < 0 else ''}{abs(decidegrees) // 10}.{abs(decidegrees) % 10}C"
    gain_while_battery = "gain while battery" if firmware >= (1, 6, 0) else "gain setting while battery state"
    text = (
        f"Recorded at {printed} {'during deployment' if deployed else 'by AudioMoth'} {device} "
        f"{'using external microphone ' if external else ''}at {gain} {gain_while_battery} was {battery} "
        f"and temperature was {temperature}."
    )
    return text, replace(
        start,
        device=None if deployed else device,
        deployment=device if deployed else None,
        model="AudioMoth",
        gain=gain,
        battery_v=volts,
        battery_limit=limit,
        temperature_c=decidegrees / 10,
    )


@st.composite
def filters(draw: st.DrawFn, template: str) -> tuple[str, str | None]:
    kind, first, second = draw(st.sampled_from(["", "Low", "High", "Band"])), draw(frequencies), draw(frequencies)
    if not kind:
        return "", None
    if kind == "Band":
        text = template.format("Band", f"frequencies of {first}kHz and {second}kHz")
        return text, f"band-pass {first}-{second} kHz"
    return template.format(kind, f"frequency of {first}kHz"), f"{kind.lower()}-pass {first} kHz"


@st.composite
def sentences_to_1_5(draw: st.DrawFn) -> tuple[str, Comment]:
    firmware = draw(st.sampled_from([(1, 4, 0), (1, 4, 2), (1, 5, 0)]))
    text, said_so_far = draw(beginnings_from_1_4(firmware))
    threshold = draw(st.none() | st.integers(0, 32768))
    filter_text, filter_words = draw(filters(" {}-pass filter applied with cut-off {}."))
    stops = [("", ""), ("low voltage", "low_voltage"), ("change of switch position", "switch_position")]
    stops += [("file size limit", "file_size_limit")] if firmware >= (1, 4, 2) else []
    stops += [("microphone change", "microphone")] if firmware >= (1, 5, 0) else []
    stop, stop_reason = draw(st.sampled_from(stops))
    text += "" if threshold is None else f" Amplitude threshold was {threshold}."
    text += filter_text
    text += f" Recording cancelled before completion due to {stop}." if stop else ""
    return text, replace(
        said_so_far,
        trigger=None if threshold is None else f"amplitude {threshold}",
        triggered=threshold is not None,
        filter=filter_words,
        stop_reason=stop_reason,
    )


@st.composite
def amplitudes(draw: st.DrawFn) -> tuple[str, str]:
    steps, decibels, percent = draw(st.integers(0, 32768)), draw(st.integers(-100, 0)), draw(percents)
    choices = [(f"{steps}", f"{steps}"), (f"{decibels} dB", f"{decibels} dB"), (f"{percent}%", f"{percent} %")]
    text, words = draw(st.sampled_from(choices))
    return f" Amplitude threshold was {text}", f"amplitude {words}"


@st.composite
def frequency_triggers(draw: st.DrawFn) -> tuple[str, str]:
    centre, percent, window = draw(frequencies), draw(percents), draw(st.sampled_from([16, 128, 1024]))
    return (
        f" Frequency trigger ({centre}kHz and window length of {window} samples) threshold was {percent}%",
        f"frequency {centre} kHz, window {window} samples, threshold {percent} %",
    )


@st.composite
def sentences_from_1_6(draw: st.DrawFn) -> tuple[str, Comment]:
    firmware = draw(st.sampled_from([(1, 6, 0), (1, 7, 0), (1, 8, 0), (1, 11, 0)]))
    text, said_so_far = draw(beginnings_from_1_4(firmware))
    triggers = st.just(("", "")) | amplitudes()
    trigger_text, trigger_words = draw(triggers if firmware < (1, 8, 0) else triggers | frequency_triggers())
    if trigger_text:
        seconds = draw(st.integers(0, 60))
        trigger_text += f" with {seconds}s minimum trigger duration."
        trigger_words += f", {seconds} s minimum"
    filter_text, filter_words = draw(filters(" {}-pass filter with {} applied."))
    stops = [("", ""), ("due to low voltage", "low_voltage"), ("due to switch position change", "switch_position")]
    stops += [("due to microphone change", "microphone"), ("due to file size limit", "file_size_limit")]
    stops += [("by magnetic switch", "magnetic_switch")] if firmware >= (1, 7, 0) else []
    stops += [("due to SD card write error", "sd_write_error")] if firmware >= (1, 11, 0) else []
    stop, stop_reason = draw(st.sampled_from(stops))
    filter_first = firmware >= (1, 8, 0) and trigger_words.startswith("amplitude")
    text += filter_text + trigger_text if filter_first else trigger_text + filter_text
    text += f" Recording stopped {stop}." if stop else ""
    return text, replace(
        said_so_far,
        trigger=trigger_words or None,
        triggered=trigger_words != "",
        filter=filter_words,
        stop_reason=stop_reason,
    )


@st.composite
def sentences_of_live(draw: st.DrawFn) -> tuple[str, Comment]:
    printed, start = draw(moments((1, 4, 0)))
    milliseconds = draw(st.none() | st.integers(0, 999))
    time, rest = printed.split(" ", 1)
    time += "" if milliseconds is None else f".{milliseconds:03d}"
    start_time_us = (start.start_time_us or 0) + 1000 * (milliseconds or 0)
    text = f"Recorded at {time} {rest} {LIVE}"
    return text, replace(start, start_time_us=start_time_us, model="AudioMoth Live")


sentences = sentences_to_1_3() | sentences_to_1_5() | sentences_from_1_6() | sentences_of_live()


@given(sentences)
def test_whatever_a_firmware_writes_is_read_back(sentence: tuple[str, Comment]) -> None:
    text, expected = sentence
    assert parse_comment(text) == expected


@given(sentences, st.data())
def test_a_sentence_that_was_cut_off_says_less_but_nothing_else(
    sentence: tuple[str, Comment], data: st.DataObject
) -> None:
    text, expected = sentence
    cut = asdict(parse_comment(text[: data.draw(st.integers(0, len(text)))]))

    trigger = cut.pop("trigger")
    assert trigger is None or (expected.trigger or "").startswith(trigger)
    for field, value in cut.items():
        assert value in (None, "", False, getattr(expected, field)), field


@st.composite
def damaged_sentences(draw: st.DrawFn) -> str:
    """A sentence of which something was lost, doubled or overwritten."""
    text, _ = draw(sentences)
    places = st.integers(0, len(text))
    return text[: draw(places)] + draw(st.text(max_size=4)) + text[draw(places) :]


@given(st.text() | damaged_sentences())
def test_any_text_has_an_answer(text: str) -> None:
    parsed = parse_comment(text)

    assert (parsed.start_time_us is None) == (parsed.utc_offset_min is None)
    assert parsed.battery_limit == "" or parsed.battery_v is not None
    assert parsed.triggered or parsed.trigger is None
    assert parsed.gain is None or parsed.gain in GAINS
    parse_artist(text)
    parse_serial(text)
    parse_zone(text)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece",
    [
        "Recorded at ",
        "Recorded at 06:00:00 04/07/2022 (UTC",
        "at low-medium ",
        "battery state was less than 4.",
        "temperature was -1",
        "Amplitude threshold was 0.0001",
        "Amplitude threshold was 4% with ",
        "Frequency trigger (30.0kHz and window length of 64",
        "Band-pass filter with frequencies of 1.0kHz and ",
        "Recording stopped due to ",
        "Split from ",
        "UTC+",
        "(",
        "1",
    ],
)
def test_a_long_comment_of_repeated_pieces_is_read_at_once(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert parse_comment(text).start_time_us is None
    assert parse_artist(text) is None
    assert parse_zone(text) is None
