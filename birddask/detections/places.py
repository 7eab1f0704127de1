"""What occurs where and when recordings were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from birddask.detections.rules import Location
from birddask.errors import ConfigError
from birddask.models.location import LocationModel

# Of BirdNET's labels, which is 26 MB.
_PLACES_AT_ONCE = 1000

Place = tuple[float, float, int]
"""Latitude and longitude in degrees, and a week as ``LocationModel`` has it."""


def places_view(location: Location) -> str:
    """SQL that tells where each recording counts as made: the view ``places``, null where that is not known."""
    latitude, longitude = (None, None) if location.position is None else location.position

    def degrees(own: str, given: float | None) -> str:
        if given is None:
            return own
        return f"coalesce({own}, {given!r}::DOUBLE) AS {own}" if location.own else f"{given!r}::DOUBLE AS {own}"

    columns = f"{degrees('latitude_deg', latitude)}, {degrees('longitude_deg', longitude)}"
    return f"CREATE VIEW places AS SELECT recording, {columns} FROM recordings"  # noqa: S608 - of numbers


def occurring(model: LocationModel, least: float, places: Sequence[Place], labels: Sequence[str]) -> Iterator[pa.Table]:
    """Rows of latitude, longitude, week and label, for each label that occurs there with the least or more.

    Raises:
        ConfigError: the model does not know a label.
    """
    number = {label: index for index, label in enumerate(model.labels)}
    unknown = [label for label in labels if label not in number]
    if unknown:
        raise ConfigError(
            f"the location model does not know the label {unknown[0]!r}: it belongs to another model than these results"
        )
    columns = np.array([number[label] for label in labels], np.intp)
    for start in range(0, len(places), _PLACES_AT_ONCE):
        some = places[start : start + _PLACES_AT_ONCE]
        occurrence = model.occurrence(np.array(some, np.float32))[:, columns]
        place, label = np.nonzero(occurrence >= np.float32(least))
        latitude, longitude, week = (np.array(values) for values in zip(*some, strict=True))
        yield pa.table(
            {
                "latitude_deg": latitude[place],
                "longitude_deg": longitude[place],
                "week": week[place],
                "label": pa.array(labels).take(pa.array(label)),
            }
        )
