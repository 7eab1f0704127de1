from __future__ import annotations

import onnx
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from birddask.errors import ModelError
from birddask.models.network import Value, look_into
from tests.support.models import linear_network

WHOLE = linear_network(3, (1, 2, 3))
TYPES = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.INT64: "int64"}

names = st.text(min_size=1, max_size=12)
sides = st.lists(st.one_of(st.integers(1, 1 << 40), st.just("any"), st.none()), max_size=5)
values = st.tuples(st.sampled_from(list(TYPES)), st.one_of(st.none(), sides))


def expected(info: onnx.ValueInfoProto) -> Value:
    """As the package onnx reads it."""
    tensor = info.type.tensor_type
    shape = tuple(side.dim_value or None for side in tensor.shape.dim) if tensor.HasField("shape") else None
    return Value(info.name, TYPES[tensor.elem_type], shape)


@given(st.dictionaries(names, values, max_size=4), st.dictionaries(names, values, min_size=1, max_size=4))
def test_ends_are_those_that_the_package_onnx_reads(
    inputs: dict[str, tuple[int, list[int | str | None] | None]],
    outputs: dict[str, tuple[int, list[int | str | None] | None]],
) -> None:
    ends = [
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in some.items()]
        for some in (inputs, outputs)
    ]
    model = helper.make_model(helper.make_graph([], "nothing", *ends))
    found = look_into(model.SerializeToString(), "it")
    read = onnx.load_from_string(model.SerializeToString()).graph
    assert found.inputs == tuple(map(expected, read.input))
    assert found.outputs == tuple(map(expected, read.output))


@given(st.integers(0, len(WHOLE) - 1))
def test_a_part_of_a_file_is_refused_or_has_the_whole_network(size: int) -> None:
    try:
        found = look_into(WHOLE[:size], "it")
    except ModelError as error:
        assert str(error).startswith("it is ")  # noqa: PT017 - either may happen
    else:
        assert found == look_into(WHOLE, "it")


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_spoilt_file_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    spoilt = bytearray(WHOLE)
    for place, byte in changes:
        spoilt[place] = byte
    refused_or_read(bytes(spoilt))


@given(st.binary(max_size=200))
@example(b"\x3a" + b"\xff" * 9 + b"\x01")
@example(b"\x3a\x80")
@example(b"\x0b\x0c")
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    refused_or_read(content)


def refused_or_read(content: bytes) -> None:
    try:
        look_into(content, "it")
    except ModelError as error:
        assert str(error).startswith("it ")  # noqa: PT017 - either may happen
