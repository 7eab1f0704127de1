"""Each preset against what its model's own code does, by librosa, SciPy and literal loops in double precision.

The tolerance stands in ``PRESETS``: the largest difference in the network's input, in its own units, over all sounds.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.special
import soundfile
import soxr
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.mels.transform import prepare
from birddask.models.known_clip import known_clip
from birddask.models.presets import find_preset, preset_card, preset_names, preset_text

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

ROOT = Path(__file__).parents[2]
RATE = 32_000


def torchaudio_mels(clip: Array64, rate: int, n_fft: int, hop: int, mels: int, **others: object) -> Array64:
    """``torchaudio.transforms.MelSpectrogram``: centred, reflected, HTK mels without norm, up to Nyquist."""
    settings = {"fmin": 0.0, "fmax": rate / 2, "power": 2.0, **others}
    return librosa.feature.melspectrogram(
        y=clip, sr=rate, n_fft=n_fft, hop_length=hop, n_mels=mels, pad_mode="reflect", htk=True, norm=None, **settings
    )


def e4e_multiclass(clip: Array64) -> Array64:
    image = np.stack([torchaudio_mels(clip, RATE, 1400, 700, 194)] * 3)
    decibels = 10 * np.log10(np.maximum(image, 1e-10))
    return scipy.special.expit((decibels - decibels.mean()) / (decibels.std(ddof=1) + 1e-6))


def efficientnet_5s(clip: Array64) -> Array64:
    decibels = librosa.power_to_db(librosa.feature.melspectrogram(y=clip, sr=RATE), ref=np.max)
    span = decibels.max() - decibels.min()
    return ((decibels - decibels.min()) / (span or 1))[np.newaxis]


def pyha_analyzer_2(clip: Array64) -> Array64:
    powers = librosa.feature.melspectrogram(y=clip, sr=22_050, n_fft=2048, hop_length=256, power=2.0, n_mels=256)
    return powers[np.newaxis] / 255


def birdset(clip: Array64, n_fft: int, hop: int, mels: int) -> Array64:
    decibels = 10 * np.log10(np.maximum(torchaudio_mels(clip, RATE, n_fft, hop, mels), 1e-10))
    return (np.maximum(decibels, decibels.max() - 80)[np.newaxis] + 4.268) / 4.569


def birdset_convnext(clip: Array64) -> Array64:
    return birdset(clip, 1024, 320, 128)


def birdset_efficientnet(clip: Array64) -> Array64:
    return birdset(clip, 2048, 256, 256)


def perch_v2(clip: Array64) -> Array64:
    centred = clip - clip.mean()
    peak = np.abs(centred).max()
    padded = np.pad(centred * (0.25 / peak if peak else 0), 160)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(640) / 639)
    window /= window.sum()
    mel_of = lambda hz: 1127 * np.log1p(hz / 700)  # noqa: E731
    edges = np.linspace(mel_of(60), mel_of(16_000), 130)
    points = mel_of(np.arange(1, 513) * RATE / 1024)
    matrix = np.zeros((513, 128))
    for band in range(128):
        low, centre, high = edges[band : band + 3]
        matrix[1:, band] = np.maximum(0, np.minimum((points - low) / (centre - low), (high - points) / (high - centre)))
    frames = [
        np.abs(np.fft.rfft(padded[start : start + 640] * window, 1024)) for start in range(0, len(padded) - 639, 320)
    ]
    return 0.1 * np.log(np.maximum(np.array(frames) @ matrix, 1e-5))


def hawkears(clip: Array64) -> Array64:
    magnitudes = torchaudio_mels(clip, 28_000, 3248, 218, 192, win_length=1624, power=1.0, fmin=200, fmax=13_000)
    image = magnitudes[np.newaxis, :, :384]
    image = image - image.min()
    return (image / (image.max() or 1)) ** 0.7


def birdvoxdetect(clip: Array64) -> Array64:
    powers = np.abs(librosa.stft(clip * 2**31, n_fft=1024, hop_length=32, win_length=256, window="flattop")) ** 2
    mels = librosa.feature.melspectrogram(S=powers, sr=22_050, n_fft=1024, n_mels=128, htk=True, fmin=2000, fmax=11_025)
    pcen = librosa.pcen(mels, sr=22_050, hop_length=32, gain=0.8, bias=10, power=0.25, time_constant=0.06)
    return (np.log1p(0.5 * pcen[:120]) - 0.8)[np.newaxis, :, 408 : 408 + 750]


@dataclass(frozen=True)
class Golden:
    """What a preset's network gets, by other code.

    Attributes:
        tolerance: largest difference, as a share of the largest value where that is above 1.
    """

    network_input: Callable[[Array64], Array64]
    shape: tuple[int, ...]
    tolerance: float


PRESETS = {
    "e4e-multiclass": Golden(e4e_multiclass, (3, 194, 229), 1e-5),
    "efficientnet-5s": Golden(efficientnet_5s, (1, 128, 313), 1e-5),
    "pyha-analyzer-2": Golden(pyha_analyzer_2, (1, 256, 431), 1e-6),
    "birdset-convnext": Golden(birdset_convnext, (1, 128, 501), 1e-5),
    "birdset-efficientnet": Golden(birdset_efficientnet, (1, 256, 626), 1e-5),
    "perch-v2": Golden(perch_v2, (500, 128), 1e-5),
    "hawkears": Golden(hawkears, (1, 192, 384), 1e-5),
    "birdvoxdetect": Golden(birdvoxdetect, (1, 120, 750), 1e-5),
}


def sounds(rate_hz: int, samples: int) -> dict[str, Array32]:
    """Clips that a front end may stumble over."""
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.05, samples).astype(np.float32)
    whistle = known_clip(rate_hz, samples)
    return {
        "noise": noise,
        "last bit": (np.round(20 * noise) / 32_768).astype(np.float32),
        "whistle in noise": whistle + noise / 50,
        "whistle": whistle,
        "padded": np.concatenate([whistle[: samples // 2], np.zeros(samples - samples // 2, np.float32)]),
        "silence": np.zeros(samples, np.float32),
    }


def assert_golden(name: str, clips: dict[str, Array32]) -> None:
    card, golden = preset_card(name), PRESETS[name]
    front_end = prepare(card.mels, {})
    for sound, clip in clips.items():
        found = card.input.prepared(front_end.mels(clip)[np.newaxis])[0]
        expected = golden.network_input(clip.astype(np.float64))
        allowed = golden.tolerance * max(1.0, float(np.abs(expected).max()))
        assert found.shape == expected.shape == golden.shape, name
        np.testing.assert_allclose(found, expected, rtol=0, atol=allowed, err_msg=f"{name}, {sound}")


def test_every_preset_has_a_golden_test() -> None:
    assert set(preset_names()) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_a_network_what_its_own_code_gives(name: str) -> None:
    clip = preset_card(name).mels.clip
    assert_golden(name, sounds(clip.sample_rate_hz, clip.length_samples))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_a_network_what_its_own_code_gives_of_real_sound(name: str, shared: Path) -> None:
    rule = preset_card(name).mels.clip
    clips = {}
    for path in ("birds/birdnet_soundscape.flac", "birds/oss_birds_10s.wav"):
        sound, rate = soundfile.read(shared / path, dtype="float32", stop=8 * 48_000)
        resampled = soxr.resample(sound, rate, rule.sample_rate_hz)
        clips[path] = resampled[rule.sample_rate_hz :][: rule.length_samples]
    assert_golden(name, clips)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_how_sure_it_is_and_is_named_after_its_file(name: str) -> None:
    assert "\n# How sure: " in preset_text(name)
    assert preset_card(name).name == name


def test_an_unknown_preset_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ConfigError, match=r"no preset named 'warbler'; there are birdset-convnext, .*, pyha-analyzer-2"
    ):
        preset_card("warbler")


def test_a_preset_is_found_by_its_name(tiny_bundle: Path) -> None:
    assert find_preset("birdset-efficientnet").card == preset_card("birdset-efficientnet")
    assert find_preset(str(tiny_bundle)).card.name == "tiny"
    with pytest.raises(ConfigError, match="no preset named 'warbler'"):
        find_preset("warbler")


def test_an_installed_package_has_the_presets(tmp_path: Path) -> None:
    source = tmp_path / "source"  # setuptools builds in the folder, and packs what earlier builds left there
    shutil.copytree(ROOT / "birddask", source / "birddask")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {Path(name).stem for name in zipfile.ZipFile(wheel).namelist() if name.startswith("birddask/presets/")}
    assert packed == set(PRESETS)
