from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from birddask.errors import RecordingError
from birddask.mels.waveform import ClipSound, read_pieces
from birddask.plan import ClipRule, Stretch
from birddask.recordings.recording import Recording
from birddask.storage import Folder
from tests.support.models import tiny_spec
from tests.support.sounds import noise, write_wav

WAV_HEADER_BYTES = 44


def level(sound: ClipSound) -> float | None:
    return sound.quality.level_dbfs if sound.quality else None


def wav(folder: Path, samples: NDArray[np.int16], rate: int, name: str = "a.wav") -> Recording:
    path = write_wav(folder / name, samples, rate)
    return Recording(
        path=name,
        size_bytes=path.stat().st_size,
        status="usable",
        container="wav",
        encoding="pcm_16",
        sample_rate_hz=rate,
        channels=1 if samples.ndim == 1 else samples.shape[1],
        frames=len(samples),
        data_offset_bytes=WAV_HEADER_BYTES,
    )


def compressed(folder: Path, samples: NDArray[np.int16], rate: int, extension: str) -> Recording:
    path = folder / f"a.{extension}"
    soundfile.write(path, samples, rate)
    header = soundfile.info(path)
    return Recording(
        path=path.name,
        size_bytes=path.stat().st_size,
        status="usable",
        container="sndfile",
        encoding=extension,
        sample_rate_hz=header.samplerate,
        channels=header.channels,
        frames=header.frames,
    )


def flac(folder: Path, samples: NDArray[np.int16], rate: int) -> Recording:
    return compressed(folder, samples, rate, "flac")


def ogg(folder: Path, samples: NDArray[np.int16], rate: int) -> Recording:
    return compressed(folder, samples, rate, "ogg")


def sounds_of(folder: Path, recording: Recording, rule: ClipRule, first: int = 0, clips: int = 0) -> list[ClipSound]:
    clips = clips or rule.clips(recording.frames, recording.sample_rate_hz)
    pieces = read_pieces(Folder(str(folder)), Stretch(recording, first, clips), replace(tiny_spec(), clip=rule))
    return [sound for piece in pieces for sound in piece.sounds()]


def waveforms(sounds: list[ClipSound]) -> NDArray[np.float32]:
    return np.array([sound.waveform for sound in sounds])


Write = Callable[[Path, NDArray[np.int16], int], Recording]


@pytest.mark.parametrize("write", [wav, flac])
def test_clips_at_the_models_rate_are_the_samples_of_the_file(write: Write, tmp_path: Path) -> None:
    samples = noise(2.7, 8000)
    sounds = sounds_of(tmp_path, write(tmp_path, samples, 8000), ClipRule(8000, 8000, 3000, "pad"))
    assert len(sounds) == 6
    padded = np.concatenate([samples, np.zeros(8000, np.int16)])
    expected = [padded[start : start + 8000] / 32_768 for start in range(0, 18_000, 3000)]
    np.testing.assert_array_equal(waveforms(sounds), expected)


@pytest.mark.parametrize("write", [wav, flac, ogg])
@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("piece_bytes", [1, 40_000, 150_001])
def test_the_size_of_pieces_does_not_change_a_bit(
    write: Write, rate: int, piece_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = write(tmp_path, noise(4.3, rate), rate)
    rule = ClipRule(16_000, 16_000, 7000, "pad")
    at_once = sounds_of(tmp_path, recording, rule)
    monkeypatch.setattr("birddask.mels.waveform._PIECE_BYTES", piece_bytes)
    in_pieces = sounds_of(tmp_path, recording, rule)
    np.testing.assert_array_equal(waveforms(in_pieces), waveforms(at_once))
    assert [sound.quality for sound in in_pieces] == [sound.quality for sound in at_once]


def test_a_seek_in_mp3_changes_no_more_than_the_last_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = compressed(tmp_path, noise(4.3, 44_100), 44_100, "mp3")
    rule = ClipRule(16_000, 16_000, 7000, "pad")
    at_once = sounds_of(tmp_path, recording, rule)
    monkeypatch.setattr("birddask.mels.waveform._PIECE_BYTES", 40_000)
    in_pieces = sounds_of(tmp_path, recording, rule)
    np.testing.assert_allclose(waveforms(in_pieces), waveforms(at_once), rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 22_000, 44_100, 192_000])
def test_a_clip_does_not_depend_on_its_neighbours(rate: int, tmp_path: Path) -> None:
    recording = wav(tmp_path, noise(3.1, rate), rate)
    rule = ClipRule(48_000, 48_000, 20_000, "pad")
    together = waveforms(sounds_of(tmp_path, recording, rule))
    for clip, waveform in enumerate(together):
        (alone,) = sounds_of(tmp_path, recording, rule, clip, 1)
        np.testing.assert_array_equal(alone.waveform, waveform)


def test_pieces_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = wav(tmp_path, noise(20, 8000), 8000)
    reads: list[int] = []
    read_range = Folder.read_range

    def counted(folder: Folder, key: str, start: int, end: int) -> bytes:
        reads.append(end - start)
        return read_range(folder, key, start, end)

    monkeypatch.setattr(Folder, "read_range", counted)
    monkeypatch.setattr("birddask.mels.waveform._PIECE_BYTES", 50_000)
    assert len(sounds_of(tmp_path, recording, ClipRule(8000, 8000, 8000, "pad"))) == 20
    assert max(reads) <= 50_000
    assert len(reads) == 7


@pytest.mark.parametrize("rate", [8000, 11_025])
def test_a_clip_of_zeros_has_no_level(rate: int, tmp_path: Path) -> None:
    samples = noise(5, rate)
    samples[rate : 4 * rate] = 0
    sounds = sounds_of(tmp_path, wav(tmp_path, samples, rate), ClipRule(8000, 8000, 8000, "pad"))
    assert [sound.quality is None for sound in sounds] == [False, True, True, True, False]
    assert not np.any(sounds[2].waveform)


@pytest.mark.parametrize(("amplitude", "level_dbfs"), [(32_768, 0.0), (16_384, -6.0206), (1, -90.309), (328, -39.992)])
@pytest.mark.parametrize("rate", [8000, 22_050])
def test_the_level_is_that_of_a_square_wave(amplitude: int, level_dbfs: float, rate: int, tmp_path: Path) -> None:
    signs = np.where(np.arange(2 * rate) // 20 % 2, -1, 1)
    samples = np.clip(amplitude * signs, -32_768, 32_767).astype(np.int16)
    sounds = sounds_of(tmp_path, wav(tmp_path, samples, rate), ClipRule(8000, 8000, 8000, "pad"))
    assert [level(sound) for sound in sounds] == pytest.approx([level_dbfs] * 2, abs=1e-3)


def test_a_full_scale_constant_has_0_dbfs(tmp_path: Path) -> None:
    (sound,) = sounds_of(
        tmp_path, wav(tmp_path, np.full(8000, -32_768, np.int16), 8000), ClipRule(8000, 8000, 1, "drop")
    )
    assert level(sound) == 0


def test_padding_does_not_lower_the_level(tmp_path: Path) -> None:
    sounds = sounds_of(
        tmp_path, wav(tmp_path, np.full(8800, -16_384, np.int16), 8000), ClipRule(8000, 8000, 8000, "pad")
    )
    assert [level(sound) for sound in sounds] == pytest.approx([-6.0206] * 2, abs=1e-3)


@pytest.mark.parametrize("write", [wav, flac])
def test_channels_are_averaged(write: Write, tmp_path: Path) -> None:
    left, right = noise(1, 8000, seed=1), noise(1, 8000, seed=2)
    (sound,) = sounds_of(
        tmp_path, write(tmp_path, np.stack([left, right], 1), 8000), ClipRule(8000, 8000, 8000, "drop")
    )
    np.testing.assert_array_equal(sound.waveform, (left.astype(np.float32) + right) / 65_536)


@pytest.mark.parametrize("piece_bytes", [1, 1 << 24])
def test_a_recording_that_became_shorter_is_refused(
    piece_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = wav(tmp_path, noise(4, 8000), 8000)
    (tmp_path / recording.path).write_bytes((tmp_path / recording.path).read_bytes()[: WAV_HEADER_BYTES + 40_000])
    monkeypatch.setattr("birddask.mels.waveform._PIECE_BYTES", piece_bytes)
    found = read_pieces(Folder(str(tmp_path)), Stretch(recording, 0, 4), tiny_spec())
    with pytest.raises(RecordingError, match="short_read"):
        list(found)


def test_a_recording_that_has_gone_is_not_found(tmp_path: Path) -> None:
    recording = wav(tmp_path, noise(1, 8000), 8000)
    (tmp_path / recording.path).unlink()
    with pytest.raises(FileNotFoundError):
        sounds_of(tmp_path, recording, ClipRule(8000, 8000, 8000, "pad"))


def test_real_recordings_give_the_clips_that_were_planned(shared: Path) -> None:
    rule = ClipRule(48_000, 144_000, 144_000, "pad")
    for path in sorted((shared / "birds").glob("*.*")):
        if path.suffix != ".json":
            header = soundfile.info(path)
            recording = Recording(
                path=path.name,
                size_bytes=path.stat().st_size,
                status="usable",
                container="sndfile",
                encoding="any",
                sample_rate_hz=header.samplerate,
                channels=header.channels,
                frames=header.frames,
            )
            sounds = sounds_of(path.parent, recording, rule)
            assert waveforms(sounds).shape == (-(-header.frames // (3 * header.samplerate)), 144_000)
