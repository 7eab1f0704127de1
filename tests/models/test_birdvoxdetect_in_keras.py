"""The network of BirdVoxDetect against the same layers in Keras, on PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from birddask.models.birdvoxdetect import MEMBER, PACKAGE, fetch_birdvoxdetect, read_weights
from birddask.models.bundle import read_bundle
from birddask.models.packages import download, read_members
from birddask.models.ready import BundleRef, ready_classifier, ready_front_end
from birddask.storage import Folder
from tests.support.birdvoxdetect import SETS, calls_in_noise, confidence

os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras")


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")  # Keras's, on PyTorch
def test_the_network_gives_what_keras_gives(tmp_path: Path) -> None:
    package_file = download(PACKAGE, tmp_path)
    (content,) = read_members(PACKAGE, [MEMBER], package_file)
    weights, layers = read_weights(content), keras.layers
    original = keras.Sequential(
        [
            keras.Input((120, 104, 1)),
            layers.BatchNormalization(axis=3, epsilon=0.001, name="spec_bn"),
            layers.Conv2D(24, (5, 5), padding="same", activation="linear", name="spec_conv1"),
            layers.MaxPooling2D((2, 4), padding="valid"),
            layers.Conv2D(48, (5, 5), padding="same", activation="relu", name="spec_conv2"),
            layers.MaxPooling2D((2, 4), padding="valid"),
            layers.Conv2D(48, (5, 5), padding="same", activation="relu", name="spec_conv3"),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name="spec_dense1"),
            layers.Dense(1, activation="linear", name="dense"),
        ]
    )
    for layer in original.layers:
        if layer.weights:
            layer.set_weights([weights[layer.name][weight.name] for weight in layer.weights])
    folder = Folder(str(tmp_path / "birdvoxdetect"))
    fetch_birdvoxdetect(folder, package_file)
    ref = BundleRef(folder, read_bundle(folder).card.fingerprint)
    mels = np.stack([ready_front_end(ref).mels(clip) for clip in calls_in_noise(24)])
    sets = [mels[clip, 0, :, 34 * k : 34 * k + 104, np.newaxis] for clip in range(24) for k in range(SETS)]
    no_call = np.asarray(original.predict(np.stack(sets), verbose=0), np.float64).reshape(24, SETS)
    expected = confidence(no_call).max(axis=1) / 100

    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(ready_classifier(ref).probabilities(mels)[:, 0], expected, rtol=0, atol=1e-4)
