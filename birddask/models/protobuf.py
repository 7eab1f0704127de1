"""Protocol Buffers' wire format, read field by field: enough to look into an ONNX file before anything runs it.

Source of the format: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED_64: 8, _FIXED_32: 4}
_LONGEST_VARINT_BYTES = 10
_BITS = 64

Field = tuple[int, int | memoryview]
"""Number and value: an integer from 0 to 2**64 - 1, or the bytes of anything else."""


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in the order of the file.

    Raises:
        ValueError: the bytes are no message, or end in the middle of a field.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in _FIXED_SIZES:
            size = _FIXED_SIZES[kind]
        else:
            raise ValueError(f"byte {at} begins no field")
        if size > len(message) - at:
            raise ValueError(f"a field of {size} bytes ends {size - (len(message) - at)} bytes behind its end")
        yield number, message[at : at + size]
        at += size


def messages(message: memoryview, *numbers: int) -> Iterator[memoryview]:
    """The fields of some numbers, as messages of their own; those with a value of another kind are left out."""
    for number, value in fields(message):
        if number in numbers and isinstance(value, memoryview):
            yield value


def joined(message: memoryview, number: int) -> memoryview:
    """A field that stands once; where a file has it several times they count as one, as the format demands."""
    found = list(messages(message, number))
    return found[0] if len(found) == 1 else memoryview(b"".join(found))


def text(message: memoryview, number: int) -> str:
    """A field of text, the last one if there are several, empty if there is none."""
    found = b""
    for value in messages(message, number):
        found = bytes(value)
    return found.decode(errors="replace")


def whole_number(message: memoryview, number: int) -> int:
    """A field with a signed integer, the last one if there are several, 0 if there is none."""
    found = 0
    for each, value in fields(message):
        if each == number and isinstance(value, int):
            found = value
    return found - (1 << _BITS) if found >> (_BITS - 1) else found


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    value = 0
    for index in range(_LONGEST_VARINT_BYTES):
        if at + index >= len(message):
            raise ValueError("it ends in the middle of a number")
        byte = message[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & ((1 << _BITS) - 1), at + index + 1
    raise ValueError(f"byte {at} begins no number")
