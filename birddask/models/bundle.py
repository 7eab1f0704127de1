"""A model bundle, read: a folder with a network, its labels, its card and a known answer."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from birddask.documents import parse, parse_yaml, utf8_text
from birddask.errors import ConfigError
from birddask.fingerprint import sha256_hex
from birddask.mels.arrays import Array32
from birddask.models.card import ModelCard
from birddask.storage import Folder

CARD, NETWORK, LABELS = "model.yaml", "model.onnx", "labels.txt"
KNOWN_ANSWER, FRONT_END, LOCATION = "known_answer.npz", "front_end.npz", "location.onnx"

# The largest bird models have some 15,000. A block of 1,000 clips has 400 MB of probabilities with so many.
_MOST_LABELS = 100_000
_MOST_ARRAY_BYTES = 256 << 20


@dataclass(frozen=True)
class KnownAnswer:
    """One clip all the way through.

    Attributes:
        waveform: float32 (clip length,).
        mels: float32 (channel, mel, frame), before any rounding to a store's dtype.
        probabilities: float32 (labels,).
    """

    waveform: Array32
    mels: Array32
    probabilities: Array32


@dataclass(frozen=True)
class Preset:
    """A front end that models are trained on: a card without files, and the arrays that its mels name.

    Attributes:
        front_end: empty unless the mel spec names stored arrays.
    """

    card: ModelCard
    front_end: Mapping[str, Array32]


@dataclass(frozen=True)
class Bundle:
    """A bundle read into memory and checked against its card."""

    card: ModelCard
    labels: tuple[str, ...]
    network: bytes
    front_end: Mapping[str, Array32]
    known_answer: KnownAnswer


def read_card(folder: Folder) -> ModelCard:
    """The card of the bundle in a folder.

    Raises:
        ConfigError: there is no card, or it is wrong.
    """
    try:
        content = folder.read(CARD)
    except FileNotFoundError as error:
        raise ConfigError(f"{folder.url} is not a model bundle: it has no {CARD}") from error
    source = folder.place(CARD)
    return parse(ModelCard, parse_yaml(content, source), source)


def read_bundle(folder: Folder) -> Bundle:
    """A bundle, with every file compared with the hash in its card.

    Raises:
        ConfigError: a file is missing or is not the one that the card names, or the labels are unusable.
    """
    card = read_card(folder)
    if card.files is None:
        raise ConfigError(
            f"the model bundle {folder.url} is not sealed: run `birddask models check --seal {folder.url}` once, "
            "on a machine where the model is known to be right"
        )
    network = _verified(folder, NETWORK, card.files.model)
    labels = parse_labels(_verified(folder, LABELS, card.files.labels), folder.place(LABELS))
    known = _arrays(_verified(folder, KNOWN_ANSWER, card.files.known_answer), folder.place(KNOWN_ANSWER))
    front_end = {}
    if card.files.front_end:
        front_end = _arrays(_verified(folder, FRONT_END, card.files.front_end), folder.place(FRONT_END))
    try:
        answer = KnownAnswer(known["waveform"], known["mels"], known["probabilities"])
    except KeyError as error:
        raise ConfigError(f"{folder.place(KNOWN_ANSWER)} lacks the array {error}") from error
    found = (answer.waveform.shape, answer.mels.shape, answer.probabilities.shape)
    expected = ((card.mels.clip.length_samples,), card.mels.shape, (len(labels),))
    if found != expected:
        raise ConfigError(
            f"{folder.place(KNOWN_ANSWER)} is not of this {CARD} and {LABELS}: its waveform, mels and probabilities "
            f"have the shapes {found}, expected {expected}; if the card was changed on purpose, delete its `files:` "
            f"section and run `birddask models check --seal {folder.url}`"
        )
    return Bundle(card, labels, network, front_end, answer)


def read_preset(folder: Folder) -> Preset:
    """The front end of a card, or of a bundle, in a folder.

    Raises:
        ConfigError: there is no card, it is wrong, or so is the file of arrays that it names.
    """
    return Preset(read_card(folder), _front_end(folder))


def read_location_network(folder: Folder) -> tuple[tuple[str, ...], bytes]:
    """The labels of a bundle, and the network that says where and when they occur.

    Raises:
        ConfigError: the bundle has no such network, or a file is not the one that the card names.
    """
    card = read_card(folder)
    if card.files is None or card.files.location is None:
        raise ConfigError(
            f"the model {card.name} has no location model; BirdNET has one, if it was fetched by this version: "
            "`birddask models get birdnet-v2.4`"
        )
    labels = parse_labels(_verified(folder, LABELS, card.files.labels), folder.place(LABELS))
    return labels, _verified(folder, LOCATION, card.files.location)


def read_unsealed(folder: Folder) -> tuple[ModelCard, tuple[str, ...], bytes, dict[str, Array32]]:
    """Card, labels, network and front-end arrays of a bundle that has no hashes and no known answer yet.

    Raises:
        ConfigError: a file is missing, or the card holds hashes already.
    """
    card = read_card(folder)
    if card.files is not None:
        raise ConfigError(f"{folder.place(CARD)} is sealed already; delete its `files:` section to seal it anew")
    labels = parse_labels(_content(folder, LABELS), folder.place(LABELS))
    return card, labels, _content(folder, NETWORK), _front_end(folder)


def parse_labels(content: bytes, source: str) -> tuple[str, ...]:
    """Labels, one a line.

    Raises:
        ConfigError: the text is not UTF-8, has too many lines, or a label is empty or stands twice.
    """
    labels = tuple(line.strip() for line in utf8_text(content, source).splitlines())
    if len(labels) > _MOST_LABELS:
        raise ConfigError(
            f"{source} has {len(labels)} lines, a model at most {_MOST_LABELS} labels: one label stands in each line"
        )
    seen: set[str] = set()
    for number, label in enumerate(labels, start=1):
        if not label or label in seen:
            problem = f"repeats {label!r}" if label else "is empty"
            raise ConfigError(f"{source}, line {number} {problem}; each label must stand once")
        seen.add(label)
    return labels


def _verified(folder: Folder, name: str, sha256: str) -> bytes:
    content = _content(folder, name)
    found = sha256_hex(content)
    if found != sha256:
        raise ConfigError(
            f"{folder.place(name)} is not the file that {CARD} names: its SHA-256 is {found}, the card says {sha256}"
        )
    return content


def _content(folder: Folder, name: str) -> bytes:
    try:
        return folder.read(name)
    except FileNotFoundError as error:
        raise ConfigError(f"the model bundle {folder.url} lacks {name}") from error


def _front_end(folder: Folder) -> dict[str, Array32]:
    return _arrays(folder.read(FRONT_END), folder.place(FRONT_END)) if folder.exists(FRONT_END) else {}


def _arrays(content: bytes, source: str) -> dict[str, Array32]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            # Kilobytes may unpack to gigabytes, and a header may promise terabytes.
            if sum(member.file_size for member in stored.zip.infolist()) > _MOST_ARRAY_BYTES:
                raise ConfigError(f"{source} would unpack to more than {_MOST_ARRAY_BYTES >> 20} MiB")
            return {name: stored[name] for name in stored.files}
    except (ValueError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:  # TypeError: a single array
        raise ConfigError(f"{source} is not a file of arrays as numpy.savez writes it: {error}") from error
