"""BirdVoxDetect as its own code computes it: librosa on the whole recording, its layers in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from birddask.models.birdvoxdetect_graph import Weights
from birddask.models.known_clip import known_clip

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

RATE = 22_050
CLIP, HOP = 37_152, 21_760
SETS, BEFORE = 20, 12
"""Sets of 104 frames that a clip is scored by, and those before them that it only looks back on."""


@dataclass(frozen=True)
class Original:
    """The layers as ``model_config`` in the file of weights lists them, in NumPy."""

    weights: Weights

    def no_call(self, sets: NDArray[np.floating]) -> Array64:
        """Logits of "no call" for sets of 104 frames, (set, 120, 104)."""
        some = [self._no_call(sets[start : start + SETS].astype(np.float32)) for start in range(0, len(sets), SETS)]
        return np.concatenate(some).astype(np.float64)

    def confidences(self, recording: Array32) -> Array64:
        """Of each clip of a recording at 22,050 Hz, completed with zeros: the highest of its sets, from 0 to 1."""
        clips = 1 + max(0, -(-(len(recording) - CLIP) // HOP))
        frames = spectrogram(np.pad(recording, (0, (clips - 1) * HOP + CLIP - len(recording))))
        starts = range(0, frames.shape[1] - 103, 34)
        percent = confidence(self.no_call(np.stack([frames[:, start : start + 104] for start in starts])))
        return np.array([percent[SETS * clip + BEFORE :][:SETS].max() / 100 for clip in range(clips)])

    def _no_call(self, sets: Array32) -> Array32:
        bn = self.weights["spec_bn"]
        image = (sets[..., np.newaxis] - bn["moving_mean"]) / np.sqrt(bn["moving_variance"] + np.float32(0.001))
        image = pooled(self._convolved("spec_conv1", image * bn["gamma"] + bn["beta"]))
        image = pooled(np.maximum(self._convolved("spec_conv2", image), 0))
        image = np.maximum(self._convolved("spec_conv3", image), 0)
        hidden = np.maximum(self._dense("spec_dense1", image.reshape(len(image), -1)), 0)
        return self._dense("dense", hidden)[:, 0]

    def _convolved(self, layer: str, image: Array32) -> Array32:
        kernel, bias = self.weights[layer]["kernel"], self.weights[layer]["bias"]
        padded = np.pad(image, ((0, 0), (2, 2), (2, 2), (0, 0)))
        around = sliding_window_view(padded, (5, 5), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
        columns = around.reshape(-1, kernel[..., 0].size)
        return (columns @ kernel.reshape(len(columns[0]), -1) + bias).reshape(*image.shape[:3], -1)

    def _dense(self, layer: str, values: Array32) -> Array32:
        return values @ self.weights[layer]["kernel"] + self.weights[layer]["bias"]


def calls_in_noise(clips: int) -> list[Array32]:
    """Clips with a whistle that drowns more and more in noise."""
    whistle, generator = known_clip(RATE, CLIP), np.random.default_rng(0)
    levels = np.geomspace(0.02, 2, clips)
    return [
        (np.roll(whistle, 997 * k) + generator.normal(0, level, CLIP)).astype(np.float32)
        for k, level in enumerate(levels)
    ]


def pooled(image: Array32) -> Array32:
    """The largest of 2 by 4 values; what is left over at the end is dropped."""
    sets, mels, frames, channels = image.shape
    whole = image[:, : mels // 2 * 2, : frames // 4 * 4]
    return whole.reshape(sets, mels // 2, 2, frames // 4, 4, channels).max(axis=(2, 4))


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
