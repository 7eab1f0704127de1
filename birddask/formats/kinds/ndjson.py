"""An object for each detection, a line each (https://github.com/ndjson/ndjson-spec)."""

from __future__ import annotations

from dataclasses import dataclass

from birddask.detections.query import Columns
from birddask.formats.format import Context, Rows
from birddask.formats.json_object import json_object
from birddask.storage import Folder, spooled


@dataclass(frozen=True)
class JsonLines:
    """An object a line."""

    extension: str = ".ndjson"
    per_recording: bool = False

    def columns(self, context: Context) -> Columns:
        """The line."""
        return {"line": json_object(context)}

    def save(self, rows: Rows, folder: Folder, name: str) -> None:
        """Write the file."""
        with spooled(folder, name) as stream:
            for batch in rows:
                stream.writelines(f"{line}\n".encode() for line in batch["line"].to_pylist())


FORMAT = JsonLines()
