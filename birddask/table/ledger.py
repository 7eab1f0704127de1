"""The ledger of a store: how many clips of each block came to what, so that no clip table is read twice.

A cache. An entry holds as long as a listing shows the clip table with the size and time that the entry has; without a
ledger, or with a damaged one, all clip tables are read.
"""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
from numpy.typing import NDArray

from birddask.table.block_files import BLOCK_FILE

ENTRY = np.dtype([*BLOCK_FILE.descr, ("ok", "<i4"), ("silent", "<i4"), ("quarantined", "<i4")])
"""A clip table as a listing shows it, and its clips by status."""

_DIGEST_BYTES = 32
_FORMAT = b"birddask 1"
# Times are shown in steps of up to two seconds, and where storage is many machines their clocks differ a little.
_STEP_US = 3_000_000


def ledger_file(entries: NDArray[np.void]) -> bytes:
    """Entries as a file: a digest, then the compressed rows."""
    content = zlib.compress(entries.tobytes(), level=1)
    return _digest(content) + content


def read_ledger(content: bytes) -> NDArray[np.void]:
    """The entries of a file, ordered by block; none if it is damaged or of another version."""
    rows = content[_DIGEST_BYTES:]
    if content[:_DIGEST_BYTES] != _digest(rows):
        return np.empty(0, ENTRY)
    return np.frombuffer(zlib.decompress(rows), ENTRY)


def look_up(ledger: NDArray[np.void], files: NDArray[np.void]) -> tuple[NDArray[np.void], NDArray[np.bool_]]:
    """An entry for each file of a listing, and whether the ledger knew it; the counts of the others are zero."""
    entries = np.zeros(len(files), ENTRY)
    for name in BLOCK_FILE.names or ():
        entries[name] = files[name]
    known = np.zeros(len(files), np.bool_)
    if len(ledger):
        places = np.searchsorted(ledger["block"], files["block"]) % len(ledger)
        found = ledger[places]
        known = np.logical_and.reduce([found[name] == files[name] for name in BLOCK_FILE.names or ()])
        entries[known] = found[known]
    return entries, known


def settled(entries: NDArray[np.void]) -> NDArray[np.void]:
    """Those of the entries of a listing that a ledger may hold: no later change of their file can go unnoticed.

    None where the listing shows no time, for a clip table that was written again may be as long as before. And none as
    young as the youngest one, by which the storage's own clock is known: it may be written again within the same step.
    """
    modified_us = entries["modified_us"]
    lasting: NDArray[np.void] = entries[(modified_us >= 0) & (modified_us < modified_us.max(initial=0) - _STEP_US)]
    return lasting


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES, person=_FORMAT).digest()
