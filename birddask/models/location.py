"""Which labels occur where and when, as the location model in a bundle has it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.models.bundle import read_location_network
from birddask.models.network import look_into
from birddask.models.runtime import Running, start
from birddask.storage import Folder

INPUT, OUTPUT = "places", "occurrence"
ALL_YEAR = -1
"""For the week: any time of the year."""


@dataclass(frozen=True)
class LocationModel:
    """A network from places and weeks to how likely each label occurs."""

    labels: tuple[str, ...]
    _network: Running

    def occurrence(self, places: NDArray[np.float32]) -> NDArray[np.float32]:
        """How likely each label occurs.

        Args:
            places: (place, 3), each latitude and longitude in degrees and a week of BirdNET's year, or ``ALL_YEAR``.
                Weeks are 1 to 48: four in each month, from days 1, 8, 15 and 22.

        Returns:
            float32 (place, label) in [0, 1].

        Raises:
            ModelError: the network gave what is no probability, or not one a label.
        """
        (occurrence,) = self._network.run([OUTPUT], {INPUT: places})
        expected = (len(places), len(self.labels))
        if occurrence.shape != expected or not ((occurrence >= 0) & (occurrence <= 1)).all():
            raise ModelError(
                f"the location model gave {occurrence.shape} values, expected {expected} from 0 to 1; fetch the model "
                "anew"
            )
        return np.asarray(occurrence, np.float32)


def start_location_model(labels: tuple[str, ...], network: bytes) -> LocationModel:
    """A location model ready to be asked.

    Raises:
        ModelError: the network may not run, see ``look_into``, or ONNX Runtime refuses it.
    """
    what = "the location model"
    look_into(network, what)
    return LocationModel(labels, start(network, what))


@functools.cache
def open_location_model(folder: Folder) -> LocationModel:
    """The location model of a bundle, opened once a process.

    Raises:
        ConfigError: the bundle has none, or is wrong.
    """
    return start_location_model(*read_location_network(folder))
