"""All commands and options, from the program's own objects."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from typing import Any

import typer
from from_classes import table, type_words

from birddask.cli.program import app


def command_sections() -> str:
    """A section a command: what it does, how it is called, its arguments and options, as Markdown."""
    return "\n".join(_section(name, command) for name, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """Each command with its name, as ``birddask models get``."""
    yield from _within("birddask", typer.main.get_command(app))


def _within(name: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer's, which name no public class
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    else:
        for inner_name, each in inner.items():
            yield from _within(f"{name} {inner_name}", each)


def _section(name: str, command: Any) -> str:  # noqa: ANN401
    hints = typing.get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    rows = [_row(parameter, hints[parameter.name]) for parameter in command.params if parameter.name in hints]
    arguments = [_called(each) for each in command.params if each.param_type_name == "argument"]
    usage = " ".join([name, *arguments, *(["[OPTIONS]"] if len(rows) > len(arguments) else [])])
    options = table(("", "value", "default", "meaning"), rows) if rows else ""
    return f"## {name}\n\n{command.help}\n\n`{usage}`\n\n{options}"


def _called(parameter: Any) -> str:  # noqa: ANN401
    if parameter.param_type_name == "option":
        return ", ".join([*parameter.opts, *parameter.secondary_opts])
    called = (parameter.metavar or parameter.name.upper()).strip("[]")
    return called if parameter.required else f"[{called}]"


def _row(parameter: Any, hint: Any) -> tuple[str, str, str, str]:  # noqa: ANN401
    info = hint.__metadata__[0]
    bounds = [f"{word} {edge:g}" for word, edge in (("from", info.min), ("to", info.max)) if edge is not None]
    value = "" if hint.__origin__ is bool else " ".join([type_words(hint).removesuffix(", `null`"), *bounds])
    default = "" if parameter.default in (None, False) else f"`{parameter.default}`"
    return f"`{_called(parameter)}`", value, "needed" if parameter.required else default, parameter.help
