"""Folders behind fsspec URLs."""

from birddask.storage.folder import Folder, absolute_url, folder_at, is_url
from birddask.storage.listing import FoundFile
from birddask.storage.options import Options, to_options

__all__ = ["Folder", "FoundFile", "Options", "absolute_url", "folder_at", "is_url", "to_options"]
