"""A look at a bundle: what its network reads and gives, how well it meets its known answer, how long a clip takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from birddask.errors import ModelError
from birddask.models.bundle import Bundle, read_bundle
from birddask.models.card import ModelCard
from birddask.models.network import look_into
from birddask.models.ready import BundleRef, ready_classifier, ready_front_end
from birddask.models.runtime import CPU, available_providers
from birddask.models.session import Classifier, start_classifier
from birddask.storage import Folder

_ROUNDS, _CLIPS = 5, 8


def check_lines(folder: Folder) -> Iterator[str]:
    """What there is to say of a sealed bundle, as it is found out.

    Raises:
        ConfigError: a file is missing or wrong.
        ModelError: the known answer is off on this machine's CPU, see ``ready_front_end`` and ``ready_classifier``.
    """
    bundle = read_bundle(folder)
    ref = BundleRef(folder, bundle.card.fingerprint)
    front_end, classifier = ready_front_end(ref), ready_classifier(ref)
    yield from network_lines(bundle.card, bundle.network)
    yield f"known answer: met within {_off(bundle, classifier):.1g}, {bundle.card.tolerance:.1g} is allowed"
    others = [provider for provider in available_providers() if provider != CPU]
    for provider in others:
        yield f"with {provider}: {_verdict(bundle, provider)}"
    if not others:
        yield "no other execution provider than the CPU's is installed to compare with"
    known = bundle.known_answer
    clips = np.repeat(known.mels[np.newaxis], _CLIPS, axis=0)
    mels_ms = _best_ms(lambda: front_end.mels(known.waveform))
    scores_ms = _best_ms(lambda: classifier.probabilities(clips)) / _CLIPS
    yield f"one clip takes {mels_ms:.1f} ms for mels and {scores_ms:.1f} ms for scores, on one thread"


def network_lines(card: ModelCard, network: bytes) -> Iterator[str]:
    """What a network reads and gives, and what its card makes of it."""
    found = look_into(network, f"the network of {card.name}")
    for value in found.inputs:
        yield f"reads {value}, as {card.input.layout}: mels {card.mels.store_name}"
    for value in found.outputs:
        maker = found.makers.get(value.name, "an operator")
        if card.embedding is not None and value.name == card.embedding.name:
            yield f"gives {value}, the embedding of a clip"
        elif value.name != card.output.name:
            yield f"gives {value}, which is not used"
        elif card.output.activation == "none":
            yield f"gives {value}, which are probabilities: they come from {maker}"
        else:
            yield f"gives {value}, from {maker}: probabilities by {card.output.activation}"


def _verdict(bundle: Bundle, provider: str) -> str:
    try:
        return f"the known answer is met within {_off(bundle, start_classifier(bundle, provider)):.1g}"
    except ModelError as error:
        return f"not to be used: {error}"


def _off(bundle: Bundle, classifier: Classifier) -> float:
    """The largest difference of a probability from the known answer."""
    known = bundle.known_answer
    return float(np.abs(classifier.probabilities(known.mels[np.newaxis])[0] - known.probabilities).max())


def _best_ms(do: Callable[[], object]) -> float:
    times_s = []
    for _ in range(_ROUNDS):
        began_s = time.perf_counter()
        do()
        times_s.append(time.perf_counter() - began_s)
    return 1000 * min(times_s)
