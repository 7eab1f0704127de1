"""Directives whose content is made from the code, so that it is never out of date."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from docutils import nodes
from from_classes import column_table, key_table, word_table
from from_program import command_sections
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def _named(place: str) -> Any:  # noqa: ANN401 - a class or a mapping
    """What stands in a module, given as ``package.module:name``."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


_MAKERS: Mapping[str, Callable[[str], str]] = {
    "words": lambda place: word_table(_named(place)),
    "keys": lambda place: key_table(_named(place)),
    "columns": column_table,
    "commands": lambda _: command_sections(),
}


class FromCode(SphinxDirective):
    """Markdown that is made from what the argument names, read in the place of the directive."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make it."""
        made = _MAKERS[self.name](*self.arguments or [""])
        return self.parse_text_to_nodes(made, allow_section_headings=True)


def setup(app: Sphinx) -> Mapping[str, object]:
    """Called by Sphinx."""
    for name in _MAKERS:
        app.add_directive(name, FromCode)
    return {"parallel_read_safe": True}
