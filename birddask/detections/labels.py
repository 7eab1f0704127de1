"""The names in a model's label; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# BirdNET writes `Turdus merula_Eurasian Blackbird`, and `Engine_Engine` for what has no Latin name.
_BOTH_NAMES = re.compile(r"(?P<scientific>[A-Z][a-z]+(?: [a-z-]+)*)_(?P<common>.+)", re.DOTALL)
_BINOMIAL = re.compile(r"[A-Z][a-z]+(?: [a-z-]+)+")


@dataclass(frozen=True)
class Names:
    """What a label calls a sound.

    Attributes:
        scientific: the label itself where it has only one name.
        common: the label itself where it has only one name.
    """

    scientific: str
    common: str

    @property
    def taxon(self) -> str | None:
        """The scientific name if it has the form of a species' name, as ``Turdus merula``."""
        return self.scientific if _BINOMIAL.fullmatch(self.scientific) else None


def names_of(label: str) -> Names:
    """The names in a label: both of BirdNET's ``scientific_common``, else the label for either."""
    match = _BOTH_NAMES.fullmatch(label)
    return Names(match["scientific"], match["common"]) if match else Names(label, label)


def keys_of(label: str) -> tuple[str, str, str]:
    """What a user may write for a label: itself, its scientific or its common name; case does not count."""
    names = names_of(label)
    return key_of(label), key_of(names.scientific), key_of(names.common)


def key_of(name: str) -> str:
    """A name as it is compared."""
    return name.strip().casefold()
