from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from birddask.errors import TransientStorageError
from birddask.recordings.cards import Cards
from birddask.recordings.inspect import ScanRule, inspect
from birddask.recordings.reader import open_samples
from birddask.recordings.recording import UNKNOWN, Recording, Scanned
from birddask.recordings.sites import DEFAULT_PATTERN
from birddask.recordings.start import ClockShift
from birddask.storage import Folder, FoundFile, to_options
from tests.support.sounds import chunk, noise, wav_bytes

RULE = ScanRule(DEFAULT_PATTERN, 0, ())


def look(archive: Path, path: str, size_bytes: int, rule: ScanRule = RULE) -> Scanned:
    folder = Folder(str(archive))
    return inspect(folder, Cards(folder), FoundFile(path, size_bytes, None), rule)


def written(archive: Path, path: str, content: bytes, rule: ScanRule = RULE) -> Scanned:
    """Write a file and look at it."""
    (archive / path).parent.mkdir(parents=True, exist_ok=True)
    (archive / path).write_bytes(content)
    return look(archive, path, len(content), rule)


def row(archive: Path, path: str, content: bytes, rule: ScanRule = RULE) -> Recording:
    return written(archive, path, content, rule).recording


def start(recording: Recording) -> str | None:
    if recording.start_time_us is None:
        return None
    return datetime.fromtimestamp(recording.start_time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")


def compressed(container: str, subtype: str, comment: str = "") -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 16_000, 1, format=container, subtype=subtype) as writer:
        if comment:
            writer.comment = comment
        writer.write(noise(2, 16_000))
    return file.getvalue()


WAV = wav_bytes(noise(0.1, 8000), 8000)
FLAC = compressed("FLAC", "PCM_16")


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("ridge/x.wav", "usable", ""),
        ("ridge/x.WAV", "usable", ""),
        ("ridge/x.flac", "quarantined", "unreadable"),
        ("ridge/x.m4a", "quarantined", "unsupported_format"),
        ("ridge/x.WMA", "quarantined", "unsupported_format"),
        ("ridge/x.txt", "ignored", "not_audio"),
        ("ridge/wav", "ignored", "not_audio"),
        ("ridge/CONFIG.TXT", "ignored", "sidecar"),
        ("ridge/CONFIG 2.TXT", "ignored", "sidecar"),
        ("ridge/20250503_031300.CSV", "ignored", "sidecar"),
        ("ridge/S4A03895_A_Summary.txt", "ignored", "sidecar"),
        ("ridge/species.csv", "ignored", "not_audio"),
        ("ridge/data", "quarantined", "unfinished"),
        ("ridge/._x.wav", "ignored", "appledouble"),
        ("ridge/.x.wav", "ignored", "hidden"),
        (".wav", "ignored", "hidden"),
        (".Trashes/x.wav", "ignored", "system_folder"),
        ("ridge/@eaDir/x.wav", "ignored", "system_folder"),
        ("System Volume Information/x.wav", "ignored", "system_folder"),
    ],
)
def test_the_name_of_a_file_says_whether_to_look_inside(tmp_path: Path, path: str, status: str, reason: str) -> None:
    content = b"no sound" if path.endswith(".flac") else WAV
    found = row(tmp_path, path, content)
    assert (found.path, found.size_bytes, found.status, found.reason) == (path, len(content), status, reason)


def test_what_is_ignored_is_not_opened(tmp_path: Path) -> None:
    assert look(tmp_path, "gone/x.txt", 5).recording.reason == "not_audio"
    assert look(tmp_path, "gone/._x.wav", 5).recording.reason == "appledouble"


@pytest.mark.parametrize("name", ["20250501_040000.wav", "20250501_040000.flac"])
def test_a_file_that_can_not_be_had_is_quarantined_with_its_place_and_time(tmp_path: Path, name: str) -> None:
    vanished = look(tmp_path, f"ridge/{name}", 100).recording
    (tmp_path / f"ridge/{name}").mkdir(parents=True)
    forbidden = look(tmp_path, f"ridge/{name}", 100).recording
    assert (vanished.reason, forbidden.reason) == ("vanished", "forbidden")
    assert {(found.status, found.site, start(found)) for found in (vanished, forbidden)} == {
        ("quarantined", "ridge", "2025-05-01 04:00:00")
    }


def test_a_link_to_itself_is_a_file_that_can_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "x.wav").symlink_to("x.wav")
    assert look(tmp_path, "x.wav", 100).recording.reason == "forbidden"


def test_a_fault_that_may_pass_is_raised_and_not_made_a_row() -> None:
    nobody_listens = to_options({"endpoint_url": "http://127.0.0.1:9", "anon": True}, "test")
    archive = Folder("s3://archive", nobody_listens)
    with pytest.raises(TransientStorageError):
        inspect(archive, Cards(archive), FoundFile("x.wav", 100, None), RULE)


@pytest.mark.parametrize(("container", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_a_compressed_recording_is_described_by_its_header(tmp_path: Path, container: str, subtype: str) -> None:
    found = row(tmp_path, f"ridge/20250501_040000.{container}", compressed(container, subtype))
    assert (found.status, found.container, found.encoding) == ("usable", "sndfile", container.lower())
    assert (found.frames, found.sample_rate_hz, found.channels) == (32_000, 16_000, 1)


def test_the_recorders_comment_is_understood_in_a_compressed_copy(tmp_path: Path) -> None:
    comment = "Recorded at 06:30:00 04/07/2019 (UTC-3:30) by AudioMoth 24526B065D325963 at high gain."
    found = row(tmp_path, "copy.flac", compressed("FLAC", "PCM_16", comment))
    assert (found.recorder, start(found), found.time_source) == ("24526B065D325963", "2019-07-04 10:00:00", "comment")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (FLAC[:30], "unreadable"),
        (bytes(5000), "unreadable"),
        (FLAC[:21] + bytes([FLAC[21] & 0xF0]) + bytes(4) + FLAC[26:], "unknown_length"),
    ],
)
def test_a_compressed_recording_that_can_not_be_read_has_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    found = row(tmp_path, "x.flac", content)
    assert (found.status, found.reason) == ("quarantined", reason)


def test_a_byte_too_many_behind_the_comments_of_a_flac_file_does_no_harm(tmp_path: Path) -> None:
    comments = 4 + 4 + 34
    size = int.from_bytes(FLAC[comments + 1 : comments + 4], "big")
    end = comments + 4 + size
    odd = FLAC[: comments + 1] + (size + 1).to_bytes(3, "big") + FLAC[comments + 4 : end] + b"\x80" + FLAC[end:]
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(io.BytesIO(odd))
    found = row(tmp_path, "ridge/20191026T000000+1000_REC.flac", odd)
    assert (found.status, found.frames, start(found)) == ("usable", 32_000, "2019-10-25 14:00:00")
    with open_samples(Folder(str(tmp_path)), found) as read:
        np.testing.assert_array_equal(read(20_000, 12_000) * 32768, noise(2, 16_000)[20_000:])


@pytest.mark.parametrize(
    ("name", "comment", "moment", "source"),
    [
        ("20250503_031300", "", "2025-05-02 17:13:00", "name_assumed_offset"),
        ("20250503_031300-0300", "", "2025-05-03 06:13:00", "name"),
        ("5B07C752", "", "2018-05-25 08:20:34", "name"),
        ("20250503_031300", "Recorded at 03:13:00 03/05/2025 (UTC-3:30) by someone", "2025-05-03 06:43:00", "comment"),
        ("20250503_031300", "Recorded at noon", "2025-05-02 17:13:00", "name_assumed_offset"),
        ("dawn", "", None, UNKNOWN),
        ("19700101_000007", "", None, "unset_clock"),
        ("x", "Recorded at 00:00:07 01/01/1970 (UTC) by someone", None, "unset_clock"),
        ("20250503_031300", "Recorded at 00:00:07 01/01/1970 (UTC) by someone", "2025-05-03 03:13:00", "name"),
    ],
)
def test_the_start_is_taken_from_the_comment_then_from_the_name(
    tmp_path: Path, name: str, comment: str, moment: str | None, source: str
) -> None:
    content = wav_bytes(noise(0.1, 8000), 8000, comment)
    found = row(tmp_path, f"ridge/{name}.wav", content, ScanRule(DEFAULT_PATTERN, 600, ()))
    assert (start(found), found.time_source) == (moment, source)


@pytest.mark.parametrize(
    ("path", "comment", "site", "recorder"),
    [
        ("ridge/S4A03895_20190522_000000.wav", "", "ridge", "S4A03895"),
        ("S4A03895_20190522_000000.wav", "", "S4A03895", "S4A03895"),
        ("20190522_000000.wav", "by AudioMoth 24526B065D325963", "24526B065D325963", "24526B065D325963"),
        ("S4A03895_20190522_000000.wav", "by AudioMoth 24526B065D325963", "24526B065D325963", "24526B065D325963"),
        ("20190522_000000.wav", "by AudioMoth 0FE081F80FE081F0", UNKNOWN, None),
        ("20190522_000000.wav", "", UNKNOWN, None),
    ],
)
def test_the_site_is_the_folder_else_the_recorder_else_unknown(
    tmp_path: Path, path: str, comment: str, site: str, recorder: str | None
) -> None:
    found = row(tmp_path, path, wav_bytes(noise(0.1, 8000), 8000, comment))
    assert (found.site, found.recorder) == (site, recorder)


def test_the_row_keeps_what_the_recorder_says_even_where_there_is_no_audio(tmp_path: Path) -> None:
    comment = (
        "Recorded at 04:10:00 03/05/2025 (UTC+2) by AudioMoth 242A2604603691DD at medium gain while battery was 3.8V "
        "and temperature was 13.1C. Recording stopped due to SD card write error."
    )
    found = written(tmp_path, "20250503_041000.WAV", wav_bytes(noise(0, 8000), 8000, comment))
    assert (found.recording.status, found.recording.reason) == ("quarantined", "no_audio")
    assert (found.recording.recorder, start(found.recording)) == ("242A2604603691DD", "2025-05-03 02:10:00")
    about = found.about
    assert (about.comment, about.stop_reason, about.gain) == (comment, "sd_write_error", "medium")
    assert (about.battery_v, about.temperature_c, about.utc_offset_min) == (3.8, 13.1, 120)
    assert "SD card write error" in about.detail


@pytest.mark.parametrize(
    ("seconds", "clause", "flags"),
    [
        (2, "", ""),
        (1.5, "", "interrupted"),
        (2, " Recording stopped due to low voltage.", "interrupted"),
        (2, " Recording stopped due to file size limit.", ""),
    ],
)
def test_an_audiomoth_that_stopped_early_is_noticed(tmp_path: Path, seconds: float, clause: str, flags: str) -> None:
    comment = (
        "Recorded at 04:10:00 03/05/2025 (UTC) by AudioMoth 242A2604603691DD at medium gain while battery was 3.8V "
        f"and temperature was 13.1C.{clause}"
    )
    assert row(tmp_path, "x.wav", wav_bytes(noise(seconds, 8000), 8000, comment)).flags == flags


def test_a_recording_of_another_kind_may_have_any_length(tmp_path: Path) -> None:
    assert row(tmp_path, "20250503_041000-0300.wav", wav_bytes(noise(1.5, 8000), 8000)).flags == ""


def test_settings_beside_a_recording_tell_the_offset_of_its_name(tmp_path: Path) -> None:
    config = "Device ID : 243B1F075C7A37BE\nFirmware : AudioMoth-Firmware-Basic (1.4.4)\n\nTime zone : UTC+10:30\n"
    (tmp_path / "ridge").mkdir()
    (tmp_path / "ridge/CONFIG.TXT").write_text(config)
    here = written(tmp_path, "ridge/20250503_103000.WAV", WAV)
    below = row(tmp_path, "ridge/20250503/20250503_103000.WAV", WAV)
    of_another = row(tmp_path, "ridge/24526B065D325963_20250503_103000.WAV", WAV)
    elsewhere = row(tmp_path, "valley/20250503_103000.WAV", WAV)
    assert {start(here.recording), start(below)} == {"2025-05-03 00:00:00"}
    assert {start(of_another), start(elsewhere)} == {"2025-05-03 10:30:00"}
    assert [found.time_source for found in (here.recording, of_another)] == ["name_config", "name_assumed_offset"]
    assert here.about.utc_offset_min == 630


def test_a_clock_is_corrected_where_the_job_says_so(tmp_path: Path) -> None:
    hour_us = 3_600_000_000
    card = ClockShift("ridge", "ridge/card 2", 57 * 365 * 24 * hour_us, unset=True)
    late = ClockShift("ridge", "", -hour_us, unset=False)
    rule = ScanRule(DEFAULT_PATTERN, 0, (card, late))
    unset = written(tmp_path, "ridge/card 2/19700101_000007.WAV", WAV, rule)
    elsewhere = row(tmp_path, "ridge/card 1/19700101_000007.WAV", WAV, rule)
    right_before = row(tmp_path, "ridge/card 2/20250503_041000.WAV", WAV, rule)
    assert (start(unset.recording), unset.about.other_time_us) == ("2026-12-18 00:00:07", 7_000_000)
    assert "time_corrected" in unset.recording.flags
    assert (start(elsewhere), elsewhere.flags) == (None, "clock_unset")
    assert start(right_before) == "2025-05-03 03:10:00"


def test_a_file_is_known_again_by_its_size_and_first_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, "a.wav", WAV).about.head_digest
    assert written(tmp_path, "b.WAV", WAV).about.head_digest == first
    assert written(tmp_path, "c.wav", WAV + b"!").about.head_digest != first
    assert written(tmp_path, "d.wav", WAV[:1000] + b"!" + WAV[1001:]).about.head_digest != first
    assert len(written(tmp_path, "e.flac", FLAC).about.head_digest) == len(first) == 32


def test_a_serial_number_that_can_not_be_one_is_no_recorder(tmp_path: Path) -> None:
    guano = f"GUANO|Version:1.0\nSerial:{'x' * 300}".encode()
    assert row(tmp_path, "x.wav", WAV + chunk(b"guan", guano)).site == UNKNOWN


def test_the_same_name_on_two_cards_makes_two_rows(tmp_path: Path) -> None:
    found = [row(tmp_path, f"ridge/{card}/20250503_031300.WAV", WAV) for card in "AB"]
    assert [each.path for each in found] == ["ridge/A/20250503_031300.WAV", "ridge/B/20250503_031300.WAV"]
    assert {recording.status for recording in found} == {"usable"}
