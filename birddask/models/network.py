"""What an ONNX file says of itself, and what no such file may do: read before any runtime sees it.

Numbers of fields are those of onnx.proto, ONNX 1.23; the package ``onnx`` is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from birddask.errors import ModelError
from birddask.models.protobuf import fields, joined, messages, text, whole_number

# What every ONNX Runtime has: the standard, and its own (its quantiser writes those).
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
# Scores must not depend on chance.
_RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
# Networks hold networks (loops, branches), a few deep at most.
_DEEPEST = 16
_NAMED = 5

_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 8: "text", 9: "bool", 10: "float16"} | {
    11: "float64",
    16: "bfloat16",
}
_NO_TENSOR = "no tensor"
_EXTERNAL = 1

_OTHER_FILES = {
    b"version https://git-lfs": "a pointer of Git LFS; `git lfs pull` brings the file itself",
    b"PK\x03\x04": "a zip file, as PyTorch and Keras save; export it to ONNX in your training code",
    b"\x89HDF": "an HDF5 file, as Keras saves; convert it to ONNX",
}


@dataclass(frozen=True)
class Value:
    """An input or an output of a network.

    Attributes:
        type: of its numbers, as NumPy names it.
        shape: its sides, the axis of clips first, None for a side that the file leaves open; None if it says nothing.
    """

    name: str
    type: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        sides = "of unknown shape" if self.shape is None else f"({', '.join(map(_side, self.shape))})"
        return f"{self.name} {sides} {self.type}"


@dataclass(frozen=True)
class Network:
    """A network by its ends.

    Attributes:
        inputs: those that have no value of their own.
        makers: the operator that makes each output.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    makers: Mapping[str, str]


def look_into(content: bytes, what: str) -> Network:
    """The ends of the network in an ONNX file.

    Args:
        content: of the file.
        what: it is, for messages.

    Raises:
        ModelError: it is no ONNX file or a part of one, keeps weights in other files, has operators that are not of
            ONNX, functions of its own or an operator that draws random numbers.
    """
    _refuse_other_files(content, what)
    model = memoryview(content)
    try:
        _refuse_functions(model, what)
        graph = joined(model, 7)
        _refuse_operators(graph, what)
        network = _ends(graph)
    except ValueError as error:
        raise ModelError(
            f"{what} is not an ONNX file, or only a part of one ({len(content)} bytes): {error}; "
            "export it or copy it again"
        ) from error
    if not network.outputs:
        raise ModelError(f"{what} is not an ONNX file: there is no network in it; export it or copy it again")
    return network


def _refuse_other_files(content: bytes, what: str) -> None:
    if not content:
        raise ModelError(f"{what} is empty: export or copy it again")
    for beginning, kind in _OTHER_FILES.items():
        if content.startswith(beginning):
            raise ModelError(f"{what} is no ONNX file but {kind}")


def _refuse_functions(model: memoryview, what: str) -> None:
    found = [f"{text(function, 10)}.{text(function, 1)}" for function in messages(model, 25)]
    if found:
        raise ModelError(
            f"{what} has functions of its own ({_some(found)}); write them out with "
            "onnx.inliner.inline_local_functions of the package onnx"
        )


def _refuse_operators(graph: memoryview, what: str) -> None:
    """Raise ModelError if a node or a stored tensor is of a kind that may not be, in networks inside it too."""
    elsewhere, foreign, random = list[str](), list[str](), list[str]()
    for part in _graphs(graph, 0):
        elsewhere += [_place(tensor) for tensor in _tensors(part) if _is_elsewhere(tensor)]
        for node in messages(part, 1):
            kind, domain = text(node, 4), text(node, 7)
            if domain not in _DOMAINS:
                foreign.append(f"{domain}.{kind}")
            elif kind in _RANDOM:
                random.append(kind)
    if elsewhere:
        raise ModelError(
            f"{what} keeps weights in other files ({_some(elsewhere)}), and only the file itself is read; "
            "export it with external_data=False, or write one file with onnx.save(onnx.load(FILE), ONE_FILE)"
        )
    if foreign:
        raise ModelError(
            f"{what} needs operators that are not of ONNX ({_some(foreign)}); export it with standard "
            "operators only, or without the part that needs them"
        )
    if random:
        raise ModelError(
            f"{what} draws random numbers ({_some(random)}), so that scores would depend on chance; call "
            "model.eval() before you export"
        )


def _graphs(graph: memoryview, depth: int) -> Iterator[memoryview]:
    if depth > _DEEPEST:
        raise ValueError(f"it holds networks in networks, more than {_DEEPEST} deep")
    yield graph
    for attribute in _attributes(graph):
        for inner in messages(attribute, 6, 11):
            yield from _graphs(inner, depth + 1)


def _attributes(graph: memoryview) -> Iterator[memoryview]:
    for node in messages(graph, 1):
        yield from messages(node, 5)


def _tensors(graph: memoryview) -> Iterator[memoryview]:
    yield from messages(graph, 5)
    sparse = list(messages(graph, 15))
    for attribute in _attributes(graph):
        yield from messages(attribute, 5, 10)
        sparse += messages(attribute, 22, 23)
    for tensor in sparse:
        yield from messages(tensor, 1, 2)


def _is_elsewhere(tensor: memoryview) -> bool:
    return whole_number(tensor, 14) == _EXTERNAL or any(number == 13 for number, _ in fields(tensor))


def _place(tensor: memoryview) -> str:
    places = [text(entry, 2) for entry in messages(tensor, 13) if text(entry, 1) == "location"]
    return places[-1] if places else "a file without a name"


def _ends(graph: memoryview) -> Network:
    stored = {text(tensor, 8) for tensor in messages(graph, 5)}
    makers = {
        bytes(name).decode(errors="replace"): text(node, 4) for node in messages(graph, 1) for name in messages(node, 2)
    }
    inputs = tuple(value for value in map(_value, messages(graph, 11)) if value.name not in stored)
    outputs = tuple(map(_value, messages(graph, 12)))
    return Network(inputs, outputs, {value.name: makers[value.name] for value in outputs if value.name in makers})


def _value(info: memoryview) -> Value:
    tensors = list(messages(joined(info, 2), 1))
    if not tensors:
        return Value(text(info, 1), _NO_TENSOR, None)
    tensor = memoryview(b"".join(tensors))
    code = whole_number(tensor, 1)
    sides = [whole_number(side, 1) for side in messages(joined(tensor, 2), 1)]
    says = any(number == 2 for number, _ in fields(tensor))
    shape = tuple(side if side > 0 else None for side in sides) if says else None
    return Value(text(info, 1), _TYPES.get(code, f"type {code}"), shape)


def _side(side: int | None) -> str:
    return "any" if side is None else str(side)


def _some(names: Iterable[str]) -> str:
    """Some different names of many."""
    different = list(dict.fromkeys(names))
    more = len(different) - _NAMED
    return ", ".join(different[:_NAMED]) + (f" and {more} more" if more > 0 else "")
