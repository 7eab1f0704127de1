"""What a format is: columns made of detections, and a way to write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from birddask.detections.found import Found
from birddask.detections.query import Columns
from birddask.storage import Folder

Rows = Iterator[pa.RecordBatch]
"""The columns of a format, ordered by site, recording, start and label; at least one batch, perhaps without rows."""


@dataclass(frozen=True)
class Context:
    """What a format may tell beside the detections.

    Attributes:
        archive: path or URL of the recordings.
        model: the folder of the results.
        title: of the model, for people.
        heard_rate_hz: sample rate that the model hears.
    """

    archive: str
    model: str
    title: str
    heard_rate_hz: int

    @classmethod
    def of(cls, found: Found, archive: Folder) -> Context:
        """The context of some results."""
        return cls(archive.url.rstrip("/"), found.name, found.title, found.clip.sample_rate_hz)


class Format(Protocol):
    """One kind of output."""

    @property
    def extension(self) -> str:
        """Of the file, or of the file of each recording."""
        ...

    @property
    def per_recording(self) -> bool:
        """Whether there is one file for each recording rather than one for all."""
        ...

    def columns(self, context: Context) -> Columns:
        """The columns that it needs, in the SQL of ``birddask.detections.steps``."""
        ...

    def save(self, rows: Rows, folder: Folder, name: str) -> None:
        """Write rows to a file, or into a folder, of this name; nobody sees half a file."""
        ...


def literal(words: str) -> str:
    """A text as SQL."""
    return "'" + words.replace("'", "''") + "'"


def place(context: Context) -> str:
    """SQL for where a recording lies."""
    return f"{literal(context.archive + '/')} || recording"
