"""A file a block, in the folders of its site and month, on a disk, a NAS or in a bucket."""

from __future__ import annotations

from dataclasses import dataclass

from birddask.detections.found import Part
from birddask.detections.query import Columns
from birddask.formats.format import Context, Format, Rows
from birddask.outputs import Scans
from birddask.storage import Folder


@dataclass(frozen=True)
class Files:
    """Files in a format below a folder; the file of a block that comes again is replaced."""

    folder: Folder
    format: Format

    def columns(self, context: Context) -> Columns:
        """The columns of the format."""
        return self.format.columns(context)

    def know(self, scans: Scans) -> None:
        """Recordings are not told."""

    def take(self, _model: str, part: Part, rows: Rows) -> None:
        """Write the file of a block."""
        self.format.save(rows, self.folder, part.key.removesuffix(".parquet") + self.format.extension)
