"""What others build on, as text: the public names with their signatures, the commands with their options.

    python -m tests.support.surface

writes it to tests/unit/public.txt, for whoever changes it and means to.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import birddask
from birddask import errors
from birddask.cli.program import app

PINNED = Path(__file__).parents[1] / "unit/public.txt"


def surface() -> str:
    """A name a line; below it what it takes, has and gives, a line each."""
    return "".join(f"{line}\n" for line in (*_names(), *_commands("birddask", typer.main.get_command(app))))


def _names() -> Iterator[str]:
    for name in sorted(birddask.__all__):
        yield f"birddask.{name}"
        thing = getattr(birddask, name)
        yield from _class(thing) if inspect.isclass(thing) else _function(thing)
    for name, error in inspect.getmembers(errors, inspect.isclass):
        yield f"birddask.errors.{name}, a {error.__base__.__name__}"


def _class(thing: type[Any]) -> Iterator[str]:
    for field in dataclasses.fields(thing):
        yield f"    {field.name}: {field.type}{_default(field.default, dataclasses.MISSING)}"
    fields = {field.name for field in dataclasses.fields(thing)}
    for name, member in vars(thing).items():
        if isinstance(member, property) and member.fget:
            yield f"    {name}: {inspect.signature(member.fget).return_annotation}, computed"
        elif inspect.isfunction(member) and not name.startswith("_") and name not in fields:
            yield f"    {name}"
            yield from (f"    {line}" for line in _function(member))


def _function(function: Any) -> Iterator[str]:  # noqa: ANN401 - whatever is public
    signature = inspect.signature(function)
    for each in signature.parameters.values():
        if each.name != "self":
            by_name = "by name only, " if each.kind is each.KEYWORD_ONLY else ""
            yield f"    {by_name}{each.name}: {each.annotation}{_default(each.default, each.empty)}"
    yield f"    -> {signature.return_annotation}"


def _commands(called: str, command: Any) -> Iterator[str]:  # noqa: ANN401 - Typer's, which name no public class
    inner = getattr(command, "commands", {})
    options = [*_options(command)]
    if options or not inner:
        yield called
        yield from options
    for name, each in inner.items():
        yield from _commands(f"{called} {name}", each)


def _options(command: Any) -> Iterator[str]:  # noqa: ANN401
    hints = typing.get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
    for each in command.params:
        if each.name in hints:
            name = ", ".join(each.opts) if each.param_type_name == "option" else each.metavar or each.name.upper()
            default = "" if each.required or each.default is None else f" = {each.default}"
            yield f"    {name}: {_type(hints[each.name])}{default}"


def _type(hint: Any) -> str:  # noqa: ANN401
    """A type as it is written, in the same way by every Python."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return " | ".join(_type(each) for each in typing.get_args(hint))
    if typing.get_args(hint):
        inner = (repr(each) if isinstance(each, str) else _type(each) for each in typing.get_args(hint))
        return f"{getattr(typing.get_origin(hint), '__name__', 'Literal')}[{', '.join(inner)}]"
    return "None" if hint is types.NoneType else str(hint.__name__)


def _default(default: object, missing: object) -> str:
    if default is missing:
        return ""
    return f" = {default.__name__ if inspect.isfunction(default) else repr(default)}"


if __name__ == "__main__":
    PINNED.write_text(surface())
