"""Padding of images, and how often a window fits on them; pure. Sizes, windows and strides are (height, width)."""

from __future__ import annotations

Size = tuple[int, int]
"""Height and width, in pixels."""
Pads = tuple[int, int, int, int]
"""Top, left, bottom, right, in pixels, as ONNX orders them."""

NO_PADS: Pads = (0, 0, 0, 0)


def same_pads(size: Size, window: Size, strides: Size) -> Pads:
    """TensorFlow's SAME padding: the odd pixel goes to the bottom and the right."""
    before, after = [], []
    for pixels, width, stride in zip(size, window, strides, strict=True):
        total = max((-(-pixels // stride) - 1) * stride + width - pixels, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before[0], before[1], after[0], after[1]


def sum_of(first: Pads, second: Pads) -> Pads:
    """Both, one around the other."""
    return first[0] + second[0], first[1] + second[1], first[2] + second[2], first[3] + second[3]


def padded(size: Size, pads: Pads) -> Size:
    """The size with its padding."""
    return size[0] + pads[0] + pads[2], size[1] + pads[1] + pads[3]


def positions(size: Size, window: Size, strides: Size) -> Size:
    """How many positions a window has, down and across."""
    return (size[0] - window[0]) // strides[0] + 1, (size[1] - window[1]) // strides[1] + 1
