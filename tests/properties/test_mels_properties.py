"""Laws of mels: a clip depends on nothing but itself, a shard gives back what was put in."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Literal
from unittest import mock

import librosa
import numpy as np
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from birddask.mels.axes import MelFilterbank
from birddask.mels.resample import input_span, resample_clip
from birddask.mels.scales import Decibels, Unscaled
from birddask.mels.store import MelStore
from birddask.mels.transform import FrontEnd, prepare
from birddask.mels.waveform import ClipSound, read_pieces
from birddask.plan import ClipRule, Stretch
from birddask.recordings.recording import Recording
from birddask.storage import Folder
from tests.support.models import TINY_RATE, tiny_spec
from tests.support.sounds import noise, wav_bytes

Array32 = NDArray[np.float32]

RATES = st.sampled_from([8000, 11_025, 22_000, 22_050, 32_000, 44_100, 48_000, 96_000, 250_000, 384_000])


@st.composite
def rules(draw: st.DrawFn) -> ClipRule:
    """Clips of a fifth of a second to a second and a half."""
    rate = draw(st.sampled_from([8000, 22_050, 32_000, 48_000]))
    length = draw(st.integers(rate // 5, 3 * rate // 2))
    hop = draw(st.integers(length // 4, length))
    return ClipRule(rate, length, hop, draw(st.sampled_from(["pad", "drop"])))


def sounds(archive: Folder, stretch: Stretch, rule: ClipRule) -> list[ClipSound]:
    return [each for piece in read_pieces(archive, stretch, replace(tiny_spec(), clip=rule)) for each in piece.sounds()]


def sound(frames: int, seed: int = 0) -> Array32:
    return np.random.default_rng(seed).normal(0, 0.2, frames).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(rule=rules(), rate=RATES, seconds=st.floats(0.001, 3.0))
def test_any_clip_is_a_part_of_the_whole_recording_resampled(rule: ClipRule, rate: int, seconds: float) -> None:
    recording = sound(max(1, round(seconds * rate)))
    whole = recording
    if rate != rule.sample_rate_hz:
        whole = soxr.resample(recording, rate, rule.sample_rate_hz, quality="HQ")
    for clip in range(rule.clips(len(recording), rate)):
        start = clip * rule.hop_samples
        span = input_span(start, rule.length_samples, rule.sample_rate_hz, rate, len(recording))
        assert 0 <= span.first_frame < span.end_frame <= len(recording)
        samples = recording[span.first_frame : span.end_frame]
        ours = resample_clip(samples, span, rate, replace(tiny_spec(), clip=rule))
        theirs = whole[start : start + rule.length_samples]
        theirs = np.pad(theirs, (0, rule.length_samples - len(theirs)))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(rule=rules(), rate=RATES, cuts=st.lists(st.integers(0, 12)), piece_bytes=st.integers(1, 300_000))
def test_any_stretches_in_any_pieces_give_the_same_bits(
    rule: ClipRule, rate: int, cuts: list[int], piece_bytes: int
) -> None:
    samples = noise(1.7, rate)
    with tempfile.TemporaryDirectory() as place:
        size = (Path(place) / "a.wav").write_bytes(wav_bytes(samples, rate))
        recording = Recording(
            path="a.wav",
            size_bytes=size,
            status="usable",
            container="wav",
            encoding="pcm_16",
            sample_rate_hz=rate,
            channels=1,
            frames=len(samples),
            data_offset_bytes=44,
        )
        clips = rule.clips(recording.frames, rate)
        at_once = sounds(Folder(place), Stretch(recording, 0, clips), rule)
        edges = sorted({0, clips, *(cut for cut in cuts if cut < clips)})
        with mock.patch("birddask.mels.waveform._PIECE_BYTES", piece_bytes):
            apart = [
                each
                for first, end in itertools.pairwise(edges)
                for each in sounds(Folder(place), Stretch(recording, first, end - first), rule)
            ]
    assert len(at_once) == clips
    assert [each.waveform.tobytes() for each in apart] == [each.waveform.tobytes() for each in at_once]
    assert [each.quality for each in apart] == [each.quality for each in at_once]


@settings(max_examples=40, deadline=None)
@given(
    dtype=st.sampled_from(["float16", "float32"]),
    clips_per_block=st.integers(1, 20),
    filled=st.floats(0, 1),
    block=st.integers(0, 10**6),
    seed=st.integers(0, 2**32),
)
def test_any_bits_come_back_from_a_shard(
    dtype: Literal["float16", "float32"], clips_per_block: int, filled: float, block: int, seed: int
) -> None:
    spec = replace(tiny_spec(), dtype=dtype)
    clips = max(1, round(filled * clips_per_block))
    values = np.dtype(dtype).itemsize * int(np.prod(spec.shape))
    mels = np.frombuffer(np.random.default_rng(seed).bytes(clips * values), dtype).reshape(clips, *spec.shape)
    chunk_bytes = 3 * values if clips_per_block % 3 == 0 else values
    with (
        tempfile.TemporaryDirectory() as place,
        mock.patch("birddask.mels.store._CHUNK_BYTES", chunk_bytes),
    ):
        store = MelStore(Folder(place), spec, clips_per_block)
        store.write_shard(block, mels)
        read = store.read_shard(block, clips_per_block)
    assert read[:clips].tobytes() == mels.tobytes()
    assert np.isnan(read[clips:]).all()


def front_end(scale: Decibels | Unscaled, waveform: Literal["as_is", "min_max_symmetric"] = "as_is") -> FrontEnd:
    spec = tiny_spec()
    return prepare(replace(spec, waveform=waveform, channels=(replace(spec.channels[0], scale=scale),)), {})


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), halvings=st.integers(1, 6))
def test_half_the_amplitude_is_6_decibels_less(seed: int, halvings: int) -> None:
    scale = Decibels("decibels", 1e-30, 1.0, None)
    loud = front_end(scale).mels(sound(TINY_RATE, seed))
    soft = front_end(scale).mels(sound(TINY_RATE, seed) / np.float32(2**halvings))
    np.testing.assert_allclose(loud - soft, 20 * np.log10(2) * halvings, rtol=0, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), doublings=st.integers(-8, 8), offset=st.sampled_from([0.0, 0.25, -0.5]))
def test_min_max_symmetric_forgets_gain_and_offset(seed: int, doublings: int, offset: float) -> None:
    normalising = front_end(Unscaled("none"), "min_max_symmetric")
    waveform = sound(TINY_RATE, seed)
    expected = normalising.mels(waveform)
    found = normalising.mels(waveform * np.float32(2.0**doublings) + np.float32(offset))
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3 * expected.max())


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(6)))
def test_mels_do_not_depend_on_what_was_computed_before(order: list[int]) -> None:
    decibels = front_end(Decibels("decibels", 1e-10, "max", 80.0))
    expected = {seed: prepare(decibels.spec, {}).mels(sound(TINY_RATE, seed)) for seed in range(6)}
    for seed in order:
        np.testing.assert_array_equal(decibels.mels(sound(TINY_RATE, seed)), expected[seed])


@st.composite
def layers(draw: st.DrawFn) -> Array32:
    """A second of 8 kHz sound: noise, a tone, clicks or an offset, in a part of it, over a hundred decibels."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["noise", "tone", "clicks", "offset"]))
    layer = np.zeros(TINY_RATE)
    if kind == "noise":
        layer[:] = generator.normal(0, 1, TINY_RATE)
    elif kind == "tone":
        layer[:] = np.sin(2 * np.pi * draw(st.floats(1, 3999)) * np.arange(TINY_RATE) / TINY_RATE)
    elif kind == "clicks":
        layer[generator.integers(0, TINY_RATE, draw(st.integers(1, 5)))] = 1
    else:
        layer[:] = 1
    first, end = sorted(draw(st.lists(st.integers(0, TINY_RATE), min_size=2, max_size=2)))
    if draw(st.booleans()):
        layer[:first] = layer[end:] = 0
    return (layer * 10 ** draw(st.floats(-6, 0))).astype(np.float32)


@settings(max_examples=150, deadline=None)
@given(
    sounds=st.lists(layers(), min_size=1, max_size=3),
    bits=st.sampled_from([16, 24, None]),
    spectrum=st.sampled_from(["power", "magnitude"]),
    top_db=st.sampled_from([None, 80.0]),
)
def test_decibels_of_any_sound_are_those_of_librosa(
    sounds: list[Array32], bits: int | None, spectrum: Literal["power", "magnitude"], top_db: float | None
) -> None:
    waveform = np.sum(sounds, axis=0, dtype=np.float32)
    if bits:
        waveform = (np.round(waveform * 2 ** (bits - 1)) / 2 ** (bits - 1)).astype(np.float32)
    spec = tiny_spec()
    channel = replace(
        spec.channels[0],
        n_fft=512,
        hop_samples=160,
        spectrum=spectrum,
        filterbank=MelFilterbank("slaney", "slaney", 64, 0.0, 4000.0),
        bins=64,
        scale=Decibels("decibels", 1e-10, 1.0, top_db),
    )
    ours = prepare(replace(spec, channels=(channel,)), {}).mels(waveform)[0]
    powers = librosa.feature.melspectrogram(
        y=waveform, sr=TINY_RATE, n_fft=512, hop_length=160, n_mels=64, power=2 if spectrum == "power" else 1
    )
    np.testing.assert_allclose(ours, librosa.power_to_db(powers, top_db=top_db), rtol=0, atol=1e-3)
