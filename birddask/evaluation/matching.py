"""Which recordings of an output are meant by what annotations call them."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from birddask.evaluation.names import in_one_line
from birddask.plan import microseconds
from birddask.recordings.recording import Recording


@dataclass(frozen=True)
class Matched:
    """Annotated names of recordings, and what they mean.

    Attributes:
        recordings: by the name in the annotations.
        missing: names that no usable recording answers to.
        ambiguous: names that several recordings answer to equally well.
    """

    recordings: Mapping[str, Recording]
    missing: Sequence[str]
    ambiguous: Sequence[str]


def match_recordings(names: Iterable[str], tables: Iterable[Iterable[Recording]]) -> Matched:
    """Find the recordings that names mean: those that agree with most folders, counted from the file name backwards.

    The extension counts only if there is a recording with it: annotations are often of another encoding.

    Args:
        names: paths or file names, as in annotations.
        tables: the recordings tables, gone through once.
    """
    wanted = {name: PurePosixPath(in_one_line(name)) for name in names}
    stems = {path.stem for path in wanted.values()} | {path.name for path in wanted.values()}
    candidates: dict[str, list[Recording]] = defaultdict(list)
    for recording in (row for rows in tables for row in rows if row.status == "usable" and not row.superseded):
        stem = _path(recording).stem
        if stem in stems:
            candidates[stem].append(recording)
    found: dict[str, Recording] = {}
    missing: list[str] = []
    ambiguous: list[str] = []
    for name, path in sorted(wanted.items()):
        with_extension = [row for row in candidates.get(path.stem, []) if _path(row).name == path.name]
        # A name without an extension may hold a dot.
        best = _best(path, with_extension or candidates.get(path.name) or candidates.get(path.stem, []))
        if len(best) == 1:
            found[name] = best[0]
        else:
            (ambiguous if best else missing).append(name)
    return Matched(found, missing, ambiguous)


def real_time_us(file_us: int, recording: Recording) -> int:
    """A time in the file as one in the recording: later by the silence that a triggered recorder cut out before it."""
    if recording.segments is None:
        return file_us
    frame = (file_us * recording.sample_rate_hz + 500_000) // 1_000_000
    index = bisect.bisect_right(recording.segments, frame, key=lambda segment: segment.file_frame) - 1
    segment = recording.segments[max(index, 0)]
    # Between two segments the file holds a marker of the gap.
    frame = segment.first_frame + min(frame - segment.file_frame, segment.frames)
    return microseconds(frame, recording.sample_rate_hz)


def _best(wanted: PurePosixPath, candidates: Sequence[Recording]) -> list[Recording]:
    agreeing = [_folders_in_common(wanted, _path(each)) for each in candidates]
    return [each for each, folders in zip(candidates, agreeing, strict=True) if folders == max(agreeing)]


def _path(recording: Recording) -> PurePosixPath:
    return PurePosixPath(in_one_line(recording.path))


def _folders_in_common(one: PurePosixPath, other: PurePosixPath) -> int:
    common = 0
    for ours, theirs in zip(reversed(one.parent.parts), reversed(other.parent.parts), strict=False):
        if ours != theirs:
            break
        common += 1
    return common
