"""Where models lie on this machine, and how a name, a path or a URL becomes a bundle's folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from birddask.errors import ConfigError
from birddask.models.bundle import CARD
from birddask.safe_text import did_you_mean
from birddask.storage import Folder, Options, folder_at

CACHE_VARIABLE = "BIRDDASK_CACHE"
FETCHABLE = ("birdnet-v2.4", "birdvoxdetect")
"""Models that birddask can fetch and convert by their names."""


def models_folder() -> Folder:
    """The per-user folder of bundles; the environment variable BIRDDASK_CACHE moves it."""
    root = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("birddask")
    return folder_at(root).child("models")


def cached_models() -> list[str]:
    """Names of the bundles in the cache."""
    suffix = f"/{CARD}"
    return [
        file.key.removesuffix(suffix)
        for file in models_folder().files()
        if file.key.endswith(suffix) and file.key.count("/") == 1
    ]


def is_name(model: str) -> bool:
    """Whether it is meant as a name in the cache, not as a path or a URL."""
    return "/" not in model and "\\" not in model


def find_bundle(model: str, options: Options = "") -> Folder:
    """The folder of a model given by its name in the cache, a path, or a URL with storage options.

    Raises:
        ConfigError: there is no bundle of that name or in that place.
    """
    named = is_name(model)
    folder = models_folder().child(model) if named else folder_at(model, options)
    if folder.exists(CARD):
        return folder
    if named and Path(model).is_dir():
        raise ConfigError(f"the model {model!r} is not in the cache; for the folder write ./{model}")
    if not named:
        raise ConfigError(f"there is no model bundle in {model}: it has no {CARD}")
    cached = cached_models()
    if model in FETCHABLE:
        how = f"; fetch it with `birddask models get {model}`"
    else:
        how = did_you_mean(model, [*cached, *FETCHABLE]) or "; give the path of a bundle, or a name that is there"
    raise ConfigError(
        f"there is no model named {model!r} in {models_folder().url} (there: {', '.join(cached) or 'none'}){how}"
    )
