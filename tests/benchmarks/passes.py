"""E4E's experiment: 1, 3 and 6 passes of an EfficientNet-B0 over the same recordings, all cores.

    pip install -e . --group benchmark && pip install torch==2.13.0
    python -m tests.benchmarks.passes SOUND.wav [--minutes 30] [--rounds 3] [--plot passes.svg]

Each pass scores all clips with another network of the same kind, as one does while a model is made. Three ways: mels by
librosa at each pass with PyTorch (E4E's Python form), the same with ONNX Runtime, and birddask, which makes mels once.
The first two use all cores as their libraries do by themselves. Start-up (imports, cluster, first scores) is not
counted. SOUND.wav (16-bit) is repeated to files of a minute at its own rate.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from birddask import Control, Job, LocalSpec, classify, prepare, run
from birddask.clusters import connect
from birddask.documents import parse, parse_yaml
from birddask.models.card import ModelCard
from birddask.models.library import seal_bundle
from birddask.storage import Folder
from tests.benchmarks.efficientnet import efficientnet, to_onnx
from tests.benchmarks.scaling_and_memory import repeat
from tests.support.models import write_unsealed_bundle

_LABELS = 21
_PASSES = (1, 3, 6)
_FILE_S = 60
_CARD = Path(__file__).parents[2] / "configs/efficientnet-5s/model.yaml"

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def shipped_card(name: str) -> ModelCard:
    """The card for an EfficientNet on librosa's mels, stored as float32."""
    card = parse(ModelCard, parse_yaml(_CARD.read_bytes(), str(_CARD)), str(_CARD))
    return replace(card, name=name, mels=replace(card.mels, dtype="float32"))


def lazily(files: list[Path], card: ModelCard, score: Score) -> None:
    """One pass: load, cut, make mels, score; a file at a time, as one writes it in a notebook."""
    clip, channel = card.mels.clip, card.mels.channels[0]
    for file in files:
        sound, _ = librosa.load(file, sr=clip.sample_rate_hz, res_type="soxr_hq")
        sound = np.pad(sound, (0, -len(sound) % clip.length_samples))
        images = []
        for waveform in sound.reshape(-1, clip.length_samples):
            power = librosa.feature.melspectrogram(
                y=waveform,
                sr=clip.sample_rate_hz,
                n_fft=channel.n_fft,
                hop_length=channel.hop_samples,
                n_mels=channel.bins,
            )
            decibels = librosa.power_to_db(power, ref=np.max)
            images.append((decibels - decibels.min()) / (decibels.max() - decibels.min()))
        score(np.stack(images)[:, np.newaxis].astype(np.float32))


def with_torch(network: nn.Sequential) -> Score:
    """Scores by PyTorch."""

    def score(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            scores: NDArray[np.float32] = network(torch.from_numpy(images)).softmax(1).numpy()
        return scores

    return score


def with_onnx(network: bytes) -> Score:
    """Scores by ONNX Runtime."""
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["logits"], {"mels": images})[0]


def timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("sound", type=Path)
    arguments.add_argument("--minutes", type=int, default=30)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--plot", type=Path)
    options = arguments.parse_args()
    seconds: dict[str, list[list[float]]] = {"librosa, PyTorch": [], "librosa, ONNX Runtime": [], "birddask": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(options.minutes):
            repeat(options.sound, folder / f"cards/site/20250101_{number // 60:02d}{number % 60:02d}00.WAV", _FILE_S)
        files = sorted((folder / "cards").rglob("*.WAV"))
        networks = [efficientnet(_LABELS, seed) for seed in range(max(_PASSES))]
        cards = [shipped_card(f"efficientnet-{seed}") for seed in range(max(_PASSES))]
        exported = [to_onnx(network, cards[0].mels.shape) for network in networks]
        labels = tuple(f"species {number}" for number in range(_LABELS))
        for card, network in zip(cards, exported, strict=True):
            write_unsealed_bundle(folder / card.name, card, labels, network)
            seal_bundle(Folder(str(folder / card.name)))
        torches, sessions = [with_torch(each) for each in networks], [with_onnx(each) for each in exported]
        with connect(LocalSpec("local"), None) as client:
            control = Control(lambda: client)
            for round_number in range(options.rounds + 1):
                output = str(folder / uuid.uuid4().hex)
                jobs = [Job(str(folder / "cards"), output, str(folder / card.name), block_mib=4) for card in cards]
                first, *others = [prepare(job) for job in jobs]
                passes = {
                    "birddask": [functools.partial(run, first, control)]
                    + [functools.partial(classify, each, control) for each in others],
                    "librosa, PyTorch": [functools.partial(lazily, files, cards[0], score) for score in torches],
                    "librosa, ONNX Runtime": [functools.partial(lazily, files, cards[0], score) for score in sessions],
                }
                for way, works in passes.items():
                    times_s = [timed(work) for work in works]
                    if round_number:  # the first one warms up
                        seconds[way].append(times_s)
    show(seconds, options.minutes, options.plot)


def show(seconds: dict[str, list[list[float]]], minutes: int, plot: Path | None) -> None:
    """Print medians and ratios, and draw them."""
    print(f"{minutes} minutes of sound, {os.cpu_count()} cores, seconds (median, least to most):")
    medians: dict[str, list[float]] = {}
    for way, rounds in seconds.items():
        cumulative = [[sum(passes[:count]) for passes in rounds] for count in range(1, max(_PASSES) + 1)]
        medians[way] = [statistics.median(each) for each in cumulative]
        shown = (
            f"{n}: {medians[way][n - 1]:.1f} ({min(cumulative[n - 1]):.1f} to {max(cumulative[n - 1]):.1f})"
            for n in _PASSES
        )
        print(f"  {way}: passes {', '.join(shown)}")
    for way in list(seconds)[:2]:
        ratios = (f"{n}: {medians[way][n - 1] / medians['birddask'][n - 1]:.2f}" for n in _PASSES)
        print(f"  {way} / birddask, passes {', '.join(ratios)}")
    if plot:
        from matplotlib import pyplot as plt

        figure, axes = plt.subplots(figsize=(6, 4))
        for way, values in medians.items():
            axes.plot(range(1, len(values) + 1), values, marker="o", label=way)
        axes.set(xlabel="passes over the same recordings", ylabel="seconds in all", ylim=(0, None))
        axes.legend()
        figure.savefig(plot, metadata={"Date": None})


if __name__ == "__main__":
    main()
