"""Files named for their block, as listings show them: clip tables, parts and embeddings."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from birddask.storage import Folder

BLOCK_FILE = np.dtype([("block", "<i8"), ("size_bytes", "<i8"), ("modified_us", "<i8")])
"""A file of a block; ``modified_us`` is in microseconds since 1970 UTC, -1 where the listing does not say."""

_KEY = re.compile(r"(?:^|/)block-(\d+)\.parquet$")


def block_file_name(block: int) -> str:
    """The name of the files of a block, in whichever folder."""
    return f"block-{block:06d}.parquet"


def block_of(key: str) -> int | None:
    """The number of the block that a file is of; None for any other file."""
    match = _KEY.search(key)
    return int(match[1]) if match else None


def block_files(folder: Folder) -> NDArray[np.void]:
    """For each block that has a file below a folder, that file as a ``BLOCK_FILE``, in order: one listing."""
    found = (
        (block, file.size_bytes, -1 if file.modified_us is None else file.modified_us)
        for file in folder.files()
        if (block := block_of(file.key)) is not None
    )
    files = np.fromiter(found, BLOCK_FILE)
    _, first = np.unique(files["block"], return_index=True)
    return files[first]


def block_numbers(folder: Folder) -> NDArray[np.int64]:
    """The numbers of all blocks that have a file below a folder, int64 (block,), in order: one listing."""
    blocks = (block_of(key) for key in folder.file_keys())
    return np.unique(np.fromiter((block for block in blocks if block is not None), np.int64))
