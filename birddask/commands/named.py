"""What users name on the command line, as what the package takes: results, rules, a locality, a new place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from birddask.detections.rules import Location, Rules, Thresholds, one_threshold, read_species, read_thresholds
from birddask.errors import ConfigError
from birddask.job import Job, read_job_file
from birddask.models.cache import find_bundle
from birddask.storage import Folder, absolute_url, folder_at, read_file

_THRESHOLD = 0.25


@dataclass(frozen=True)
class Results:
    """Which results are meant.

    Attributes:
        model: a folder below ``probabilities/``, without ``model=``, or how it begins; None if there is only one.
    """

    job_file: str
    model: str | None

    def job(self) -> Job:
        """The job that made them."""
        return read_job_file(self.job_file)


@dataclass(frozen=True)
class Locality:
    """Where the recordings were made, as the user says it.

    Attributes:
        latitude_deg: of all recordings; of those that don't know their own, if ``own``.
        longitude_deg: likewise.
        own: recordings know where they were made.
        least: smallest occurrence that counts.
    """

    latitude_deg: float | None
    longitude_deg: float | None
    own: bool
    least: float

    def location(self, results: Results) -> Location | None:
        """What occurs there, as the job's model has it; None if nothing was said.

        Raises:
            ConfigError: one of latitude and longitude is missing, or the model is.
        """
        if (self.latitude_deg is None) != (self.longitude_deg is None):
            raise ConfigError("give --lat and --lon together")
        position = None
        if self.latitude_deg is not None and self.longitude_deg is not None:
            position = self.latitude_deg, self.longitude_deg
        if position is None and not self.own:
            return None
        job = results.job()
        bundle = find_bundle(job.model, job.model_options)
        return Location(bundle, self.least, position, self.own)


@dataclass(frozen=True)
class Choice:
    """What counts, as the user says it.

    Attributes:
        threshold: for all labels.
        thresholds: a file with one for each label.
        species: a file with names of labels.
        locality: only what occurs there.
    """

    threshold: float | None
    thresholds: str | None
    best: int | None
    species: str | None
    locality: Locality

    def rules(self, results: Results, *, smooth: bool = False, merge: bool = False) -> Rules:
        """The rules that follow for some results; raises ConfigError if a file, or the locality, is wrong."""
        species = None if self.species is None else read_species(read_file(self.species), self.species)
        location = self.locality.location(results)
        return Rules(self._thresholds(), self.best, species, smooth, merge, location)

    def _thresholds(self) -> Thresholds:
        if self.thresholds is None:
            return one_threshold(_THRESHOLD if self.threshold is None else self.threshold)
        if self.threshold is not None:
            raise ConfigError(
                "give either --threshold or --thresholds; in the file a row for `*` is for all other labels"
            )
        return read_thresholds(read_file(self.thresholds), self.thresholds)


def new_place(job: Job, place: str) -> tuple[Folder, str]:
    """The folder and the name of a place that is to be written.

    Raises:
        ConfigError: there is something already, in which somebody may have worked; or it can't be written.
    """
    base, _, name = absolute_url(place.rstrip("/")).rpartition("/")
    folder = folder_at(base or "/", job.export_options)
    folder.require_writable("place")
    if folder.exists(name):
        raise ConfigError(f"{folder.place(name)} is there already; take it away, or name another place with --output")
    return folder, name


def unanswered_lines(names: Sequence[str]) -> Iterator[str]:
    """Names of labels, as the user wrote them, that no label has."""
    if names:
        yield f"no label answers to: {', '.join(names)} (misspelt, or nowhere in the tables)"
