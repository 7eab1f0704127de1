"""A model bundle, written: its files, then the known answer and the hashes that tie them to the card."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import cast

import numpy as np

from birddask.documents import parse_yaml, to_yaml
from birddask.errors import ConfigError
from birddask.fingerprint import sha256_hex
from birddask.mels.arrays import Array32
from birddask.models.bundle import (
    CARD,
    FRONT_END,
    KNOWN_ANSWER,
    LABELS,
    LOCATION,
    NETWORK,
    Bundle,
    KnownAnswer,
)
from birddask.models.card import BundleFiles
from birddask.storage import Folder


def publish_bundle(
    folder: Folder, bundle: Bundle, *, labels: bytes | None = None, location: bytes | None = None
) -> None:
    """Write a bundle whose card has no hashes yet, and seal it.

    Args:
        folder: of the bundle.
        bundle: what to write.
        labels: the file of labels, where its author's is kept byte by byte: the fingerprint is of it. None for a label
            a line.
        location: the network that says where and when labels occur, an ONNX file; None if there is none.
    """
    folder.publish(NETWORK, bundle.network)
    folder.publish(LABELS, "".join(f"{label}\n" for label in bundle.labels).encode() if labels is None else labels)
    if location is not None:
        folder.publish(LOCATION, location)
    if bundle.front_end:
        folder.publish(FRONT_END, npz(bundle.front_end))
    folder.publish(CARD, to_yaml(bundle.card).replace("files: null\n", "").encode())
    seal(folder, bundle.known_answer)


def seal(folder: Folder, answer: KnownAnswer) -> None:
    """Add the known answer to a bundle and the hashes of all its files to its card, whose text stays as it is.

    Raises:
        ConfigError: the text of the card can't be added to.
    """
    known = npz({"waveform": answer.waveform, "mels": answer.mels, "probabilities": answer.probabilities})
    files = BundleFiles(
        model=sha256_hex(folder.read(NETWORK)),
        labels=sha256_hex(folder.read(LABELS)),
        known_answer=sha256_hex(known),
        front_end=sha256_hex(folder.read(FRONT_END)) if folder.exists(FRONT_END) else None,
        location=sha256_hex(folder.read(LOCATION)) if folder.exists(LOCATION) else None,
    )
    section = to_yaml(files).replace("\n", "\n  ").rstrip()
    card = f"{folder.read(CARD).decode().rstrip()}\nfiles:\n  {section}\n"
    try:
        parse_yaml(card, folder.place(CARD))
    except ConfigError as error:
        raise ConfigError(
            f"a `files:` section can't be added at the end of {folder.place(CARD)}: write it as `key: value` lines "
            "without a `files:` key and without a closing mark"
        ) from error
    folder.publish(KNOWN_ANSWER, known)
    folder.publish(CARD, card.encode())


def npz(arrays: Mapping[str, Array32]) -> bytes:
    """Arrays as the bytes of an ``.npz`` file, the same bytes for the same arrays."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **cast("dict[str, Array32]", dict(arrays)))  # type: ignore[arg-type]
    return stream.getvalue()
