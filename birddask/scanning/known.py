"""The files that earlier scans found, in some 100 bytes each, so that a million of them fit beside anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.outputs import Scans
from birddask.recordings.inspect import row_path
from birddask.recordings.recording import Recording
from birddask.storage import FoundFile
from birddask.table.scans import Seen, read_recordings, read_rule_fingerprint, read_seen

_DIGEST_BYTES = 16
_ROWS = np.dtype(
    [
        ("path", f"S{_DIGEST_BYTES}"),
        ("head", f"S{_DIGEST_BYTES}"),
        ("size_bytes", "i8"),
        ("modified_us", "i8"),
        ("table", "i4"),
        ("row", "i4"),
        ("ignored", "?"),
    ]
)
_IDENTITIES = np.dtype([("identity", f"S{_DIGEST_BYTES}"), ("table", "i4"), ("row", "i4")])
_NOT_KNOWN = -1


@dataclass(frozen=True, slots=True)
class Position:
    """Where the row of a file stands: which table, and which row of it."""

    table: int
    row: int


class Known:
    """The rows of earlier scans, by path; superseded rows are left out.

    Attributes:
        scans: all tables; each is read once.
        rules: the fingerprint of the rule of each table.
        identities: by which copies of the usable recordings are suspected, see ``identities_of``.
        superseded: whether there is a superseded row.
    """

    def __init__(self, scans: Scans) -> None:
        self.scans = scans
        self.rules: list[str] = []
        self.superseded = False
        rows, identities = [np.empty(0, _ROWS)], [np.empty(0, _IDENTITIES)]
        for number in range(scans.tables):
            content = scans.content(number)
            seen = read_seen(content)
            self.rules.append(read_rule_fingerprint(content))
            self.superseded = self.superseded or any(each.superseded for each in seen)
            packed = [_packed(each, number, row) for row, each in enumerate(seen) if not each.superseded]
            rows.append(np.array(packed, _ROWS))
            identities.append(identities_of(seen, number))
        self.identities: NDArray[np.void] = np.concatenate(identities)
        self._rows: NDArray[np.void] = np.concatenate(rows)
        self._rows.sort(order="path")
        self._listed = np.zeros(len(self._rows), np.bool_)

    def look_up(self, files: Sequence[FoundFile]) -> NDArray[np.intp]:
        """For each file of a listing the handle of its row, -1 where it has none; they count as listed from now on."""
        wanted = np.array([_digest(row_path(file.key)) for file in files], _ROWS["path"])
        if not len(self._rows):
            return np.full(len(wanted), _NOT_KNOWN, np.intp)
        places = np.searchsorted(self._rows["path"], wanted)
        places[places == len(self._rows)] = 0
        found = self._rows["path"][places] == wanted
        self._listed[places[found]] = True
        return np.where(found, places, _NOT_KNOWN)

    def may_differ(self, handle: int, file: FoundFile) -> bool:
        """Whether a file may have changed since its row was written, or could not be opened then."""
        row = self._rows[handle]
        if row["ignored"]:
            return False
        if row["size_bytes"] != file.size_bytes or (file.size_bytes and not row["head"]):
            return True
        return file.modified_us is not None and row["modified_us"] != file.modified_us

    def differs(self, handle: int, size_bytes: int, head_digest: str) -> bool:
        """Whether a file that was looked into has changed since its row was written."""
        row = self._rows[handle]
        return bool(row["size_bytes"] != size_bytes or row["head"] != np.bytes_(bytes.fromhex(head_digest)))

    def position(self, handle: int) -> Position:
        """Where a row stands."""
        return Position(int(self._rows["table"][handle]), int(self._rows["row"][handle]))

    def positions(self, handles: Sequence[int]) -> list[Position]:
        """Where rows stand, in order."""
        return _in_order(self._rows[list(handles)])

    def vanished(self) -> list[Position]:
        """The rows of recordings that were not listed, in order."""
        return _in_order(self._rows[~self._listed & ~self._rows["ignored"]])


def _in_order(rows: NDArray[np.void]) -> list[Position]:
    ordered = np.sort(rows, order=["table", "row"])
    return [Position(int(row["table"]), int(row["row"])) for row in ordered]


def recordings_at(scans: Scans, positions: Sequence[Position]) -> Iterator[Recording]:
    """The recordings at some positions that are in order."""
    table, rows = _NOT_KNOWN, list[Recording]()
    for position in positions:
        if position.table != table:
            table, rows = position.table, read_recordings(scans.content(position.table))
        yield rows[position.row]


def identities_of(rows: Iterable[Seen], table: int) -> NDArray[np.void]:
    """For each usable row of a table its identity, the table, and the place of the row."""
    found = [
        (identity(seen), table, row) for row, seen in enumerate(rows) if seen.status == "usable" and not seen.superseded
    ]
    return np.array(found, _IDENTITIES)


def identity(seen: Seen) -> bytes:
    """What a recording and its copies have in common: size, first bytes, start time and recorder, as 16 bytes."""
    return _digest(f"{seen.head_digest} {seen.start_time_us} {seen.recorder}")


def padded(stored: bytes) -> bytes:
    """An identity as it was: NumPy cuts zero bytes off the end."""
    return stored.ljust(_DIGEST_BYTES, b"\0")


def _packed(seen: Seen, table: int, row: int) -> tuple[object, ...]:
    return (
        _digest(seen.path),
        bytes.fromhex(seen.head_digest),
        seen.size_bytes,
        _NOT_KNOWN if seen.modified_us is None else seen.modified_us,
        table,
        row,
        seen.status == "ignored",
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
