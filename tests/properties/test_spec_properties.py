"""The contract between stores and models: any single change of a mel spec is another spec, and is refused by name."""

from __future__ import annotations

import copy
import dataclasses
import functools
import types
import typing
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Literal, TypeVar, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birddask.documents import to_mapping
from birddask.errors import ConfigError
from birddask.mels.axes import Crop, LinearAxis, MelFilterbank, StoredArray
from birddask.mels.scales import (
    Decibels,
    Gain,
    Log1p,
    NaturalLog,
    Pcen,
    Peak,
    PowerLaw,
    SquaredPower,
    Unscaled,
)
from birddask.mels.spec import MelSpec, Padded, require_same
from tests.support.models import tiny_spec

T = TypeVar("T")

# Of every kind of document that a mel spec can hold; the first of a kind is changed in the tests.
EXAMPLES = (
    tiny_spec(),
    tiny_spec().clip,
    tiny_spec(4000).clip,
    tiny_spec().channels[0],
    Padded(160, 160),
    MelFilterbank("htk", "none", 16, 100.0, 4000.0),
    LinearAxis("linear", 0.0, 4000.0),
    StoredArray("window", "a" * 64),
    Crop(0, 16, 0, 60),
    Peak("peak", 0.25, subtract_mean=True),
    Gain("gain", 2.0**31),
    SquaredPower("squared_power", 0.25),
    PowerLaw("power_law", 0.5),
    Decibels("decibels", 1e-10, 1.0, 80.0),
    NaturalLog("natural_log", 1e-5, 0.1),
    Log1p("log1p", 0.5, -0.8),
    Pcen("pcen", 0.8, 10.0, 0.25, 0.06, 1e-6),
    Unscaled("none"),
)


@dataclass(frozen=True)
class Place:
    """A field of a document somewhere in a spec, and the way to it from the spec."""

    document: type
    field: str


def kinds(hint: object) -> list[Any]:
    """The types that a field may have, unions taken apart."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return kinds(typing.get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return [kind for each in typing.get_args(hint) for kind in kinds(each)]
    return [hint]


def documents_in(hint: object) -> list[type]:
    found = []
    for kind in kinds(hint):
        if is_dataclass(kind):
            found.append(typing.cast("type", kind))
        for argument in typing.get_args(kind) if typing.get_origin(kind) is tuple else ():
            found += documents_in(argument)
    return found


@functools.cache
def hints_of(document: type) -> dict[str, Any]:
    return typing.get_type_hints(document, include_extras=True)


def reachable(document: type) -> set[type]:
    found, left = set[type](), [document]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += [inner for hint in hints_of(each).values() for inner in documents_in(hint)]
    return found


PLACES = sorted(
    (Place(document, field.name) for document in reachable(MelSpec) for field in dataclasses.fields(document)),
    key=lambda place: (place.document.__name__, place.field),
)


def test_there_is_an_example_of_every_document_in_a_spec() -> None:
    assert {type(example) for example in EXAMPLES} == reachable(MelSpec)


def values_of(hint: object) -> st.SearchStrategy[Any]:
    """Any value of a field's type; documents are taken from the examples."""
    return st.one_of([_values_of_kind(kind) for kind in kinds(hint)])


def _values_of_kind(kind: object) -> st.SearchStrategy[Any]:
    if typing.get_origin(kind) is Literal:
        return st.sampled_from(typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return st.lists(values_of(typing.get_args(kind)[0]), min_size=1, max_size=2).map(tuple)
    if is_dataclass(kind):
        return st.sampled_from([example for example in EXAMPLES if type(example) is kind])
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    return st.from_type(kind)


def unchecked(document: T, **changes: object) -> T:
    """A document with other values, even such as it would refuse."""
    changed = copy.copy(document)
    for name, value in changes.items():
        object.__setattr__(changed, name, value)
    return changed


def spec_with(document: object) -> MelSpec:
    """A spec that holds a document, where it belongs."""
    spec = tiny_spec()
    if isinstance(document, MelSpec):
        return document
    for owner, put in (
        (spec, lambda each: each),
        (spec.channels[0], lambda each: unchecked(spec, channels=(each,))),
    ):
        for name, hint in hints_of(type(owner)).items():
            if type(document) in kinds(hint):
                return put(unchecked(owner, **{name: document}))
    return unchecked(spec, channels=(document,))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.document.__name__}.{place.field}")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_change_of_any_field_is_another_fingerprint_and_is_refused_by_name(place: Place, data: st.DataObject) -> None:
    example = next(each for each in EXAMPLES if type(each) is place.document)
    hint = hints_of(place.document)[place.field]
    old = getattr(example, place.field)
    if typing.get_args(hint) and all(argument == old for argument in typing.get_args(hint)):
        return  # a `kind`: another one is another document, and changes the field that holds it
    new = data.draw(values_of(hint).filter(lambda value: to_plain(value) != to_plain(old)))
    ours = spec_with(example)
    theirs = spec_with(unchecked(example, **{place.field: new}))

    assert ours.fingerprint != theirs.fingerprint
    with pytest.raises(ConfigError, match=rf"holds other mels than the model eats(.|\n)*{place.field}"):
        require_same(ours, theirs, "the store")


def to_plain(value: object) -> object:
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    return to_mapping(value) if is_dataclass(value) and not isinstance(value, type) else value
