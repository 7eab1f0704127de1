"""Laws of uint8 mels: what comes back is near, in order, and the row's own affair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from birddask.mels.coding import Coding, all_finite

UINT8 = Coding("uint8")
HEADER_BYTES = 8

Array32 = NDArray[np.float32]

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)
# As far as a row's range is a float32; further ones are refused.
MELS = hnp.arrays(np.float32, SHAPES, elements=st.floats(-(2.0**126), 2.0**126, width=32))


@given(MELS)
def test_a_mel_comes_back_within_half_a_step_of_its_row(mels: Array32) -> None:
    stored = UINT8.encode(mels)
    assert stored.dtype == np.uint8
    assert stored.shape == (*mels.shape[:-1], HEADER_BYTES + mels.shape[-1])
    assert all_finite(stored)
    exact = mels.astype(np.float64)
    half_step = np.ptp(exact, axis=-1, keepdims=True) / 255 / 2
    # Steps, and what is made of them, are float32.
    rounding = 4 * np.finfo(np.float32).eps * np.abs(exact).max(axis=-1, keepdims=True)
    smallest = 255 * float(np.finfo(np.float32).tiny)
    assert (np.abs(UINT8.decoded(stored) - exact) <= half_step + rounding + smallest).all()


def test_a_row_of_256_steps_is_exact() -> None:
    mels = np.arange(-3, 253, dtype=np.float32)
    stored = UINT8.encode(mels)
    np.testing.assert_array_equal(stored[HEADER_BYTES:], np.arange(256))
    np.testing.assert_array_equal(UINT8.decoded(stored), mels)


@given(MELS)
# A range of so few of the smallest numbers that a step of it is one of them, or none.
@example(np.arange(381, dtype=np.float32) * np.finfo(np.float32).smallest_subnormal)
def test_the_lowest_of_a_row_comes_back_exactly_and_rows_keep_their_order(mels: Array32) -> None:
    decoded = UINT8.decoded(UINT8.encode(mels))
    np.testing.assert_array_equal(decoded.min(axis=-1), mels.min(axis=-1))
    order = np.argsort(mels, axis=-1, kind="stable")
    assert (np.diff(np.take_along_axis(decoded, order, axis=-1), axis=-1) >= 0).all()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(1, 20))
def test_a_row_of_one_value_is_exact(value: float, frames: int) -> None:
    mels = np.full((2, frames), value, np.float32)
    np.testing.assert_array_equal(UINT8.decoded(UINT8.encode(mels)), mels)


@given(MELS)
def test_a_row_depends_on_nothing_but_itself(mels: Array32) -> None:
    stored = UINT8.encode(mels)
    for row in np.ndindex(mels.shape[:-1]):
        np.testing.assert_array_equal(UINT8.encode(mels[row]), stored[row])
    # Nor on how an array lies in memory; a front end gives some of its mels transposed.
    np.testing.assert_array_equal(UINT8.encode(np.asfortranarray(mels)), stored)
    assert stored.flags.c_contiguous


@given(MELS)
def test_the_bytes_are_read_as_the_store_says(mels: Array32) -> None:
    stored = UINT8.encode(mels)
    for row in np.ndindex(mels.shape[:-1]):
        offset, scale = np.frombuffer(stored[row].tobytes()[:HEADER_BYTES], "<f4")
        by_hand = [np.float32(offset + scale * np.float32(byte)) for byte in stored[row][HEADER_BYTES:]]
        np.testing.assert_array_equal(UINT8.decoded(stored)[row], by_hand)


@given(MELS, st.data(), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_what_is_no_number_is_seen_in_its_clip(mels: Array32, data: st.DataObject, value: float) -> None:
    spoiled = mels.copy()
    place = tuple(data.draw(st.integers(0, side - 1)) for side in mels.shape)
    spoiled[place] = value
    stored = UINT8.encode(spoiled)
    assert not all_finite(stored)
    # Other rows are as they would be without it.
    rows = np.ones(mels.shape[:-1], np.bool_)
    rows[place[:-1]] = False
    np.testing.assert_array_equal(stored[rows], UINT8.encode(mels)[rows])


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(width=32, allow_nan=False))
def test_a_range_is_taken_if_all_of_it_comes_back_finite(first: float, second: float) -> None:
    stored = UINT8.encode(np.array([[first, second]], np.float32))
    with np.errstate(over="ignore", invalid="ignore"):
        assert all_finite(stored) == np.isfinite(UINT8.decoded(stored)).all()
    if abs(first) < 2**126 and abs(second) < 2**126:
        assert all_finite(stored)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 96, 511)])
def test_rows_that_were_never_computed_are_nan(shape: tuple[int, int, int]) -> None:
    blank = np.full(UINT8.stored_shape(shape), UINT8.blank, np.uint8)
    assert not all_finite(blank)
    assert np.isnan(UINT8.decoded(blank)).all()
    assert UINT8.decoded(blank).shape == shape
