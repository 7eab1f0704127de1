from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.mels.axes import MelFilterbank, StoredArray
from birddask.mels.filterbank import mel_matrix
from birddask.mels.scales import Decibels, SquaredPower, Unscaled
from birddask.mels.spec import ChannelSpec, MelSpec
from birddask.mels.transform import FrontEnd, prepare
from birddask.models.bundle import read_card
from birddask.models.known_clip import known_clip
from birddask.models.ready import BundleRef, ready_front_end
from birddask.plan import ClipRule
from birddask.storage import Folder
from tests.support.models import tiny_spec

Array32 = NDArray[np.float32]

RATE = 48_000
N_FFT, HOP, BINS = 1024, 480, 64
LOW_HZ, HIGH_HZ = 50.0, 15_000.0


def sounds() -> dict[str, Array32]:
    """Seconds of sound that a front end may stumble over."""
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.1, RATE).astype(np.float32)
    seconds = np.arange(RATE) / RATE
    whistle = known_clip(RATE, RATE)
    return {
        "noise": noise,
        "loud noise": np.clip(20 * noise, -1, 1),
        "last bit": (np.round(10 * noise) / 32_768).astype(np.float32),
        "whistle": whistle,
        "padded": np.concatenate([whistle[: RATE // 2], np.zeros(RATE // 2, np.float32)]),
        "tone on a bin": np.sin(2 * np.pi * 3000 * seconds).astype(np.float32),
        "tone between bins": np.sin(2 * np.pi * 3010.3 * seconds).astype(np.float32),
        "silence": np.zeros(RATE, np.float32),
    }


def spec_of(*channels: ChannelSpec, samples: int = RATE) -> MelSpec:
    return MelSpec("test", ClipRule(RATE, samples, samples, "pad"), "soxr_hq", "as_is", channels, "float32")


def channel_of(**changes: object) -> ChannelSpec:
    channel = ChannelSpec(
        n_fft=N_FFT,
        hop_samples=HOP,
        framing="centre_zero",
        window="hann",
        spectrum="power",
        filterbank=MelFilterbank("htk", "none", BINS, LOW_HZ, HIGH_HZ),
        bins=BINS,
        scale=Decibels("decibels", 1e-10, 1.0, 80.0),
        highest_first=False,
    )
    return replace(channel, **changes)  # type: ignore[arg-type]


def in_librosa(
    waveform: Array32,
    mels: MelFilterbank,
    framing: str,
    spectrum: str,
    scale: Decibels,
    n_fft: int = N_FFT,
    hop_samples: int = HOP,
) -> NDArray[np.floating]:
    powers = librosa.feature.melspectrogram(
        y=waveform,
        sr=RATE,
        n_fft=n_fft,
        hop_length=hop_samples,
        center=framing != "inside",
        pad_mode="reflect" if framing == "centre_reflect" else "constant",
        power=2 if spectrum == "power" else 1,
        n_mels=mels.bins,
        fmin=mels.low_hz,
        fmax=mels.high_hz,
        htk=mels.scale == "htk",
        norm=None if mels.norm == "none" else mels.norm,
    )
    reference = np.max if scale.reference == "max" else scale.reference
    return librosa.power_to_db(powers, ref=reference, amin=scale.floor, top_db=scale.top_db)


@pytest.mark.parametrize(
    ("mel_scale", "norm", "framing", "spectrum", "reference", "top_db"),
    [
        ("htk", "none", "inside", "power", 1.0, 80.0),
        ("htk", "none", "centre_zero", "power", 1.0, None),
        ("htk", "slaney", "centre_reflect", "power", "max", 80.0),
        ("htk", "none", "inside", "magnitude", "max", None),
        ("htk", "slaney", "centre_zero", "magnitude", 1e-3, 60.0),
        ("slaney", "slaney", "centre_zero", "power", "max", 80.0),
        ("slaney", "slaney", "centre_reflect", "power", 0.01, None),
        ("slaney", "none", "inside", "power", "max", 40.0),
        ("slaney", "none", "centre_reflect", "magnitude", 1.0, 80.0),
        ("slaney", "slaney", "centre_zero", "magnitude", 1.0, None),
    ],
)
def test_decibels_are_those_of_librosa(
    mel_scale: str, norm: str, framing: str, spectrum: str, reference: float | str, top_db: float | None
) -> None:
    mels = MelFilterbank(mel_scale, norm, BINS, LOW_HZ, HIGH_HZ)  # type: ignore[arg-type]
    scale = Decibels("decibels", 1e-10, reference, top_db)  # type: ignore[arg-type]
    channel = channel_of(filterbank=mels, framing=framing, spectrum=spectrum, scale=scale)
    front_end = prepare(spec_of(channel), {})
    for name, waveform in sounds().items():
        ours = front_end.mels(waveform)
        theirs = in_librosa(waveform, mels, framing, spectrum, scale)
        assert ours.shape == (1, *theirs.shape)
        np.testing.assert_allclose(ours[0], theirs, rtol=0, atol=1e-3, err_msg=name)


def test_decibels_of_a_real_recording_are_those_of_librosa(shared: Path) -> None:
    waveform, _ = soundfile.read(shared / "birds/birdnet_soundscape.flac", dtype="float32", frames=3 * RATE)
    mels, scale = MelFilterbank("slaney", "slaney", 128, 0.0, 24_000.0), Decibels("decibels", 1e-10, "max", None)
    channel = channel_of(n_fft=2048, hop_samples=278, filterbank=mels, bins=128, scale=scale)
    ours = prepare(spec_of(channel, samples=3 * RATE), {}).mels(waveform)[0]
    theirs = in_librosa(waveform, mels, "centre_zero", "power", scale, 2048, 278)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)


def test_the_floor_is_the_least_power_that_is_told_apart() -> None:
    channel = channel_of(scale=Decibels("decibels", 1e-3, 1.0, None))
    mels = prepare(spec_of(channel), {}).mels(sounds()["padded"])
    np.testing.assert_allclose(mels.min(), -30, atol=1e-5)


def test_the_mel_matrix_peaks_where_the_mel_formula_says() -> None:
    bins, low, high = 40, 100.0, 20_000.0
    edges = np.linspace(2595 * np.log10(1 + low / 700), 2595 * np.log10(1 + high / 700), bins + 2)
    centres_hz = 700 * (10 ** (edges[1:-1] / 2595) - 1)
    matrix = mel_matrix(MelFilterbank("htk", "none", bins, low, high), 4096, RATE)
    np.testing.assert_allclose(matrix.argmax(axis=0) * RATE / 4096, centres_hz, rtol=0, atol=RATE / 4096)


def stored(name: str, array: Array32) -> StoredArray:
    return StoredArray(name, hashlib.sha256(array.tobytes()).hexdigest())


def real_channel(n_fft: int, hop_samples: int, window: Array32, matrix: Array32) -> ChannelSpec:
    return channel_of(
        n_fft=n_fft,
        hop_samples=hop_samples,
        framing="inside",
        spectrum="real",
        window=stored("window", window),
        filterbank=stored("matrix", matrix),
        scale=Unscaled("none"),
    )


def hann(n_fft: int) -> Array32:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def triangles(n_fft: int, bins: int, seed: int = 0) -> Array32:
    """A matrix like a filterbank's: not negative, mostly zero."""
    matrix = np.random.default_rng(seed).random((n_fft // 2 + 1, bins))
    return np.where(matrix > 0.9, matrix, 0).astype(np.float32)


def real_spectrum(waveform: Array32, channel: ChannelSpec, window: Array32) -> NDArray[np.float64]:
    starts = range(0, len(waveform) - channel.n_fft + 1, channel.hop_samples)
    frames = np.array([waveform[start : start + channel.n_fft] * window for start in starts])
    assert frames.dtype == np.float32
    return np.fft.rfft(frames.astype(np.float64)).real


def literally_real(waveform: Array32, channel: ChannelSpec, window: Array32, matrix: Array32) -> NDArray[np.float64]:
    return (real_spectrum(waveform, channel, window) @ matrix.astype(np.float64)).T


@pytest.mark.parametrize(("n_fft", "hop_samples"), [(2048, 278), (1024, 280), (64, 64), (8, 1000)])
def test_the_real_part_is_that_of_a_double_precision_transform(n_fft: int, hop_samples: int) -> None:
    window, matrix = hann(n_fft), triangles(n_fft, BINS)
    channel = real_channel(n_fft, hop_samples, window, matrix)
    front_end = prepare(spec_of(channel), {"window": window, "matrix": matrix})
    for name, waveform in {**sounds(), "constant": np.full(RATE, -1, np.float32)}.items():
        spectrum = real_spectrum(waveform, channel, window)
        error = np.abs(front_end.mels(waveform)[0] - (spectrum @ matrix).T)
        # Float32 may round bins, and their sum, but nothing before them.
        assert np.all(error <= 2e-6 * (np.abs(spectrum) @ matrix).T + 1e-11 * np.abs(waveform).max()), name


def test_squared_power_squares_and_compresses() -> None:
    window, matrix = hann(N_FFT), triangles(N_FFT, BINS)
    plain = real_channel(N_FFT, HOP, window, matrix)
    channel = replace(plain, scale=SquaredPower("squared_power", 0.23))
    arrays = {"window": window, "matrix": matrix}
    expected = np.abs(literally_real(sounds()["whistle"], plain, window, matrix)) ** 0.46
    mels = prepare(spec_of(channel), arrays).mels(sounds()["whistle"])
    np.testing.assert_allclose(mels[0], expected, rtol=2e-6, atol=1e-7)


def test_the_mel_axis_can_run_downward() -> None:
    upward, downward = channel_of(), channel_of(highest_first=True)
    mels = prepare(spec_of(upward, downward), {}).mels(sounds()["whistle"])
    assert mels.dtype == np.float32
    np.testing.assert_array_equal(mels[1], mels[0, ::-1])


@pytest.mark.parametrize("name", ["noise", "last bit", "whistle", "padded", "silence"])
def test_min_max_symmetric_scales_in_float32_as_birdnet_does(name: str) -> None:
    waveform = sounds()[name]
    shifted = np.subtract(waveform, np.min(waveform), dtype=np.float32)
    divisor = np.float32(np.max(shifted) + np.float32(0.000001))
    scaled = np.multiply(np.subtract(shifted / divisor, np.float32(0.5)), np.float32(2), dtype=np.float32)
    channel = channel_of(scale=Unscaled("none"))
    spec = replace(spec_of(channel), waveform="min_max_symmetric")
    np.testing.assert_array_equal(prepare(spec, {}).mels(waveform), prepare(spec_of(channel), {}).mels(scaled))


def test_silence_is_minus_one_for_min_max_symmetric() -> None:
    channel = channel_of(scale=Unscaled("none"))
    spec = replace(spec_of(channel), waveform="min_max_symmetric")
    constant = np.full(RATE, -1, np.float32)
    for silence in (np.zeros(RATE, np.float32), np.full(RATE, 0.25, np.float32)):
        np.testing.assert_array_equal(prepare(spec, {}).mels(silence), prepare(spec_of(channel), {}).mels(constant))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "front_end.npz lacks the array 'window'"),
        ({"window": hann(N_FFT)}, "front_end.npz lacks the array 'matrix'"),
        (
            {"window": hann(2 * N_FFT), "matrix": triangles(N_FFT, BINS)},
            "the array 'window' of front_end.npz, (2048,), is not the one that the mel spec names",
        ),
        (
            {"window": hann(N_FFT), "matrix": triangles(N_FFT, BINS).reshape(BINS, -1)},
            "the array 'matrix' of front_end.npz, (64, 513), is not the one that the mel spec names",
        ),
        (
            {"window": hann(N_FFT), "matrix": triangles(N_FFT, BINS, seed=1)},
            "the array 'matrix' of front_end.npz, (513, 64), is not the one that the mel spec names",
        ),
    ],
)
def test_stored_arrays_must_be_the_ones_that_the_spec_names(arrays: dict[str, Array32], message: str) -> None:
    channel = real_channel(N_FFT, HOP, hann(N_FFT), triangles(N_FFT, BINS))
    with pytest.raises(ModelError) as raised:
        prepare(spec_of(channel), arrays)
    assert str(raised.value) == message


def test_stored_arrays_may_lie_in_memory_as_they_like() -> None:
    window, matrix = hann(N_FFT), triangles(N_FFT, BINS)
    spec = spec_of(real_channel(N_FFT, HOP, window, matrix))
    expected = prepare(spec, {"window": window, "matrix": matrix}).mels(sounds()["whistle"])
    for other in (np.asfortranarray(matrix), matrix.astype(">f4"), matrix.astype("<f8")):
        found = prepare(spec, {"window": window, "matrix": other}).mels(sounds()["whistle"])
        np.testing.assert_array_equal(found, expected)


def test_the_real_part_takes_a_window_of_float32_wherever_it_is_from() -> None:
    matrix = triangles(N_FFT, BINS)
    from_file = real_channel(N_FFT, HOP, hann(N_FFT), matrix)
    arrays = {"window": hann(N_FFT), "matrix": matrix}
    expected = prepare(spec_of(from_file), arrays).mels(sounds()["noise"])
    found = prepare(spec_of(replace(from_file, window="hann")), arrays).mels(sounds()["noise"])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("window", ["hann", stored("window", hann(N_FFT))])
def test_a_stored_window_gives_what_the_formula_gives(window: str | StoredArray) -> None:
    front_end = prepare(spec_of(channel_of(window=window)), {"window": hann(N_FFT)})
    expected = prepare(spec_of(channel_of()), {}).mels(sounds()["whistle"])
    np.testing.assert_allclose(front_end.mels(sounds()["whistle"]), expected, rtol=0, atol=1e-2)


def front_ends() -> dict[str, FrontEnd]:
    window, matrix = hann(N_FFT), triangles(N_FFT, BINS)
    real = real_channel(N_FFT, HOP, window, matrix)
    return {
        "decibels": prepare(spec_of(channel_of()), {}),
        "real": prepare(spec_of(real), {"window": window, "matrix": matrix}),
    }


@pytest.mark.parametrize("name", ["decibels", "real"])
def test_mels_depend_on_nothing_but_the_clip(name: str) -> None:
    front_end = front_ends()[name]
    first = {sound: front_end.mels(waveform) for sound, waveform in sounds().items()}
    again = front_ends()[name]
    for sound, waveform in reversed(sounds().items()):
        unaligned = np.concatenate([np.zeros(1, np.float32), waveform])[1:]
        np.testing.assert_array_equal(again.mels(unaligned), first[sound])


def test_the_waveform_is_left_as_it_was() -> None:
    waveform = sounds()["whistle"]
    waveform.flags.writeable = False
    spec = replace(spec_of(channel_of()), waveform="min_max_symmetric")
    prepare(spec, {}).mels(waveform)


SHA256_OF_MELS = """
import hashlib, sys, threadpoolctl
from birddask.models.bundle import read_bundle
from birddask.models.ready import BundleRef, ready_front_end
from birddask.storage import Folder
bundle = read_bundle(Folder(sys.argv[1]))
front_end = ready_front_end(BundleRef(Folder(sys.argv[1]), bundle.card.fingerprint))
print(hashlib.sha256(front_end.mels(bundle.known_answer.waveform).tobytes()).hexdigest())
print(min(pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"))
"""


@pytest.mark.parametrize("threads", ["1", "4"])
def test_mels_are_the_same_bits_on_one_thread_of_another_process(threads: str, tiny_bundle: Path) -> None:
    folder, clip = Folder(str(tiny_bundle)), tiny_spec().clip
    front_end = ready_front_end(BundleRef(folder, read_card(folder).fingerprint))
    mels = front_end.mels(known_clip(clip.sample_rate_hz, clip.length_samples))
    command = [sys.executable, "-c", SHA256_OF_MELS, str(tiny_bundle)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == [hashlib.sha256(mels.tobytes()).hexdigest(), "1"]
