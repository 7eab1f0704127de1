"""The same recording copied twice: recognised by its content, and used once.

Two files are looked at as copies if size, first bytes, start time and recorder are the same; they are copies if all
bytes are. A recording of nothing but zeros is never taken for a copy: dead microphones all sound alike.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from birddask.engine import Control, Failed, run_tasks
from birddask.errors import BirddaskError
from birddask.outputs import Scans
from birddask.recordings.recording import Recording, Scanned
from birddask.scanning.known import Known, Position, identities_of, identity, padded, recordings_at
from birddask.storage import Folder
from birddask.table.scans import Seen

_DIGEST_BYTES = 16
_PIECE_BYTES = 8 << 20


class Copies:
    """Recognises copies of earlier recordings, table after table."""

    def __init__(self, archive: Folder, known: Known, control: Control) -> None:
        self._archive = archive
        self._control = control
        self._earlier = known.identities

    def marked(self, scans: Scans, rows: Sequence[Scanned]) -> list[Scanned]:
        """The rows of the next table, with copies ignored as ``duplicate``; later calls know these rows too."""
        marked = list(rows)
        suspects = self._suspects(scans, rows)
        digests = self._digests([suspect.recording for suspect in suspects])
        first: dict[tuple[bytes, str], str] = {}
        for suspect, digest in zip(suspects, digests, strict=True):
            if digest is None:
                continue
            original = first.setdefault((suspect.identity, digest), suspect.recording.path)
            if suspect.row is not None and original != suspect.recording.path:
                marked[suspect.row] = _as_duplicate(rows[suspect.row], original)
        added = identities_of([_seen(row) for row in marked], scans.tables)
        self._earlier = np.concatenate([self._earlier, added])
        return marked

    def _suspects(self, scans: Scans, rows: Sequence[Scanned]) -> list[_Suspect]:
        """Recordings of which there may be two, earlier ones first, then new ones in their order."""
        by_identity: dict[bytes, list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            if row.recording.status == "usable":
                by_identity[identity(_seen(row))].append(index)
        wanted = np.array(list(by_identity), self._earlier["identity"].dtype)
        before = self._earlier[np.isin(self._earlier["identity"], wanted)]
        before.sort(order=["table", "row"])
        positions = [Position(int(each["table"]), int(each["row"])) for each in before]
        earlier = [
            _Suspect(padded(each["identity"]), recording, None)
            for each, recording in zip(before, recordings_at(scans, positions), strict=True)
        ]
        known = {suspect.identity for suspect in earlier}
        new = [
            _Suspect(shared, rows[index].recording, index)
            for shared, indexes in by_identity.items()
            if len(indexes) > 1 or shared in known
            for index in indexes
        ]
        return earlier + new

    def _digests(self, recordings: Sequence[Recording]) -> Iterable[str | None]:
        if not recordings:
            return []
        task = functools.partial(_numbered_digest, self._archive)
        digests: dict[int, str | None] = {}
        for outcome in run_tasks(self._control, "compare", task, map(_Numbered, itertools.count(), recordings)):
            if isinstance(outcome, Failed):
                raise BirddaskError(f"{outcome.item} can't be compared with its copy: {outcome.message}")
            digests[outcome.item.number] = outcome.result
        return [digests[number] for number in range(len(recordings))]


@dataclass(frozen=True)
class _Suspect:
    """A recording that may be a copy, or have one; ``row`` is its place among the new ones."""

    identity: bytes
    recording: Recording
    row: int | None


@dataclass(frozen=True)
class _Numbered:
    number: int
    recording: Recording

    def __str__(self) -> str:
        return self.recording.path


def content_digest(archive: Folder, recording: Recording) -> str | None:
    """A digest of all bytes of a file; None if it has gone, changed, or holds no sound to recognise it by.

    Raises:
        TransientStorageError: storage failed in a way that may pass.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    sounding = False
    try:
        for start in range(0, recording.size_bytes, _PIECE_BYTES):
            end = min(start + _PIECE_BYTES, recording.size_bytes)
            piece = archive.read_range(recording.path, start, end)
            if len(piece) != end - start:
                return None
            sounding = sounding or bool(piece[max(recording.data_offset_bytes - start, 0) :].strip(b"\0"))
            digest.update(piece)
    except FileNotFoundError:
        return None
    return digest.hexdigest() if sounding else None


def _numbered_digest(archive: Folder, numbered: _Numbered) -> str | None:
    return content_digest(archive, numbered.recording)


def _as_duplicate(row: Scanned, original: str) -> Scanned:
    recording = replace(row.recording, status="ignored", reason="duplicate")
    return Scanned(recording, replace(row.about, duplicate_of=original))


def _seen(row: Scanned) -> Seen:
    recording, about = row.recording, row.about
    return Seen(
        recording.path,
        recording.size_bytes,
        about.modified_us,
        about.head_digest,
        recording.status,
        recording.recorder,
        recording.start_time_us,
        recording.superseded,
    )
