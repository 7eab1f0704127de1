"""Every real recording and every fault made from one: a row a file, with what is known of it from other sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import soundfile

from birddask.recordings.cards import Cards
from birddask.recordings.inspect import ScanRule, inspect
from birddask.recordings.recording import UNKNOWN, Scanned
from birddask.recordings.sites import DEFAULT_PATTERN
from birddask.storage import Folder


@dataclass(frozen=True)
class Known:
    """What is known of a file; ``shape`` is its rate in Hz and its length in frames."""

    status: str
    reason: str = ""
    flags: str = ""
    start: str | None = None
    source: str = UNKNOWN
    recorder: str | None = None
    shape: tuple[int, int] = (0, 0)


def used(start: str | None, source: str, recorder: str | None, shape: tuple[int, int], flags: str = "") -> Known:
    return Known("usable", "", flags, start, source, recorder, shape)


def lost(reason: str, start: str | None, source: str, recorder: str | None = None) -> Known:
    assumed = "offset_assumed" if source.endswith("assumed_offset") else ""
    return Known("quarantined", reason, assumed, start, source, recorder)


def other(reason: str) -> Known:
    return Known("ignored", reason)


MOTH = "242A2604603691DD"
NAME = "name_assumed_offset"
SECOND = (48_000, 48_000)
TEN_SECONDS = (48_000, 480_000)

FILES = {
    "MANIFEST.md": other("not_audio"),
    f"audiomoth/{MOTH}_20250503_031300.WAV": used("2025-05-03 03:13:00", "guano", MOTH, (48_000, 1_440_000)),
    f"audiomoth/{MOTH}_20250503_031400.WAV": used("2025-05-03 03:14:00", "guano", MOTH, (48_000, 1_440_000)),
    "audiomoth/fw1.0.1-1.1.0_hdr192_192kHz_2s.WAV": used("2018-04-06 19:17:30", "comment", None, (192_000, 384_000)),
    f"audiomoth/fw1.11.0_guano_48kHz_2s_{MOTH}_20250503_031300.WAV": used(
        "2025-05-03 03:13:00", "guano", MOTH, (48_000, 96_000)
    ),
    "audiomoth/fw1.2.1-1.3.0_hdr360_384kHz_2s.WAV": used(
        "2019-10-30 02:00:00", "comment", "243B1F055B2BF663", (384_000, 768_000)
    ),
    "audiomoth/fw1.6-1.9_hdr488_384kHz_2s_20211112_193000.WAV": used(
        "2021-11-12 19:30:00", "comment", "248D9B045EC9EE79", (384_000, 768_000)
    ),
    "birds/birdnet_soundscape.expected.json": other("not_audio"),
    "birds/birdnet_soundscape.flac": used(None, UNKNOWN, None, (48_000, 5_760_000)),
    "birds/maad_spinetail.wav": used(None, UNKNOWN, None, (44_100, 861_799)),
    "birds/oss_birds_10s.wav": used(None, UNKNOWN, None, (32_000, 324_263)),
    "faults/01_zero_byte/20250503_040000.WAV": lost("empty", "2025-05-03 04:00:00", NAME),
    "faults/02_powerloss_fw1.11/20250503_041000.WAV": lost("no_audio", "2025-05-03 04:10:00", "comment", MOTH),
    "faults/03_no_header_pcm_only/20250503_042000.WAV": lost("no_header", "2025-05-03 04:20:00", NAME),
    "faults/04_data_size_zero/20250503_043000.WAV": used("2025-05-03 04:30:00", "guano", MOTH, SECOND, "size_repaired"),
    # 60,000 bytes less the header of 488 are 29,756 samples.
    "faults/05_truncated_copy/20250503_044000.WAV": used(
        "2025-05-03 04:40:00", "comment", MOTH, (48_000, 29_756), "truncated"
    ),
    "faults/07_truncated_in_header/20250503_050000.WAV": lost("truncated_header", "2025-05-03 05:00:00", NAME),
    "faults/08_all_zero_samples/20250503_051000.WAV": used("2025-05-03 05:10:00", "guano", MOTH, SECOND),
    "faults/09_all_nul_file/20250503_052000.WAV": lost("null_file", "2025-05-03 05:20:00", NAME),
    "faults/11_appledouble/._20250503_031300.WAV": other("appledouble"),
    "faults/11_appledouble/20250503_031300.WAV": used("2025-05-03 03:13:00", "guano", MOTH, SECOND),
    "faults/12_clock_not_set/19700101_000007.WAV": used(None, "unset_clock", MOTH, SECOND, "clock_unset"),
    "faults/15_fw1.2.2_UTC_colon30/20190704_063000.WAV": used(
        "2019-07-04 06:00:00", "comment", "24526B065D325963", SECOND
    ),
    "faults/16_fw1.0_hexname/595B2DF0.WAV": used("2017-07-04 05:56:00", "comment", None, SECOND),
    "faults/17_trailing_garbage/20250503_060000.WAV": used("2025-05-03 06:00:00", "comment", MOTH, SECOND),
    "faults/19_same_name_two_cards/CARD_A/20250503_031300.WAV": used("2025-05-03 03:13:00", "guano", MOTH, SECOND),
    "faults/19_same_name_two_cards/CARD_B/20250503_031300.WAV": used(
        "2025-05-03 03:13:00", "comment", "24F3190361DA3578", SECOND
    ),
    "faults/21_twav_two_events/20250503_070000T.WAV": used(
        "2025-05-03 07:00:00", "guano", MOTH, TEN_SECONDS, "triggered"
    ),
    "faults/23_twav_no_trigger_at_all/20250503_072000T.WAV": used(
        "2025-05-03 07:20:00", "guano", MOTH, TEN_SECONDS, "triggered"
    ),
    # Nothing was cut out of it: it is as long as it looks.
    "faults/24_twav_everything_triggered/20250503_073000T.WAV": used("2025-05-03 07:30:00", "guano", MOTH, TEN_SECONDS),
    "faults/26_twav_absurd_block_count/20250503_075000T.WAV": lost(
        "impossible_length", "2025-05-03 07:50:00", "comment", MOTH
    ),
    "faults/triggered_truth.json": other("not_audio"),
    "other/20220502T075930+1000_Minjerribah-Dry-B_1088507.flac": used(
        "2022-05-01 21:59:30", "name", "00004024", (22_050, 770_048)
    ),
    "other/oss_audiomoth_gps.csv": other("not_audio"),
    "other/oss_audiomoth_gps.wav": used("2024-05-28 10:00:00", "comment", "243B1F026488F56E", (48_000, 95_999)),
    "other/oss_empty_2c.wav": lost("no_audio", None, UNKNOWN),
    "other/oss_metadata.wav": used("2020-04-04 10:25:00", "comment", "24526B065D325963", (32_000, 479_022)),
    "sidecar/CONFIG_1.4.4_emu.TXT": other("sidecar"),
    "sidecar/CONFIG_1.8.0_emu.TXT": other("sidecar"),
    **{
        f"sm4-day/S4A03895_20190522_{minute // 60:02}{minute % 60:02}00.wav": used(
            f"2019-05-22 {minute // 60:02}:{minute % 60:02}:00", NAME, "S4A03895", (22_000, 220_000), "offset_assumed"
        )
        for minute in range(0, 1440, 15)
    },
}


@pytest.fixture(scope="module")
def rows(shared: Path) -> dict[str, Scanned]:
    archive = Folder(str(shared))
    cards = Cards(archive)
    return {file.key: inspect(archive, cards, file, ScanRule(DEFAULT_PATTERN, 0, ())) for file in archive.files()}


def test_every_file_has_a_row(rows: dict[str, Scanned], shared: Path) -> None:
    assert set(rows) == {str(path.relative_to(shared)) for path in shared.rglob("*") if path.is_file()}
    assert set(rows) == set(FILES)


@pytest.mark.parametrize("path", FILES)
def test_the_row_says_what_is_known_of_the_file(rows: dict[str, Scanned], path: str) -> None:
    recording = rows[path].recording
    moment = recording.start_time_us
    assert FILES[path] == Known(
        recording.status,
        recording.reason,
        recording.flags,
        None if moment is None else f"{datetime.fromtimestamp(moment / 1e6, UTC):%Y-%m-%d %H:%M:%S}",
        recording.time_source,
        recording.recorder,
        (recording.sample_rate_hz, recording.frames),
    )


def test_recordings_that_are_as_they_should_be_have_the_shape_that_libsndfile_finds(
    rows: dict[str, Scanned], shared: Path
) -> None:
    compared = 0
    for path, row in rows.items():
        # libsndfile refuses what Frontier Labs' recorders write.
        if (
            row.recording.status == "usable"
            and FILES[path].flags in ("", "offset_assumed")
            and "other/2022" not in path
        ):
            found = soundfile.info(str(shared / path))
            recording = row.recording
            shape = (recording.frames, recording.sample_rate_hz, recording.channels)
            assert shape == (found.frames, found.samplerate, found.channels), path
            compared += 1
    assert compared == 96 + 19
