"""Pages of the documentation, done as they say: files are written, commands and lines of Python are run, in order.

* A block of ``sh`` is a script, one of ``console`` shows commands behind ``$`` with what they print; ``python`` is run.
* A block under a line that ends with ```name.ext`:`` is written to that file instead.
* A comment ``<!-- not run: WHY -->`` above a block says why it is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

RUN = ("sh", "console", "python")
"""Languages of blocks that are run."""

_FILE = re.compile(r"`([\w.-]+\.\w+)`:$")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->\s*")
# What is measured, and so another number each time.
_MEASURED = re.compile(r"\d+(?:\.\d+)?(?= s\b|x real time)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        line: where it begins, for messages.
        file: that it is the content of, if the text before it says so.
        not_run: why it is left out; None if it is not.
    """

    language: str
    content: str
    line: int
    file: str | None
    not_run: str | None

    @property
    def is_run(self) -> bool:
        return self.language in RUN and self.file is None and self.not_run is None


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    blocks: list[Block] = []
    text = comment = ""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "inline":
            text, comment = token.content, ""
        elif token.type == "html_block":
            comment = token.content
        elif token.type == "fence":
            file, reason = _FILE.search(text), _NOT_RUN.fullmatch(comment)
            line = token.map[0] + 1 if token.map else 0
            blocks.append(
                Block(token.info, token.content, line, file and file[1], reason and reason[1])  # type: ignore[arg-type]
            )
            text = comment = ""
    return blocks


@dataclass(frozen=True)
class User:
    """Somebody who follows pages.

    Attributes:
        root: stands for ``/`` in the places that pages name.
        folder: where commands are started.
        servers: what pages call the servers of the test, and how they are really called.
        variables: of the environment, beside that of the test.
    """

    root: Path
    folder: Path
    servers: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def places(self) -> dict[str, str]:
        """What pages call a place, and where it is."""
        home = self.root / "home/me"
        folders = {"/media/": f"{self.root}/media/", "/mnt/": f"{self.root}/mnt/", "/home/me": str(home)}
        return {**folders, "~/": f"{home}/", **self.servers}

    def here(self, text: str) -> str:
        """A page's text, with places that are here."""
        for place, real in self.places.items():
            text = text.replace(place, real)
        return text

    def follow(self, page: Path) -> None:
        """Do all that a page says.

        Raises:
            AssertionError: a command fails, or prints something else than the page shows.
        """
        for block in blocks_of(page):
            self.do(block, page.name)

    def do(self, block: Block, page: str) -> None:
        """Do what a block of a page says; raises as ``follow``."""
        where = f"{page}, line {block.line}"
        if block.file:
            (self.folder / block.file).write_text(self.here(block.content))
        elif block.is_run and block.language == "console":
            for command, shown in _dialogue(block.content):
                said = self.run(["sh", "-euc", self.here(command)], f"{where}: {command}")
                _compare(self.here(shown), said, f"{where}: {command}")
        elif block.is_run:
            interpreter = [sys.executable, "-c"] if block.language == "python" else ["sh", "-euc"]
            self.run([*interpreter, self.here(block.content)], where)

    def run(self, command: list[str], where: str) -> str:
        """What a command prints, both streams, with birddask on the path.

        Raises:
            AssertionError: it fails.
        """
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "PATH": path, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{where}\n{ended.stdout}"
        return ended.stdout


def _dialogue(content: str) -> list[tuple[str, str]]:
    """The commands of a console, each with what it prints."""
    parts = re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]
    found = [re.fullmatch(r"((?:.*\\\n)*.*\n)((?:.*\n)*)", part) for part in parts]
    return [(match[1], match[2]) for match in found if match]


def _compare(shown: str, said: str, where: str) -> None:
    """Check that what a page shows was said, line by line; ``...`` stands for lines that are left out."""
    lines = _MEASURED.sub("#", said).splitlines()
    for part in re.split(r"^\.\.\.\n", _MEASURED.sub("#", shown), flags=re.MULTILINE):
        wanted = part.splitlines()
        starts = [start for start in range(len(lines) + 1) if lines[start : start + len(wanted)] == wanted]
        assert starts, f"{where}\nthe page shows:\n{part}it printed:\n{said}"
        lines = lines[starts[0] + len(wanted) :]
