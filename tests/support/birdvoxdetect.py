"""BirdVoxDetect as its own code computes it: librosa on the whole recording, its layers in Keras on PyTorch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from birddask.models.birdvoxdetect import read_weights

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

RATE = 22_050
CLIP, HOP = 37_152, 21_760
SETS, BEFORE = 20, 12
"""Sets of 104 frames that a clip is scored by, and those before them that it only looks back on."""

KERAS_WARNING = "ignore:__array__ implementation doesn't accept:DeprecationWarning"
"""For ``pytest.mark.filterwarnings``: Keras's, on PyTorch."""


@dataclass(frozen=True)
class Original:
    """The layers, to the logit of "no call"."""

    model: Any

    def no_call(self, sets: list[Array64]) -> Array64:
        """Logits of sets of 104 frames, each (120, 104)."""
        batch = np.array(sets, np.float32)[..., np.newaxis]
        return np.asarray(self.model.predict(batch, verbose=0), np.float64)[:, 0]

    def confidences(self, recording: Array32) -> Array64:
        """Of each clip of a recording at 22,050 Hz, completed with zeros: the highest of its sets, from 0 to 1."""
        clips = 1 + max(0, -(-(len(recording) - CLIP) // HOP))
        frames = spectrogram(np.pad(recording, (0, (clips - 1) * HOP + CLIP - len(recording))))
        starts = range(0, frames.shape[1] - 103, 34)
        percent = confidence(self.no_call([frames[:, start : start + 104] for start in starts]))
        return np.array([percent[SETS * clip + BEFORE :][:SETS].max() / 100 for clip in range(clips)])


def original(weights_file: bytes) -> Original:
    """The layers as ``model_config`` in the file of weights lists them; skips the test where Keras is not installed."""
    os.environ["KERAS_BACKEND"] = "torch"
    keras = pytest.importorskip("keras")
    weights = read_weights(weights_file)
    layers = keras.layers
    model = keras.Sequential(
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
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([weights[layer.name][weight.name] for weight in layer.weights])
    return Original(model)


def spectrogram(recording: Array32) -> Array64:
    """``compute_pcen`` and ``map_tfr`` of birdvoxdetect 0.6.0, at its own rate: (120, frame)."""
    sound = recording.astype(np.float64) * 2**31
    powers = np.abs(librosa.stft(sound, n_fft=1024, hop_length=32, win_length=256, window="flattop")) ** 2
    mels = librosa.feature.melspectrogram(S=powers, sr=RATE, n_fft=1024, n_mels=128, htk=True, fmin=2000, fmax=11_025)
    pcen = librosa.pcen(mels, sr=RATE, hop_length=32, gain=0.8, bias=10, power=0.25, time_constant=0.06)
    return np.log1p(0.5 * pcen[:120]) - 0.8


def confidence(no_call: Array64) -> Array64:
    """``map_confidence`` of birdvoxdetect 0.6.0 for trial 12, by the logit rather than the probability; percent."""
    inverse_sigmoid = -no_call - np.log(np.finfo(np.float32).eps)
    x = np.maximum(0, inverse_sigmoid - 18) ** 2 / 100
    percent = 14.76561354 * x**3 - 68.54604756 * x**2 + 111.89379155 * x - 0.13061346
    return np.clip(percent, 0, 99.99)
