"""BirdVoxDetect against its own layers in NumPy, behind librosa's spectrogram of the whole recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from birddask.models.birdvoxdetect import MEMBER, PACKAGE, fetch_birdvoxdetect, read_weights
from birddask.models.bundle import Bundle, read_bundle
from birddask.models.library import check_bundle
from birddask.models.packages import download, read_members
from birddask.models.ready import BundleRef, ready_classifier, ready_front_end
from birddask.storage import Folder
from tests.support.birdvoxdetect import CLIP, HOP, RATE, SETS, Original, calls_in_noise, confidence

Array32 = NDArray[np.float32]


@pytest.fixture(scope="module")
def package_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return download(PACKAGE, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def folder(package_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder(str(tmp_path_factory.mktemp("birdvoxdetect")))
    fetch_birdvoxdetect(folder, package_file)
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Folder) -> Bundle:
    return read_bundle(folder)


@pytest.fixture(scope="module")
def layers(package_file: Path) -> Original:
    (weights,) = read_members(PACKAGE, [MEMBER], package_file)
    return Original(read_weights(weights))


def recordings(shared: Path) -> list[Array32]:
    """Birds, the soundscape of a day, faint noise."""
    sounds = []
    for path in ("birds/oss_birds_10s.wav", "birds/birdnet_soundscape.flac"):
        sound, rate = soundfile.read(shared / path, dtype="float32", frames=12 * 48_000)
        sounds.append(soxr.resample(sound, rate, RATE)[: 9 * RATE])
    day, _ = soundfile.read(min((shared / "sm4-day").glob("*.wav")), dtype="float32", frames=9 * RATE)
    noise = np.random.default_rng(0).normal(0, 1e-4, 5 * RATE).astype(np.float32)
    return [*sounds, day, noise]


def test_clips_are_as_confident_as_birdvoxdetect_on_the_whole_recording(
    shared: Path, folder: Folder, bundle: Bundle, layers: Original
) -> None:
    ref = BundleRef(folder, bundle.card.fingerprint)
    front_end, classifier = ready_front_end(ref), ready_classifier(ref)
    everything = []
    for recording in recordings(shared):
        expected = layers.confidences(recording)
        clips = [recording[HOP * clip :][:CLIP] for clip in range(len(expected))]
        mels = np.stack([front_end.mels(np.pad(clip, (0, CLIP - len(clip)))) for clip in clips])
        np.testing.assert_allclose(classifier.probabilities(mels)[:, 0], expected, rtol=0, atol=1e-4)
        everything.extend(expected)
    assert min(everything) < 0.1
    assert max(everything) > 0.5


def test_the_network_gives_what_its_layers_give(bundle: Bundle, folder: Folder, layers: Original) -> None:
    ref = BundleRef(folder, bundle.card.fingerprint)
    mels = np.stack([ready_front_end(ref).mels(clip) for clip in calls_in_noise(12)])
    sets = np.stack([clip[0, :, 34 * k : 34 * k + 104] for clip in mels for k in range(SETS)])
    expected = confidence(layers.no_call(sets)).reshape(-1, SETS).max(axis=1) / 100
    assert min(expected) < 0.2
    assert max(expected) > 0.9
    np.testing.assert_allclose(ready_classifier(ref).probabilities(mels)[:, 0], expected, rtol=0, atol=1e-4)


def test_the_bundle_is_the_preset_with_one_label(folder: Folder, bundle: Bundle) -> None:
    assert check_bundle(folder).name == "birdvoxdetect"
    assert bundle.labels == ("bird flight call",)
    assert bundle.card.licence == "MIT"
