"""E4E's experiment: 1, 3 and 6 passes of an EfficientNet-B0 over the same recordings, all cores.

    pip install -e . --group benchmark && pip install torch==2.13.0
    python -m tests.benchmarks.passes SOUND.wav [--minutes 30] [--rounds 3] [--plot passes.svg]

Each pass scores all clips with another network of the same kind, as one does while a model is made. Three ways: mels by
librosa at each pass with PyTorch (E4E's Python form), the same with ONNX Runtime, and birddask, which makes mels once.
The first two use all cores as their libraries do by themselves. Start-up (imports, cluster, first scores) is not
counted. SOUND.wav (16-bit) is repeated to files of a minute at its own rate.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
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
from tests.benchmarks.rows import Row, parser_with_rows, ratio, say
from tests.benchmarks.sounds import repeat
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
    arguments = parser_with_rows(__doc__)
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
    say(rows_of(seconds, options.minutes, options.plot), options.rows)


def rows_of(seconds: Mapping[str, list[list[float]]], minutes: int, plot: Path | None) -> list[Row]:
    """Ratios after 1, 3 and 6 passes; draws medians of all."""
    totals = {
        way: [[sum(passes[:count]) for passes in rounds] for count in range(1, max(_PASSES) + 1)]
        for way, rounds in seconds.items()
    }
    if plot:
        draw(totals, minutes, plot)
    own = totals["birddask"]
    return [
        ratio(
            f"passes of EfficientNet-B0 over {minutes} minutes: {count}, against lazy {way}",
            totals[way][count - 1],
            own[count - 1],
            f"{statistics.median(totals[way][count - 1]):.1f} s and {statistics.median(own[count - 1]):.1f} s",
        )
        for way in list(seconds)[:2]
        for count in _PASSES
    ]


def draw(totals: Mapping[str, list[list[float]]], minutes: int, plot: Path) -> None:
    """Seconds over passes, one line a way."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    for way, counts in totals.items():
        axes.plot(range(1, len(counts) + 1), [statistics.median(each) for each in counts], marker="o", label=way)
    axes.set(xlabel=f"passes over the same {minutes} minutes of sound", ylabel="seconds in all", ylim=(0, None))
    axes.legend()
    figure.tight_layout()
    figure.savefig(plot, metadata={"Date": None})


if __name__ == "__main__":
    main()
