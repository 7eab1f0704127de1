from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from birddask.errors import TransientStorageError
from birddask.recordings.inspect import ScanRule, inspect
from birddask.recordings.reader import open_samples
from birddask.recordings.recording import UNKNOWN, Recording
from birddask.recordings.sites import DEFAULT_PATTERN
from birddask.storage import Folder, FoundFile
from tests.support.sounds import noise, wav_bytes, write_wav

RULE = ScanRule(DEFAULT_PATTERN, 0)
HOUR_US = 3_600_000_000


def rows(archive: Folder, rule: ScanRule = RULE) -> dict[str, Recording]:
    return {file.key: inspect(archive, file, rule) for file in archive.files()}


def row(archive: Path, path: str, content: bytes, rule: ScanRule = RULE) -> Recording:
    """Write a file and look at it."""
    (archive / path).parent.mkdir(parents=True, exist_ok=True)
    (archive / path).write_bytes(content)
    return inspect(Folder(str(archive)), FoundFile(path, len(content)), rule)


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

# What is known of the real files and of the faults made from them, by a part of their paths.
REAL = {
    "audiomoth/242A2604603691DD_20250503_031300": ("usable", "", "2025-05-03 03:13:00", "242A2604603691DD"),
    "audiomoth/242A2604603691DD_20250503_031400": ("usable", "", "2025-05-03 03:14:00", "242A2604603691DD"),
    "audiomoth/fw1.0.1": ("usable", "", "2018-04-06 19:17:30", None),
    "audiomoth/fw1.11.0": ("usable", "", "2025-05-03 03:13:00", "242A2604603691DD"),
    "audiomoth/fw1.2.1": ("usable", "", "2019-10-30 02:00:00", "243B1F055B2BF663"),
    "audiomoth/fw1.6": ("usable", "", "2021-11-12 19:30:00", "248D9B045EC9EE79"),
    "birds/birdnet_soundscape.flac": ("usable", "", None, None),
    "birds/maad_spinetail": ("usable", "", None, None),
    "birds/oss_birds": ("usable", "", None, None),
    "other/20220502T075930+1000": ("usable", "", "2022-05-01 21:59:30", None),
    "other/oss_audiomoth_gps.wav": ("usable", "", "2024-05-28 10:00:00", "243B1F026488F56E"),
    "other/oss_empty_2c": ("quarantined", "no_audio", None, None),
    "other/oss_metadata": ("usable", "", "2020-04-04 10:25:00", "24526B065D325963"),
    "faults/01_": ("quarantined", "empty", "2025-05-03 04:00:00", None),
    "faults/02_": ("quarantined", "no_audio", "2025-05-03 04:10:00", None),
    "faults/03_": ("quarantined", "no_header", "2025-05-03 04:20:00", None),
    "faults/04_": ("usable", "", "2025-05-03 04:30:00", "242A2604603691DD"),
    "faults/05_": ("usable", "", "2025-05-03 04:40:00", "242A2604603691DD"),
    "faults/07_": ("quarantined", "truncated_header", "2025-05-03 05:00:00", None),
    "faults/08_": ("usable", "", "2025-05-03 05:10:00", "242A2604603691DD"),
    "faults/09_": ("quarantined", "null_file", "2025-05-03 05:20:00", None),
    "faults/11_appledouble/._": ("ignored", "appledouble", None, None),
    "faults/11_appledouble/2": ("usable", "", "2025-05-03 03:13:00", "242A2604603691DD"),
    "faults/12_": ("usable", "", None, "242A2604603691DD"),
    "faults/15_": ("usable", "", "2019-07-04 06:00:00", "24526B065D325963"),
    "faults/16_": ("usable", "", "2017-07-04 05:56:00", None),
    "faults/17_": ("usable", "", "2025-05-03 06:00:00", "242A2604603691DD"),
    "faults/19_same_name_two_cards/CARD_A": ("usable", "", "2025-05-03 03:13:00", "242A2604603691DD"),
    "faults/19_same_name_two_cards/CARD_B": ("usable", "", "2025-05-03 03:13:00", "24F3190361DA3578"),
    "faults/21_": ("quarantined", "triggered", "2025-05-03 07:00:00", "242A2604603691DD"),
    "faults/23_": ("quarantined", "triggered", "2025-05-03 07:20:00", "242A2604603691DD"),
    "faults/24_": ("quarantined", "triggered", "2025-05-03 07:30:00", "242A2604603691DD"),
    "faults/26_": ("quarantined", "triggered", "2025-05-03 07:50:00", "242A2604603691DD"),
}


@pytest.fixture(scope="module")
def real(shared: Path) -> dict[str, Recording]:
    return rows(Folder(str(shared)))


@pytest.mark.parametrize("part", REAL)
def test_real_files_and_faults_are_what_is_known_of_them(real: dict[str, Recording], part: str) -> None:
    (recording,) = (recording for path, recording in real.items() if part in path)
    assert (recording.status, recording.reason, start(recording), recording.recorder) == REAL[part]


def test_every_real_file_has_one_row_and_nothing_else_is_audio(real: dict[str, Recording], shared: Path) -> None:
    assert set(real) == {str(path.relative_to(shared)) for path in shared.rglob("*") if path.is_file()}
    others = {path for path in real if not any(part in path for part in REAL)}
    sm4 = {path for path in others if path.startswith("sm4-day/")}
    assert len(sm4) == 96
    assert {(real[path].status, real[path].reason) for path in others - sm4} == {("ignored", "not_audio")}
    assert [start(real[path]) for path in sorted(sm4)] == [
        f"2019-05-22 {minute // 60:02}:{minute % 60:02}:00" for minute in range(0, 1440, 15)
    ]
    assert {(real[path].recorder, real[path].frames) for path in sm4} == {("S4A03895", 220_000)}


def test_real_files_have_the_shape_that_libsndfile_finds(real: dict[str, Recording], shared: Path) -> None:
    whole = [recording for recording in real.values() if recording.status == "usable" and not recording.flags]
    compared = 0
    for recording in whole:
        try:
            found = soundfile.info(str(shared / recording.path))
        except soundfile.LibsndfileError:
            continue
        shape = (recording.frames, recording.sample_rate_hz, recording.channels)
        assert shape == (found.frames, found.samplerate, found.channels), recording.path
        compared += 1
    assert compared == len(whole) - 1


@pytest.mark.parametrize(
    ("part", "flags", "frames"), [("faults/04_", "size_repaired", 48_000), ("faults/05_", "truncated", 29_756)]
)
def test_repairs_are_flagged_and_only_samples_are_counted(
    real: dict[str, Recording], part: str, flags: str, frames: int
) -> None:
    (recording,) = (recording for path, recording in real.items() if part in path)
    assert (recording.flags, recording.frames) == (flags, frames)


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
    archive = Folder(str(tmp_path))
    assert inspect(archive, FoundFile("gone/x.txt", 5), RULE).reason == "not_audio"
    assert inspect(archive, FoundFile("gone/._x.wav", 5), RULE).reason == "appledouble"


@pytest.mark.parametrize("name", ["20250501_040000.wav", "20250501_040000.flac"])
def test_a_file_that_can_not_be_had_is_quarantined_with_its_place_and_time(tmp_path: Path, name: str) -> None:
    archive = Folder(str(tmp_path))
    vanished = inspect(archive, FoundFile(f"ridge/{name}", 100), RULE)
    (tmp_path / f"ridge/{name}").mkdir(parents=True)
    forbidden = inspect(archive, FoundFile(f"ridge/{name}", 100), RULE)
    assert (vanished.reason, forbidden.reason) == ("vanished", "forbidden")
    assert {(found.status, found.site, start(found)) for found in (vanished, forbidden)} == {
        ("quarantined", "ridge", "2025-05-01 04:00:00")
    }


def test_a_fault_that_may_pass_is_raised_and_not_made_a_row(tmp_path: Path) -> None:
    (tmp_path / "x.wav").symlink_to("x.wav")
    with pytest.raises(TransientStorageError):
        inspect(Folder(str(tmp_path)), FoundFile("x.wav", 100), RULE)


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
        ("20250503_031300", "Recorded at 00:00:07 01/01/1970 (UTC) by someone", None, "unset_clock"),
    ],
)
def test_the_start_is_taken_from_the_comment_then_from_the_name(
    tmp_path: Path, name: str, comment: str, moment: str | None, source: str
) -> None:
    content = wav_bytes(noise(0.1, 8000), 8000, comment)
    found = row(tmp_path, f"ridge/{name}.wav", content, ScanRule(DEFAULT_PATTERN, 10 * HOUR_US))
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


@pytest.mark.parametrize(
    ("name", "comment"),
    [
        ("20250503_070000T.WAV", ""),
        ("242A2604603691DD_20250503_070000T.wav", ""),
        ("renamed.wav", "Recorded at 07:00:00 03/05/2025 (UTC) by someone. Amplitude threshold was 60."),
    ],
)
def test_a_triggered_recording_is_quarantined_but_described(tmp_path: Path, name: str, comment: str) -> None:
    found = row(tmp_path, name, wav_bytes(noise(0.1, 8000), 8000, comment))
    assert (found.status, found.reason, found.frames) == ("quarantined", "triggered", 800)
    assert start(found) == "2025-05-03 07:00:00"


def test_the_same_name_on_two_cards_makes_two_rows(tmp_path: Path) -> None:
    for card in ("A", "B"):
        write_wav(tmp_path / f"ridge/{card}/20250503_031300.WAV", noise(0.1, 8000), 8000)
    found = rows(Folder(str(tmp_path)))
    assert list(found) == ["ridge/A/20250503_031300.WAV", "ridge/B/20250503_031300.WAV"]
    assert {recording.status for recording in found.values()} == {"usable"}
