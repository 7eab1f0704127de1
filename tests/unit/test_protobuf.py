"""Bytes that are no message; what messages say is compared with ONNX's own reader in the tests of networks."""

from __future__ import annotations

import pytest

from birddask.models.protobuf import fields


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x08", "it ends in the middle of a number"),
        (b"\x08\x80", "it ends in the middle of a number"),
        (b"\x08" + b"\xff" * 10, "byte 1 begins no number"),
        (b"\xff" * 11, "byte 0 begins no number"),
        (b"\x08\x01\x0b", "byte 3 begins no field"),
        (b"\x0a\x05abc", "a field of 5 bytes ends 2 bytes behind its end"),
        (b"\x09\0\0\0", "a field of 8 bytes ends 5 bytes behind its end"),
        (b"\x0d", "a field of 4 bytes ends 4 bytes behind its end"),
    ],
)
def test_bytes_that_are_no_message(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        list(fields(memoryview(content)))


def test_numbers_end_with_the_tenth_byte() -> None:
    assert list(fields(memoryview(b"\x08" + b"\xff" * 9 + b"\x01"))) == [(1, (1 << 64) - 1)]
