from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from birddask.mels.resample import input_span, resample_clip
from birddask.mels.sinc import resample_sinc
from birddask.mels.spec import Resampler
from birddask.plan import ClipRule
from tests.support.models import tiny_spec

Array32 = NDArray[np.float32]

RATES = (8000, 11_025, 16_000, 22_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000, 250_000, 384_000)


def noise(frames: int, seed: int = 0) -> Array32:
    return np.random.default_rng(seed).normal(0, 0.2, frames).astype(np.float32)


def clip_of(
    recording: Array32, clip: int, rule: ClipRule, recording_rate_hz: int, resampler: Resampler = "soxr_hq"
) -> Array32:
    span = input_span(
        clip * rule.hop_samples, rule.length_samples, rule.sample_rate_hz, recording_rate_hz, len(recording)
    )
    assert 0 <= span.first_frame < span.end_frame <= len(recording)
    samples = recording[span.first_frame : span.end_frame]
    return resample_clip(samples, span, recording_rate_hz, replace(tiny_spec(), clip=rule, resampler=resampler))


def clip_of_whole(resampled: Array32, clip: int, rule: ClipRule) -> Array32:
    part = resampled[clip * rule.hop_samples :][: rule.length_samples]
    return np.pad(part, (0, rule.length_samples - len(part)))


def by_soxr(recording: Array32, rate: int, new_rate: int, quality: str) -> Array32:
    return soxr.resample(recording, rate, new_rate, quality=quality)


WHOLE: dict[Resampler, Callable[[Array32, int, int], Array32]] = {
    "soxr_hq": functools.partial(by_soxr, quality="HQ"),
    "soxr_vhq": functools.partial(by_soxr, quality="VHQ"),
    "sinc_hann": resample_sinc,
}


def test_every_resampler_is_tested() -> None:
    assert set(WHOLE) == set(get_args(Resampler))


@pytest.mark.parametrize("resampler", WHOLE)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("model_rate", "length_s"), [(48_000, 3), (32_000, 5)])
def test_every_clip_is_a_part_of_the_whole_recording_resampled(
    rate: int, model_rate: int, length_s: int, resampler: Resampler
) -> None:
    length = length_s * model_rate
    rule = ClipRule(model_rate, length, 2 * length // 5 + 7, "pad")
    recording = noise(round(3.01 * length_s * rate) + 1)
    whole = recording if rate == model_rate else WHOLE[resampler](recording, rate, model_rate)
    clips = rule.clips(len(recording), rate)
    assert clips >= 6
    for clip in range(clips):
        ours = clip_of(recording, clip, rule, rate, resampler)
        assert ours.shape == (length,)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, clip_of_whole(whole, clip, rule), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("rate", "new_rate"), [(44_100, 32_000), (22_050, 32_000), (48_000, 32_000), (32_000, 48_000)])
def test_sinc_hann_is_the_sum_of_its_formula(rate: int, new_rate: int) -> None:
    recording = noise(rate // 20 + 3)
    found = resample_sinc(recording, rate, new_rate)
    assert found.dtype == np.float32
    assert len(found) == math.ceil(len(recording) * new_rate / rate)
    pass_band_hz = min(rate, new_rate) * 0.99
    for number in range(0, len(found), 7):
        crossings = (np.arange(len(recording)) / rate - number / new_rate) * pass_band_hz
        weights = np.where(np.abs(crossings) < 6, np.sinc(crossings) * np.cos(crossings * np.pi / 12) ** 2, 0)
        expected = math.fsum(weights * recording * pass_band_hz / rate)
        np.testing.assert_allclose(found[number], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [22_000, 32_000, 44_100, 250_000])
def test_a_clip_begins_at_its_own_time(rate: int) -> None:
    rule = ClipRule(48_000, 48_000, 17_001, "drop")
    tone_hz = 997
    recording = np.sin(2 * np.pi * tone_hz * np.arange(4 * rate) / rate).astype(np.float32)
    for clip in range(1, rule.clips(len(recording), rate) - 1):
        seconds = (clip * rule.hop_samples + np.arange(rule.length_samples)) / rule.sample_rate_hz
        expected = np.sin(2 * np.pi * tone_hz * seconds)
        np.testing.assert_allclose(clip_of(recording, clip, rule, rate), expected, rtol=0, atol=1e-4)


def test_a_recording_at_the_rate_of_the_model_is_not_touched() -> None:
    rule = ClipRule(48_000, 1000, 700, "pad")
    recording = noise(3333)
    for clip in range(rule.clips(len(recording), 48_000)):
        np.testing.assert_array_equal(clip_of(recording, clip, rule, 48_000), clip_of_whole(recording, clip, rule))


def test_a_clip_is_in_memory_of_its_own_size() -> None:
    clip = clip_of(noise(4 * 32_000), 1, ClipRule(48_000, 48_000, 48_000, "pad"), 32_000)
    assert clip.flags.c_contiguous


@pytest.mark.parametrize("rate", RATES)
def test_what_lies_behind_the_end_is_zero(rate: int) -> None:
    rule = ClipRule(48_000, 48_000, 48_000, "pad")
    recording = noise(rate + rate // 4)
    last = clip_of(recording, rule.clips(len(recording), rate) - 1, rule, rate)
    assert np.any(last[:11_000])
    assert not np.any(last[12_001:])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frames", [1, 2, 7, 100])
def test_a_recording_of_a_few_frames_is_a_clip_of_zeros_but_for_its_start(rate: int, frames: int) -> None:
    rule = ClipRule(32_000, 32_000, 16_000, "pad")
    assert rule.clips(frames, rate) == 1
    clip = clip_of(np.full(frames, 0.5, np.float32), 0, rule, rate)
    assert clip.shape == (32_000,)
    assert np.isfinite(clip).all()
    assert not np.any(clip[frames * 32_000 // rate + 2 :])


@pytest.mark.parametrize("rate", [22_050, 44_100, 250_000])
def test_a_span_holds_the_clip_and_50_ms_on_both_sides(rate: int) -> None:
    start, length, model_rate = 100_003, 144_000, 48_000
    span = input_span(start, length, model_rate, rate, 100 * rate)
    assert span.first_frame / rate <= start / model_rate - 0.05
    assert span.end_frame / rate >= (start + length) / model_rate + 0.05
    assert span.end_frame - span.first_frame <= (length / model_rate + 0.15) * rate
    assert span.first_frame / rate + span.skip_samples / model_rate == pytest.approx(start / model_rate, abs=1e-9)
