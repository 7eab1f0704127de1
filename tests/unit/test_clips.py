from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from PIL import Image

from birddask.clips.find import clip_number, clip_number_at, find_recording, labels_of, row_of
from birddask.clips.frequencies import bin_centres
from birddask.clips.picture import panels, time_marks
from birddask.clips.sound import encoded
from birddask.detections.found import find_results
from birddask.errors import ConfigError
from birddask.mels.axes import Crop, StoredArray
from birddask.outputs import planned_store, read_scans
from birddask.table.clip_table import clip_table_key, read_clips
from tests.support.models import TINY_RATE, tiny_spec
from tests.support.outputs import made_up, recording


def test_a_clip_is_found_by_recording_and_time(tmp_path: Path) -> None:
    rows = [recording(f"{site}/{n}.wav", 3.7 + n) for site in ("ridge", "stream") for n in range(3)]
    output = made_up(tmp_path, rows, ("wren", "owl"), hop_samples=TINY_RATE // 2)
    output.fill()
    scans = read_scans(output.folder)
    spec = tiny_spec(TINY_RATE // 2)
    store = replace(planned_store(output.folder, spec, 1), clips_per_block=output.clips_per_block)
    # All clip tables, read in order, are the oracle.
    table = [row for n in range(len(output.blocks())) for row in read_clips(store.folder.read(clip_table_key(n)))]
    found = find_results(output.folder, None)
    for expected in table:
        row = find_recording(scans, expected.recording)
        for at_us in (expected.offset_us, expected.offset_us + 199_999):
            number = clip_number_at(spec.clip, row, at_us)
            assert number == clip_number(spec.clip, expected.offset_us)
            assert row_of(scans, store, row, number) == expected
        scores = zip(output.labels, output.scores[expected.recording][number].tolist(), strict=True)
        labels = labels_of(found, expected.clip, output.clips_per_block)
        assert dict(labels) == {label: score for label, score in scores if score >= output.layout.floor}
        assert labels == sorted(labels, key=lambda each: -each[1])


def test_a_clip_of_a_later_scan_and_of_a_recording_that_changed(tmp_path: Path) -> None:
    old = recording("s/1.wav", 5)
    output = made_up(tmp_path, [replace(old, recording=replace(old.recording, superseded=True))], ("wren",))
    output.scan()
    new = recording("s/1.wav", 7)
    read_scans(output.folder).append([recording("a/0.wav", 2), new], "rule")
    scans = read_scans(output.folder)
    found = find_recording(scans, "s/1.wav")
    assert found == new.recording
    store = replace(planned_store(output.folder, tiny_spec(), 1), clips_per_block=4)
    # Two blocks of the first scan, one of the other site, one full one of this recording.
    with pytest.raises(ConfigError, match="block 4"):
        row_of(scans, store, found, 5)


@pytest.mark.parametrize("at_us", [-1, 3_000_000, 10**12])
def test_a_time_beyond_the_recording(at_us: int) -> None:
    with pytest.raises(ConfigError, match="3 s long"):
        clip_number_at(tiny_spec().clip, recording("s/1.wav", 3).recording, at_us)


def test_a_recording_that_is_not_there_or_not_usable(tmp_path: Path) -> None:
    rows = [recording("s/1.wav", 3), recording("s/2.wav", 0, status="quarantined", reason="empty")]
    output = made_up(tmp_path, rows, ("wren",))
    output.scan()
    scans = read_scans(output.folder)
    with pytest.raises(ConfigError, match="quarantined: empty"):
        find_recording(scans, "s/2.wav")
    with pytest.raises(ConfigError, match="below the archive"):
        find_recording(scans, "1.wav")


def test_centres_of_bins_are_those_of_the_mel_scale() -> None:
    (centres,) = bin_centres(tiny_spec(), {})
    expected = librosa.mel_frequencies(18, fmin=100, fmax=4000, htk=True)[1:-1]
    assert centres is not None
    np.testing.assert_allclose(centres, expected, atol=TINY_RATE / 256)


def test_bins_of_filters_that_are_elsewhere_have_no_frequencies() -> None:
    spec = tiny_spec()
    stored = replace(spec.channels[0], filterbank=StoredArray("mel_1", "0"))
    assert bin_centres(replace(spec, channels=(stored,)), {}) == (None,)


@pytest.mark.parametrize("highest_first", [False, True])
def test_a_tone_is_bright_where_the_marks_say(highest_first: bool) -> None:  # noqa: FBT001
    spec = tiny_spec()
    spec = replace(spec, channels=(replace(spec.channels[0], highest_first=highest_first),))
    (centres,) = bin_centres(spec, {})
    assert centres is not None
    mels = np.zeros(spec.shape, np.float32)
    bin_of_tone = int(np.abs(centres - 1000).argmin())
    mels[0, -1 - bin_of_tone if highest_first else bin_of_tone] = 1
    (panel,) = panels(mels, spec, (centres,))
    (mark,) = [each for each in panel.marks if each.text == "1 kHz"]
    picture = np.asarray(Image.open(io.BytesIO(panel.webp()))).astype(int).sum(axis=2)
    assert picture.shape == spec.shape[1:]
    row = int(picture.sum(axis=1).argmax())
    assert 1 - (row + 1) / spec.shape[1] <= mark.place <= 1 - (row - 1) / spec.shape[1]


def test_a_clip_without_any_contrast_is_drawn_dark() -> None:
    (panel,) = panels(np.full((1, 16, 63), 7, np.float32), tiny_spec(), (None,))
    assert panel.marks == ()
    assert not panel.levels.any()


def test_marks_of_time_reach_from_end_to_end() -> None:
    marks = time_marks(tiny_spec())
    assert [(mark.place, mark.text) for mark in marks] == [(0, "0 s"), (0.5, "0.5 s"), (1, "1 s")]


@pytest.mark.parametrize(("rate_hz", "slower"), [(22_050, 1), (48_000, 1), (256_000, 10)])
def test_a_sound_comes_back_louder_and_audible(rate_hz: int, slower: int) -> None:
    tone_hz = rate_hz / 64
    waveform = (0.01 * np.sin(2 * np.pi * tone_hz / rate_hz * np.arange(rate_hz))).astype(np.float32)
    sound = encoded(waveform, rate_hz)
    heard, heard_rate_hz = soundfile.read(io.BytesIO(sound.content))
    assert sound.slower == slower
    assert heard_rate_hz == rate_hz // slower
    assert len(heard) == rate_hz
    assert np.abs(heard).max() == pytest.approx(0.9, abs=0.1)
    assert np.corrcoef(heard, waveform)[0, 1] > 0.98


def test_silence_is_a_sound_too() -> None:
    heard, _ = soundfile.read(io.BytesIO(encoded(np.zeros(8000, np.float32), 8000).content))
    assert not heard.any()


def test_a_crop_is_drawn_with_its_own_axes() -> None:
    spec = tiny_spec()
    (whole,) = bin_centres(spec, {})
    cropped = replace(spec, channels=(replace(spec.channels[0], crop=Crop(4, 8, 10, 40)),))
    (centres,) = bin_centres(cropped, {})
    assert whole is not None
    assert centres is not None
    np.testing.assert_array_equal(centres, whole[4:12])
    # Frames of 16 ms, from 0.16 s to 0.8 s.
    marks = {mark.text: mark.place for mark in time_marks(cropped)}
    assert marks.keys() == {"0.2 s", "0.3 s", "0.4 s", "0.5 s", "0.6 s", "0.7 s", "0.8 s"}
    assert marks["0.4 s"] == pytest.approx((0.4 - 0.16) / 0.64)
    (panel,) = panels(np.zeros(cropped.shape, np.float32), cropped, (centres,))
    assert panel.levels.shape == (8, 40)
