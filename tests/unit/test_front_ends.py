"""What mel specs can say, against librosa, SciPy and literal loops."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import librosa
import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.mels.axes import Crop, LinearAxis, MelFilterbank, StoredArray
from birddask.mels.filterbank import mel_matrix
from birddask.mels.scales import (
    Decibels,
    Gain,
    Log1p,
    NaturalLog,
    Pcen,
    Peak,
    PowerLaw,
    Scale,
    SquaredPower,
    Unscaled,
    Waveform,
)
from birddask.mels.spec import ChannelSpec, MelSpec, Padded
from birddask.mels.transform import prepare
from birddask.mels.windows import window_of
from birddask.models.known_clip import known_clip
from birddask.plan import ClipRule

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

RATE = 22_050
UNSCALED = Unscaled("none")
LINEAR = LinearAxis("linear", 0.0, RATE / 2)


def channel_of(**changes: object) -> ChannelSpec:
    channel = ChannelSpec(
        n_fft=512,
        hop_samples=128,
        framing="centre_zero",
        window="hann",
        spectrum="power",
        filterbank=LINEAR,
        bins=257,
        scale=UNSCALED,
        highest_first=False,
    )
    return replace(channel, **changes)  # type: ignore[arg-type]


def spec_of(channel: ChannelSpec, waveform: Waveform = "as_is") -> MelSpec:
    return MelSpec("test", ClipRule(RATE, RATE, RATE, "pad"), "soxr_hq", waveform, (channel,), "float32")


def sound() -> Array32:
    """A second of whistles over a hum and noise."""
    noise = np.random.default_rng(0).normal(0, 0.01, RATE)
    return (known_clip(RATE, RATE) + noise).astype(np.float32)


def channel_mels(channel: ChannelSpec, waveform: Waveform = "as_is") -> Array32:
    return prepare(spec_of(channel, waveform), {}).mels(sound())[0]


def close(found: Array32, expected: NDArray[np.floating], relative: float = 1e-4) -> None:
    """Equal but for ``relative`` of each value, or for a millionth of the largest one."""
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=relative, atol=1e-6 * float(np.abs(expected).max()))


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", ["none", "slaney"])
@pytest.mark.parametrize(
    ("bins", "low_hz", "high_hz", "n_fft", "rate"),
    [
        (128, 0.0, 16_000.0, 2048, 32_000),
        (194, 0.0, 16_000.0, 1400, 32_000),
        (96, 500.0, 15_000.0, 1024, 48_000),
        (40, 60.5, 3999.0, 256, 8000),
    ],
)
def test_mel_matrices_are_those_of_librosa_bit_for_bit(
    scale: Literal["htk", "slaney"],
    norm: Literal["none", "slaney"],
    bins: int,
    low_hz: float,
    high_hz: float,
    n_fft: int,
    rate: int,
) -> None:
    ours = mel_matrix(MelFilterbank(scale, norm, bins, low_hz, high_hz), n_fft, rate)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Empty filters detected")
        theirs = librosa.filters.mel(
            sr=rate,
            n_fft=n_fft,
            n_mels=bins,
            fmin=low_hz,
            fmax=high_hz,
            htk=scale == "htk",
            norm=None if norm == "none" else norm,
        )
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs.T)


def test_triangles_on_the_mel_axis_are_those_of_tensorflow() -> None:
    bins, low_hz, high_hz, n_fft, rate = 20, 60.0, 3500.0, 256, 8000
    edges = np.linspace(1127 * np.log(1 + low_hz / 700), 1127 * np.log(1 + high_hz / 700), bins + 2)
    expected = np.zeros((n_fft // 2 + 1, bins))
    for point in range(1, n_fft // 2 + 1):
        mel = 1127 * np.log(1 + point * rate / n_fft / 700)
        for number in range(bins):
            rising = (mel - edges[number]) / (edges[number + 1] - edges[number])
            falling = (edges[number + 2] - mel) / (edges[number + 2] - edges[number + 1])
            expected[point, number] = max(0.0, min(rising, falling))
    found = mel_matrix(MelFilterbank("htk", "none", bins, low_hz, high_hz, "mel"), n_fft, rate)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("samples", [2, 255, 256, 1624])
@pytest.mark.parametrize("shape", ["hann", "hamming", "flattop", "hann_symmetric"])
def test_windows_are_those_of_scipy(shape: str, samples: int) -> None:
    symmetric = shape.endswith("_symmetric")
    expected = scipy.signal.get_window(shape.removesuffix("_symmetric"), samples, fftbins=not symmetric)
    np.testing.assert_allclose(window_of(shape, samples, "none"), expected, rtol=0, atol=1e-14)
    if expected.sum():
        np.testing.assert_allclose(window_of(shape, samples, "sum").sum(), 1)


@pytest.mark.parametrize("framing", ["centre_zero", "centre_reflect", "inside"])
@pytest.mark.parametrize(("window", "window_samples"), [("hann", 512), ("flattop", 256), ("hamming", 301)])
@pytest.mark.parametrize("spectrum", ["power", "magnitude"])
def test_a_linear_axis_and_a_short_window_are_those_of_librosa(
    framing: str, window: str, window_samples: int, spectrum: str
) -> None:
    channel = channel_of(framing=framing, window=window, window_samples=window_samples, spectrum=spectrum)
    transform = librosa.stft(
        sound().astype(np.float64),
        n_fft=512,
        hop_length=128,
        win_length=window_samples,
        window=window,
        center=framing != "inside",
        pad_mode="reflect" if framing == "centre_reflect" else "constant",
    )
    close(channel_mels(channel), np.abs(transform) ** (2 if spectrum == "power" else 1), 1e-3)


def test_frames_may_be_counted_by_the_window_as_in_tensorflow() -> None:
    channel = channel_of(
        framing=Padded(100, 57), window="hann_symmetric", window_samples=400, window_norm="sum", spectrum="magnitude"
    )
    padded = np.concatenate([np.zeros(100), sound().astype(np.float64), np.zeros(57)])
    window = scipy.signal.windows.hann(400) / scipy.signal.windows.hann(400).sum()
    frames = []
    start = 0
    while start + 400 <= len(padded):
        frames.append(np.abs(np.fft.rfft(np.append(padded[start : start + 400] * window, np.zeros(112)))))
        start += 128
    assert spec_of(channel).shape == (1, 257, len(frames))
    close(channel_mels(channel), np.array(frames).T, 1e-3)


@pytest.mark.parametrize(("low_hz", "high_hz"), [(0.0, 11_025.0), (1000.0, 5000.0), (86.1328125, 172.265625)])
def test_a_linear_axis_keeps_the_bins_from_one_frequency_to_another(low_hz: float, high_hz: float) -> None:
    inside = [number for number in range(257) if low_hz <= number * RATE / 512 <= high_hz]
    channel = channel_of(filterbank=LinearAxis("linear", low_hz, high_hz), bins=len(inside))
    close(channel_mels(channel), channel_mels(channel_of())[inside])


POWERS = channel_of(filterbank=MelFilterbank("htk", "slaney", 40, 200.0, 10_000.0), bins=40)
PCEN = Pcen("pcen", 0.8, 10.0, 0.25, 0.06, 1e-6)


def librosa_pcen(powers: Array64) -> NDArray[np.floating]:
    return librosa.pcen(powers, sr=RATE, hop_length=128, gain=0.8, bias=10.0, power=0.25, time_constant=0.06, eps=1e-6)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (PowerLaw("power_law", 0.35), lambda powers: powers**0.35),
        (SquaredPower("squared_power", 0.35), lambda powers: powers**0.7),
        (NaturalLog("natural_log", 1e-5, 0.1), lambda powers: 0.1 * np.log(np.maximum(powers, 1e-5))),
        (Log1p("log1p", 0.5, -0.8), lambda powers: np.log1p(0.5 * powers) - 0.8),
        (PCEN, librosa_pcen),
        ((PCEN, Log1p("log1p", 0.5, -0.8)), lambda powers: np.log1p(0.5 * librosa_pcen(powers)) - 0.8),
        (
            (PowerLaw("power_law", 0.5), Decibels("decibels", 1e-5, 1.0, None)),
            lambda p: 5 * np.log10(np.maximum(p, 1e-10)),
        ),
    ],
)
def test_scales_are_what_they_say(scale: Scale, expected: Callable[[Array64], Array64]) -> None:
    powers = channel_mels(POWERS).astype(np.float64)
    close(channel_mels(replace(POWERS, scale=scale)), expected(powers), 2e-6)


def peak(samples: Array64) -> Array64:
    centred = samples - samples.mean()
    return centred / np.abs(centred).max() * 0.25


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Peak("peak", 0.25, subtract_mean=True), peak),
        (Peak("peak", 0.5, subtract_mean=False), lambda samples: samples / np.abs(samples).max() * 0.5),
        (Gain("gain", 2.0**31), lambda samples: samples * 2**31),
        ("min_max", lambda samples: (samples - samples.min()) / (np.ptp(samples) + 1e-6)),
        ("min_max_symmetric", lambda samples: 2 * (samples - samples.min()) / (np.ptp(samples) + 1e-6) - 1),
    ],
)
def test_waveforms_are_normalised_clip_by_clip(how: Waveform, expected: Callable[[Array64], Array64]) -> None:
    channel = channel_of(spectrum="magnitude", hop_samples=1000)
    loud = (sound() * np.float32(0.3) + np.float32(0.1)).astype(np.float32)
    found = prepare(spec_of(channel, how), {}).mels(loud)[0]
    transform = librosa.stft(expected(loud.astype(np.float64)), n_fft=512, hop_length=1000)
    close(found, np.abs(transform), 1e-3)


def test_silence_stays_silence_when_its_peak_is_normalised() -> None:
    front_end = prepare(spec_of(channel_of(), Peak("peak", 0.25, subtract_mean=True)), {})
    assert not np.any(front_end.mels(np.full(RATE, 0.125, np.float32)))


def test_a_crop_keeps_a_part_counted_from_the_lowest_bin_and_the_first_frame() -> None:
    whole = channel_mels(channel_of())
    crop = Crop(first_bin=3, bins=120, first_frame=10, frames=104)
    np.testing.assert_array_equal(channel_mels(channel_of(crop=crop)), whole[3:123, 10:114])
    np.testing.assert_array_equal(channel_mels(channel_of(crop=crop, highest_first=True)), whole[3:123, 10:114][::-1])
    assert spec_of(channel_of(crop=crop)).shape == (1, 120, 104)


WINDOW = StoredArray("window", "a" * 64)
DECIBELS = Decibels("decibels", 1e-10, 1.0, 80.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_samples": 513}, "a window of 513 samples does not fit a transform of 512"),
        ({"window_samples": 1}, "a window of 1 samples does not fit a transform of 512"),
        (
            {"window": WINDOW, "window_samples": 256},
            "a stored window is used as it is: without `window_samples` and `window_norm`",
        ),
        (
            {"window": WINDOW, "window_norm": "sum"},
            "a stored window is used as it is: without `window_samples` and `window_norm`",
        ),
        (
            {"spectrum": "real", "window_samples": 256},
            (
                "the real part of a spectrum needs an n_fft that is a multiple of 8 and a window of that length "
                "(found 512 and 256)"
            ),
        ),
        (
            {"spectrum": "real", "n_fft": 516, "bins": 259},
            (
                "the real part of a spectrum needs an n_fft that is a multiple of 8 and a window of that length "
                "(found 516 and 516)"
            ),
        ),
        (
            {"spectrum": "real", "scale": DECIBELS},
            "a real part has values below 0, to which the scale decibels can't be applied",
        ),
        ({"scale": ()}, "a channel's `scale` is empty; `kind: none` leaves mels as they are"),
        (
            {"scale": (DECIBELS, PowerLaw("power_law", 0.5))},
            "the scale decibels gives values below 0: none can follow it",
        ),
        ({"scale": (PowerLaw("power_law", 0.5), PCEN)}, "the scale pcen takes mels as they are: it comes first"),
        ({"scale": (UNSCALED, PowerLaw("power_law", 0.5))}, "the scale none stands alone"),
        ({"crop": Crop(138, 120, 0, 104)}, "a crop of 120 bins from 138 on is not in a channel of 257"),
        (
            {"filterbank": LinearAxis("linear", 0.0, 5000.0)},
            "channels[0] of the mel spec 'test': 117 bins of the transform lie from 0 to 5000 Hz, the channel has 257",
        ),
        (
            {"filterbank": LinearAxis("linear", 0.0, 12_000.0)},
            (
                "channels[0] of the mel spec 'test': a filterbank up to 12000 Hz goes beyond 11025 Hz, "
                "half the clips' rate"
            ),
        ),
        (
            {"crop": Crop(0, 120, 70, 104)},
            "channels[0] of the mel spec 'test': a crop of 104 frames from 70 on is not in a clip of 173",
        ),
        (
            {"framing": "centre_reflect", "n_fft": 44_100, "bins": 22_051},
            "channels[0] of the mel spec 'test': a clip of 22050 samples is too short to be extended by its reflection",
        ),
    ],
)
def test_contradictions_are_refused_with_the_reason(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        spec_of(channel_of(**changes))
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "changes",
    [
        {"n_fft": 2, "hop_samples": 1, "bins": 2},
        {"filterbank": LinearAxis("linear", 0.0, 43.0), "bins": 1},
        {"window_samples": 2},
        {"window_samples": 512, "spectrum": "real"},
        {"window": WINDOW},
        {"crop": Crop(137, 120, 69, 104)},
        {"framing": "centre_reflect", "n_fft": 44_098, "bins": 22_050},
        {"framing": Padded(0, 0)},
    ],
)
def test_what_only_just_fits_is_accepted(changes: dict[str, object]) -> None:
    channel = channel_of(**changes)
    assert spec_of(channel).channels == (channel,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Padded(-1, 0), "^the zeros around a clip can't be fewer than none$"),
        (lambda: Padded(0, -1), "^the zeros around a clip can't be fewer than none$"),
        (lambda: Crop(0, 0, 0, 1), "keeps nothing"),
        (lambda: Crop(-1, 1, 0, 1), "begins before the channel"),
        (lambda: LinearAxis("linear", 100.0, 100.0), "is empty"),
        (lambda: Peak("peak", 0.0, subtract_mean=True), "`level` above 0"),
        (lambda: Gain("gain", 0.0), "`factor` above 0"),
        (lambda: PowerLaw("power_law", -1.0), "`exponent` above 0"),
        (lambda: NaturalLog("natural_log", 0.0, 1.0), "`floor` of at least"),
        (lambda: NaturalLog("natural_log", 1e-5, 0.0), "`factor` above 0"),
        (lambda: Log1p("log1p", 0.0, 0.0), "`factor` above 0"),
        (lambda: replace(PCEN, bias=0.0), r"found bias 0"),
        (lambda: replace(PCEN, gain=-1.0), r"no negative gain"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
