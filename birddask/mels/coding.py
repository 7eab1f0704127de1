"""Mels as a store keeps them, and back; pure.

``uint8`` keeps each row, a mel of a channel of a clip, in steps of its own: offset and scale as two little-endian
float32, then a byte a frame, and a mel is ``offset + scale * byte``. A range for all of a clip, or for all clips, would
be taken up by the loudest mels (docs/design/0006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from birddask.mels.arrays import Array32

Dtype = Literal["uint8", "float16", "float32"]

Stored = NDArray[np.floating] | NDArray[np.uint8]
"""(clip, channel, mel, frame) of the coding's type, or (clip, channel, mel, byte)."""

_HEADER = np.dtype("<f4")
_HEADER_BYTES = 2 * _HEADER.itemsize
_STEPS = 255
# Read as a header, these are NaN: rows never computed are told as in any other store.
_NOTHING = 255
# Every float16, by its bits: looking them up is twice as fast as NumPy's conversion.
_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


@dataclass(frozen=True)
class Coding:
    """How mels are kept.

    Attributes:
        float16_offset: taken off before rounding to float16, see ``MelSpec``.
    """

    dtype: Dtype
    float16_offset: float = 0.0

    @property
    def blank(self) -> float:
        """What fills the place of mels that are not there."""
        return _NOTHING if self.dtype == "uint8" else np.nan

    @property
    def last_axis(self) -> Literal["frame", "byte"]:
        """What the last axis of stored mels counts."""
        return "byte" if self.dtype == "uint8" else "frame"

    @property
    def comment(self) -> str:
        """What whoever opens the array with Zarr alone must know; empty if it holds mels."""
        if self.dtype != "uint8":
            return ""
        return (
            "of each row the first 8 bytes are its offset and its scale, two little-endian float32, "
            "and each further byte is a frame: mel = offset + scale * byte"
        )

    def stored_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The shape of a stored clip.

        Args:
            shape: (channel, mel, frame) of its mels.
        """
        channels, mels, frames = shape
        return channels, mels, frames + (_HEADER_BYTES if self.dtype == "uint8" else 0)

    def stored_bytes(self, shape: tuple[int, int, int]) -> int:
        """Bytes of a stored clip, uncompressed; ``shape`` as above."""
        return math.prod(self.stored_shape(shape)) * np.dtype(self.dtype).itemsize

    def encode(self, mels: Array32) -> Stored:
        """Mels as they are kept; ``all_finite`` tells whether they could be.

        Args:
            mels: float32 (..., frame).

        Returns:
            Of the coding's type. ``float16``: the nearest; too large a value becomes an infinity. ``uint8``: at most
            half a step off, and a row of one value exact; a row with a NaN, an infinity or too wide a range for
            float32 has a header that is not finite.
        """
        if self.dtype == "uint8":
            return _rows(mels)
        with np.errstate(over="ignore"):
            return (mels - self._offset).astype(self.dtype)

    def decode(self, stored: Stored, mels: Array32) -> None:
        """Write stored mels as float32 into ``mels``, which has their shape."""
        if self.dtype == "uint8":
            header = _header(stored)
            np.multiply(stored[..., _HEADER_BYTES:], header[..., 1:], out=mels)
            mels += header[..., :1]
            return
        if stored.dtype == np.float16:
            np.take(_HALVES, stored.view(np.uint16), out=mels, mode="clip")  # the mode that needs no copy
        else:
            mels[:] = stored
        mels += self._offset

    def decoded(self, stored: Stored) -> Array32:
        """Stored mels as float32; NaN where there are none."""
        frames = stored.shape[-1] - (_HEADER_BYTES if self.dtype == "uint8" else 0)
        mels = np.empty((*stored.shape[:-1], frames), np.float32)
        self.decode(stored, mels)
        return mels

    @property
    def _offset(self) -> np.float32:
        return np.float32(self.float16_offset if self.dtype == "float16" else 0)


AS_THEY_ARE = Coding("float32")


def all_finite(stored: Stored) -> bool:
    """Whether there is neither a NaN nor an infinity in stored mels."""
    if stored.dtype == np.uint8:
        header = _header(stored)
        with np.errstate(over="ignore", invalid="ignore"):
            return bool(np.isfinite(header[..., 0] + header[..., 1] * np.float32(_STEPS)).all())
    if stored.dtype != np.float16:
        return bool(np.isfinite(stored).all())
    # NumPy looks at float16 numbers one by one. By their bits without the sign, infinity is 0x7c00 and NaNs are above.
    return not stored.size or int((stored.view(np.uint16) & np.uint16(0x7FFF)).max()) < 0x7C00


def _rows(mels: Array32) -> NDArray[np.uint8]:
    stored = np.empty((*mels.shape[:-1], _HEADER_BYTES + mels.shape[-1]), np.uint8)
    header = np.empty((*mels.shape[:-1], 2), _HEADER)
    with np.errstate(over="ignore", invalid="ignore"):
        lowest, highest = mels.min(axis=-1, keepdims=True), mels.max(axis=-1, keepdims=True)
        scale = (highest - lowest) / np.float32(_STEPS)
        # Shares of a range that has hardly any float32 in it can't be told: such a row is one value.
        scale[scale < np.finfo(np.float32).tiny] = 0
        steps = np.divide(mels - lowest, scale, out=np.zeros_like(mels), where=scale > 0)
        header[..., :1], header[..., 1:] = lowest, scale
        stored[..., :_HEADER_BYTES] = header.view(np.uint8)
        stored[..., _HEADER_BYTES:] = np.rint(steps, out=steps)
    return stored


def _header(stored: Stored) -> Array32:
    """Offset and scale of each row: (..., 2)."""
    return np.ascontiguousarray(stored[..., :_HEADER_BYTES]).view(_HEADER)
