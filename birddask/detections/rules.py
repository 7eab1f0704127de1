"""What counts as a detection; pure. Nothing here needs a new run: all of it is decided on the tables.

The steps, in this order:

1. **Species.** Labels that are not on the list, or have no threshold, are left out; so is what does not occur where and
   when the clip was recorded, if a location is given.
2. **Smoothing.** The probability of a clip becomes the mean over all scored clips of its recording that overlap it,
   itself included. A label that a long table does not hold for a clip (below the job's ``floor``) counts as zero there.
3. **Threshold.** A probability counts from the threshold up, both as float32, as they are stored.
4. **Best.** Of each clip the likeliest n labels stay; of equal ones the first in the order of the alphabet.
5. **Merging.** Detections of one label in one recording whose clips touch or overlap become one, from the begin of the
   first clip to the end of the last. It carries the **highest** probability of its clips, and says how many they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from birddask.detections.labels import key_of, keys_of
from birddask.documents import csv_rows, utf8_text
from birddask.errors import ConfigError
from birddask.safe_text import as_written
from birddask.storage import Folder

ALL_OTHERS = "*"


@dataclass(frozen=True)
class Thresholds:
    """The smallest probability that counts.

    Attributes:
        others: for labels that ``by_name`` does not name; None leaves them out.
        by_name: by a label, or by the scientific or common name in it, as ``key_of`` makes it.
        written: how the user wrote these names.
    """

    others: float | None
    by_name: Mapping[str, float]
    written: Mapping[str, str] = field(default_factory=dict)

    def of(self, label: str) -> float | None:
        """The threshold of a label; None if it does not count at all."""
        return next((self.by_name[key] for key in keys_of(label) if key in self.by_name), self.others)


@dataclass(frozen=True)
class Location:
    """Labels must occur where and when they were heard.

    Attributes:
        bundle: of the model that says what occurs.
        least: smallest occurrence that counts, from 0 to 1.
        position: latitude and longitude in degrees; None if each recording must know its own.
        own: recordings that know their position have that one.
    """

    bundle: Folder
    least: float
    position: tuple[float, float] | None
    own: bool

    def line(self) -> str:
        """The rule in words."""
        places = ["the recorders' own positions"] if self.own else []
        if self.position is not None:
            places.append(f"latitude {self.position[0]}, longitude {self.position[1]}")
        where = ", else ".join(places)
        return f"location: {where}; labels whose occurrence in the week of the clip is {self.least} or more"


@dataclass(frozen=True)
class Rules:
    """What becomes of probabilities, as the module's first lines say.

    Attributes:
        best: labels kept of a clip, None for all.
        species: names of labels that count, as ``key_of`` makes them, with how the user wrote them; None for all.
    """

    thresholds: Thresholds
    best: int | None = None
    species: Mapping[str, str] | None = None
    smooth: bool = False
    merge: bool = False
    location: Location | None = None

    def threshold(self, label: str) -> float | None:
        """The threshold of a label; None if it does not count at all."""
        if self.species is not None and self.species.keys().isdisjoint(keys_of(label)):
            return None
        return self.thresholds.of(label)

    def names(self) -> dict[str, str]:
        """All names, with how the user wrote them; one that no label answers to may be misspelt."""
        return {name: name for name in self.thresholds.by_name} | {**self.thresholds.written} | {**(self.species or {})}

    def lines(self) -> list[str]:
        """The rules in words."""
        others, named = self.thresholds.others, len(self.thresholds.by_name)
        lines = [f"thresholds: {named} by name" if named else f"threshold: {others}"]
        if named:
            lines[0] += " and no other labels" if others is None else f", {others} for other labels"
        if self.species is not None:
            lines.append(f"species: a list of {len(self.species)}")
        if self.location is not None:
            lines.append(self.location.line())
        if self.smooth:
            lines.append("smoothed: the mean over the scored clips that overlap a clip, itself included")
        if self.best is not None:
            lines.append(f"best of a clip: {self.best}")
        if self.merge:
            lines.append("merged: clips that touch or overlap, with their highest probability")
        return lines


def one_threshold(probability: float) -> Thresholds:
    """The same threshold for all labels.

    Raises:
        ConfigError: it is no probability.
    """
    return Thresholds(_probability(str(probability), "--threshold"), {})


def read_thresholds(content: bytes, source: str) -> Thresholds:
    """Thresholds from a CSV file with the columns ``label`` and ``threshold``; the label ``*`` is for all others.

    Raises:
        ConfigError: the file is not of that form.
    """
    rows = list(csv_rows(content, source))
    header = [key_of(cell) for cell in rows[0]] if rows else []
    if "label" not in header or "threshold" not in header:
        raise ConfigError(f"{source} must be a CSV file whose first line has the columns `label` and `threshold`")
    label, threshold = header.index("label"), header.index("threshold")
    by_name: dict[str, float] = {}
    written: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        place = f"{source}, row {number}"
        if len(row) != len(header):
            raise ConfigError(f"{place}: {len(row)} columns, the first line has {len(header)}")
        name = key_of(as_written(row[label]))
        if name in by_name:
            raise ConfigError(f"{place}: {row[label]!r} has a threshold already")
        by_name[name] = _probability(row[threshold], place)
        written[name] = as_written(row[label]).strip()
    if not by_name:
        raise ConfigError(f"{source} has no threshold in it")
    written.pop(ALL_OTHERS, None)
    return Thresholds(by_name.pop(ALL_OTHERS, None), by_name, written)


def read_species(content: bytes, source: str) -> dict[str, str]:
    """The names of a species list, a label, a scientific or a common name a line, as ``Rules`` takes them.

    Raises:
        ConfigError: there is none.
    """
    names = {key_of(line): line.strip() for line in utf8_text(content, source).splitlines() if line.strip()}
    if not names:
        raise ConfigError(f"{source} has no species in it; write a label, a scientific or a common name a line")
    return names


def _probability(text: str, place: str) -> float:
    try:
        probability = float(text)
    except ValueError as error:
        raise ConfigError(f"{place}: {text!r} is not a number") from error
    if not 0 <= probability <= 1:
        raise ConfigError(f"{place}: {text} is not a probability from 0 to 1")
    return probability
