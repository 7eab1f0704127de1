"""Folders behind fsspec URLs: listed, read by ranges, written whole; with patience, and no secret in what travels."""

from birddask.storage.filesystem import is_url
from birddask.storage.folder import Folder
from birddask.storage.listing import FoundFile
from birddask.storage.options import Options, to_options
from birddask.storage.places import absolute_url, folder_at, read_file
from birddask.storage.spool import spooled
from birddask.storage.together import in_order

__all__ = [
    "Folder",
    "FoundFile",
    "Options",
    "absolute_url",
    "folder_at",
    "in_order",
    "is_url",
    "read_file",
    "spooled",
    "to_options",
]
