"""What is done to mels as they are read, against NumPy in double precision and literal loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from birddask.documents import parse, to_mapping
from birddask.errors import ConfigError
from birddask.models.before import (
    MinMax,
    Power,
    RepeatChannel,
    Resize,
    Shape,
    Sigmoid,
    Standardise,
    StandardiseClip,
    Step,
    apply,
)
from birddask.models.card import ModelCard, NetworkInput
from birddask.models.words import Layout
from tests.support.models import tiny_card

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]


def decibels(*shape: int) -> Array32:
    return np.random.default_rng(0).normal(-40, 12, shape).astype(np.float32)


def min_max(clip: Array64) -> Array64:
    return (clip - clip.min()) / np.ptp(clip)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([MinMax("min_max")], min_max),
        ([MinMax("min_max"), Power("power", 0.7)], lambda clip: min_max(clip) ** 0.7),
        ([Standardise("standardise", -4.268, 4.569)], lambda clip: (clip + 4.268) / 4.569),
        (
            [StandardiseClip("standardise_clip", "population", 1e-6)],
            lambda clip: (clip - clip.mean()) / (clip.std() + 1e-6),
        ),
        (
            [StandardiseClip("standardise_clip", "sample", 1e-6), Sigmoid("sigmoid")],
            lambda clip: scipy.special.expit((clip - clip.mean()) / (clip.std(ddof=1) + 1e-6)),
        ),
    ],
)
def test_each_clip_is_prepared_by_itself(steps: list[Step], expected: Callable[[Array64], Array64]) -> None:
    batch = decibels(5, 2, 7, 11)
    kept = batch.copy()
    found = batch
    for step in steps:
        found = apply(step, found)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(batch, kept)
    np.testing.assert_allclose(found, [expected(clip.astype(np.float64)) for clip in batch], rtol=1e-5, atol=1e-6)


def test_a_constant_clip_stays_finite() -> None:
    constant = np.full((1, 1, 4, 4), -80, np.float32)
    for step in (MinMax("min_max"), StandardiseClip("standardise_clip", "sample", 1e-6)):
        assert not np.any(apply(step, constant))


def resized(row: Array64, new: int, *, antialias: bool) -> list[float]:
    """A row of values, each seen as a stretch of length 1, brought to ``new`` values."""
    ratio = len(row) / new
    reach = max(ratio, 1.0) if antialias else 1.0
    values = []
    for number in range(new):
        centre = (number + 0.5) * ratio - 0.5
        if not reach > 1:
            centre = min(max(centre, 0.0), len(row) - 1.0)
        weights = [max(0.0, 1 - abs(each - centre) / reach) for each in range(len(row))]
        values.append(math.fsum(w * x for w, x in zip(weights, row, strict=True)) / math.fsum(weights))
    return values


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(("mels", "frames"), [(7, 11), (14, 30), (3, 4), (1, 1), (20, 5)])
def test_resizing_interpolates_both_axes(mels: int, frames: int, antialias: bool) -> None:  # noqa: FBT001
    batch = decibels(2, 3, 7, 11)
    found = apply(Resize("resize", mels, frames, antialias), batch)
    assert found.shape == (2, 3, mels, frames)
    for clip, channel in np.ndindex(2, 3):
        across = [resized(row, frames, antialias=antialias) for row in batch[clip, channel].astype(np.float64)]
        down = [resized(column, mels, antialias=antialias) for column in np.array(across).T]
        np.testing.assert_allclose(found[clip, channel], np.array(down).T, rtol=1e-5)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(("mels", "frames"), [(224, 224), (64, 1000), (300, 501)])
def test_resizing_is_that_of_pytorch(mels: int, frames: int, antialias: bool) -> None:  # noqa: FBT001
    torch = pytest.importorskip("torch")  # whose positions are float32
    batch = decibels(2, 1, 128, 501)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(batch), (mels, frames), mode="bilinear", align_corners=False, antialias=antialias
    )
    np.testing.assert_allclose(
        apply(Resize("resize", mels, frames, antialias), batch), theirs.numpy(), rtol=0, atol=2e-3
    )


THREE = RepeatChannel("repeat_channel", 3)


@pytest.mark.parametrize(
    ("layout", "steps", "mels", "axes"),
    [
        ("channel_mel_frame", (), (2, 4, 5), (0, 1, 2, 3)),
        ("mel_frame_channel", (), (2, 4, 5), (0, 2, 3, 1)),
        ("channel_frame_mel", (THREE,), (1, 4, 5), (0, 1, 3, 2)),
        ("frame_mel_channel", (Resize("resize", 2, 3, antialias=False), THREE), (1, 4, 5), (0, 3, 2, 1)),
    ],
)
def test_the_layout_is_the_order_of_axes(layout: Layout, steps: tuple[Step, ...], mels: Shape, axes: list[int]) -> None:
    network_input = NetworkInput("mels", layout, steps)
    batch = decibels(6, *mels)
    found = network_input.prepared(batch)
    assert found.shape == (6, *network_input.shape(mels))
    assert found.flags.c_contiguous
    expected = batch
    for step in steps:
        expected = apply(step, expected)
    np.testing.assert_array_equal(found, expected.transpose(axes))


@pytest.mark.parametrize(("layout", "axes"), [("mel_frame", (0, 1, 2)), ("frame_mel", (0, 2, 1))])
def test_a_network_may_have_no_axis_of_channels(layout: Layout, axes: tuple[int, ...]) -> None:
    batch = decibels(6, 1, 4, 5)
    network_input = NetworkInput("mels", layout, "none")
    np.testing.assert_array_equal(network_input.prepared(batch), batch[:, 0].transpose(axes))
    assert network_input.shape((1, 4, 5)) == network_input.prepared(batch).shape[1:]
    with pytest.raises(ConfigError, match="no place for the 2 channels"):
        network_input.shape((2, 4, 5))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((THREE, THREE), "only a single channel can be repeated, the mels have 3"),
        ((Power("power", 0.5),), "`min_max` comes before it"),
    ],
)
def test_steps_that_do_not_fit_are_refused_with_the_card(steps: tuple[Step, ...], message: str) -> None:
    card = tiny_card()
    with pytest.raises(ConfigError, match=message):
        replace(card, input=replace(card.input, before=steps))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Power("power", 0.0), "`exponent` above 0"),
        (lambda: Standardise("standardise", 0.0, -4.569), "`deviation` above 0"),
        (lambda: StandardiseClip("standardise_clip", "sample", 0.0), "`epsilon` above 0"),
        (lambda: Resize("resize", 0, 5, antialias=True), "resized to 0 by 5"),
        (lambda: RepeatChannel("repeat_channel", 1), "repeated 1 times"),
    ],
)
def test_steps_that_mean_nothing_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_steps_are_written_and_read_as_documents() -> None:
    card = replace(tiny_card(), input=NetworkInput("mels", "channel_mel_frame", (MinMax("min_max"), THREE)))
    assert parse(ModelCard, to_mapping(card), "model.yaml") == card
    assert card.fingerprint != replace(card, input=replace(card.input, before=(THREE, MinMax("min_max")))).fingerprint


def test_an_unknown_step_is_named() -> None:
    mapping = to_mapping(tiny_card())
    mapping["input"]["before"] = [{"kind": "min_mox"}]
    with pytest.raises(ConfigError, match="min_mox"):
        parse(ModelCard, mapping, "model.yaml")
