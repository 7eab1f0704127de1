"""What a field worker asks of an archive: what each recorder did and when, what is damaged, what is missing; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from birddask.recordings.recording import Scanned
from birddask.survey.deployment import Deployment, Tally, hours

FILES_A_REASON = 20
"""Damaged files that are named for each reason, and copies that are named."""


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A quarantined file; ``detail`` is the reason in words, empty where there is no more to say than its code."""

    path: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that is a copy of another recording."""

    path: str
    duplicate_of: str


@dataclass(frozen=True, slots=True)
class Survey:
    """An archive in numbers; ``found`` is the sum of the next three, and ``usable`` that of all deployments.

    Attributes:
        flags: repairs of usable recordings and doubts about them, by code.
        deployments: one for each recorder at a site that has usable recordings, ordered by site and recorder.
        damaged_sites: quarantined files of sites that have no usable recording at all.
        damaged_files: of all ``quarantined``, the first 20 of each reason in the order of scanning.
        duplicates: files that are copies of others.
        duplicate_files: the first 20 of them.
    """

    found: int
    usable: int
    quarantined: int
    ignored: int
    usable_hours: float
    quarantine_reasons: Mapping[str, int]
    ignore_reasons: Mapping[str, int]
    flags: Mapping[str, int]
    deployments: tuple[Deployment, ...]
    damaged_sites: Mapping[str, int]
    damaged_files: tuple[DamagedFile, ...]
    duplicates: int
    duplicate_files: tuple[Copy, ...]


def survey(scanned: Iterable[Scanned], now_us: int) -> Survey:
    """The survey of all rows; a file that was changed counts once.

    Args:
        scanned: rows of the recordings tables in the order of scanning.
        now_us: microseconds since 1970 UTC; no recording can begin later.
    """
    tallies: defaultdict[tuple[str, str | None], Tally] = defaultdict(Tally)
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    damaged_sites: Counter[str] = Counter()
    damaged: defaultdict[str, list[DamagedFile]] = defaultdict(list)
    copies: list[Copy] = []
    duplicates = 0
    for row in scanned:
        recording, about = row.recording, row.about
        if recording.superseded:
            continue
        if recording.status == "usable":
            tallies[recording.site, recording.recorder].add(row)
            continue
        reasons[recording.status][recording.reason] += 1
        if recording.status == "quarantined":
            damaged_sites[recording.site] += 1
            if len(damaged[recording.reason]) < FILES_A_REASON:
                damaged[recording.reason].append(DamagedFile(recording.path, recording.reason, about.detail))
        elif about.duplicate_of is not None:
            duplicates += 1
            if len(copies) < FILES_A_REASON:
                copies.append(Copy(recording.path, about.duplicate_of))
    by_place = sorted(tallies.items(), key=lambda item: (item[0][0], item[0][1] is not None, item[0][1] or ""))
    deployments = tuple(tally.deployment(site, recorder, now_us) for (site, recorder), tally in by_place)
    flags = sum((tally.flags for tally in tallies.values()), Counter[str]())
    frames = sum((tally.frames for tally in tallies.values()), Counter[int]())
    usable = sum(deployment.recordings for deployment in deployments)
    quarantined, ignored = reasons["quarantined"].total(), reasons["ignored"].total()
    used_sites = {site for site, _ in tallies}
    return Survey(
        found=usable + quarantined + ignored,
        usable=usable,
        quarantined=quarantined,
        ignored=ignored,
        usable_hours=hours(frames),
        quarantine_reasons=dict(sorted(reasons["quarantined"].items())),
        ignore_reasons=dict(sorted(reasons["ignored"].items())),
        flags=dict(sorted(flags.items())),
        deployments=deployments,
        damaged_sites={site: count for site, count in sorted(damaged_sites.items()) if site not in used_sites},
        damaged_files=tuple(file for _, files in sorted(damaged.items()) for file in files),
        duplicates=duplicates,
        duplicate_files=tuple(copies),
    )
