"""Front ends of published models, as cards that come with the package (``birddask/presets``)."""

from __future__ import annotations

from importlib import resources

from birddask.documents import parse, parse_yaml
from birddask.errors import ConfigError
from birddask.models.bundle import Preset, read_preset
from birddask.models.cache import cached_models, find_bundle, is_name
from birddask.models.card import ModelCard

_FOLDER = resources.files("birddask") / "presets"
_SUFFIX = ".yaml"


def preset_names() -> list[str]:
    """The names of all presets, sorted."""
    return sorted(file.name.removesuffix(_SUFFIX) for file in _FOLDER.iterdir() if file.name.endswith(_SUFFIX))


def preset_text(name: str) -> str:
    """The card of a preset as it is written, with what it says about how sure it is.

    Raises:
        ConfigError: there is no preset of that name.
    """
    known = preset_names()
    if name not in known:
        raise ConfigError(f"there is no preset named {name!r}; there are {', '.join(known)}")
    return (_FOLDER / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def preset_card(name: str) -> ModelCard:
    """The card of a preset: the mels that a model of its family eats, and how its network takes them.

    Raises:
        ConfigError: there is no preset of that name.
    """
    source = f"preset {name}"
    return parse(ModelCard, parse_yaml(preset_text(name), source), source)


def find_preset(preset: str) -> Preset:
    """A preset by its name, or the front end of a card or bundle: by a name in the cache, a path or a URL.

    Raises:
        ConfigError: there is none of that name or in that place.
    """
    if preset in preset_names():
        return Preset(preset_card(preset), {})
    if is_name(preset) and preset not in cached_models():
        raise ConfigError(
            f"there is no preset named {preset!r}; there are {', '.join(preset_names())}, each fetched model by its "
            f"name, and the card or bundle in a folder, written as ./{preset}"
        )
    return read_preset(find_bundle(preset))
