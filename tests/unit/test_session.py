from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnx
import onnxruntime
import pytest
import scipy.special
from numpy.typing import NDArray
from onnx import TensorProto, helper

from birddask.errors import ModelError
from birddask.mels.coding import Coding, Dtype
from birddask.models.bundle import Bundle, KnownAnswer, read_bundle
from birddask.models.card import ModelCard, NetworkEmbedding, NetworkInput, NetworkOutput
from birddask.models.ready import BundleRef, ready_classifier, ready_front_end
from birddask.models.session import Classifier, score_unsealed, start_classifier
from birddask.storage import Folder
from tests.support.models import linear_network, tiny_card, write_tiny_bundle

Array32 = NDArray[np.float32]

SHAPE = (1, 16, 63)
VALUES = 1008
LABELS = tuple(f"label {number}" for number in range(VALUES))


def echo_network(shape: tuple[int, ...] = SHAPE, *then: str, clips: int | str = "clips") -> bytes:
    """A network whose scores are its inputs, after some more operators."""
    nodes, last = [helper.make_node("Flatten", ["mels"], ["flat"])], "flat"
    for number, operator in enumerate(then):
        nodes.append(helper.make_node(operator, [last], [f"value_{number}"]))
        last = f"value_{number}"
    nodes.append(helper.make_node("Identity", [last], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "echo",
        [helper.make_tensor_value_info("mels", TensorProto.FLOAT, [clips, *shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [clips, int(np.prod(shape))])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def echo_card(
    activation: Literal["sigmoid", "softmax", "none"] = "none",
    layout: Literal["channel_mel_frame", "mel_frame_channel"] = "channel_mel_frame",
    before: Literal["none", "min_max"] = "none",
) -> ModelCard:
    return replace(
        tiny_card(),
        input=NetworkInput("mels", layout, before),
        output=NetworkOutput("logits", activation),
    )


def classifier_of(card: ModelCard, network: bytes, labels: tuple[str, ...] = LABELS) -> Classifier:
    mels = np.zeros(card.mels.shape, np.float32)
    answer = KnownAnswer(np.zeros(8000, np.float32), mels, score_unsealed(card, labels, network, mels))
    return start_classifier(Bundle(card, labels, network, {}, answer))


def logits(clips: int, seed: int = 0) -> Array32:
    """Scores from tiny to far beyond what exp can hold."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 8, (clips, VALUES))
    scores[0, :12] = [0, -0.0, 1e-30, -1e-30, 15, -15, 88.8, -88.8, 104, -104, 1e30, -1e30]
    return scores.astype(np.float32)


def test_sigmoid_is_that_of_scipy() -> None:
    scores = logits(11)
    found = classifier_of(echo_card("sigmoid"), echo_network()).probabilities(scores.reshape(-1, *SHAPE))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, scipy.special.expit(scores.astype(np.float64)), rtol=1e-6, atol=1e-40)


@pytest.mark.parametrize("seed", [0, 1])
def test_softmax_is_that_of_scipy(seed: int) -> None:
    scores = logits(11, seed)
    scores[0, 10:12] = [200, -200]
    found = classifier_of(echo_card("softmax"), echo_network()).probabilities(scores.reshape(-1, *SHAPE))
    np.testing.assert_allclose(found, scipy.special.softmax(scores.astype(np.float64), axis=1), rtol=3e-6, atol=1e-37)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_probabilities_of_the_network_itself_are_kept() -> None:
    scores = np.random.default_rng(0).random((3, VALUES), np.float32)
    scores[0, :4] = [0, 1, np.float32(1 + 1e-6), np.float32(-1e-6)]
    found = classifier_of(echo_card(), echo_network()).probabilities(scores.reshape(-1, *SHAPE))
    np.testing.assert_array_equal(found, np.clip(scores, 0, 1))


@pytest.mark.parametrize(("score", "said"), [(1.01, "to 1.01"), (-0.5, "from -0.5")])
def test_scores_that_are_no_probabilities_are_refused(score: float, said: str) -> None:
    mels = np.full((1, *SHAPE), 0.5, np.float32)
    mels[0, 0, 3, 7] = score
    with pytest.raises(ModelError, match=f"tiny gives scores {said}|{said}, not probabilities"):
        classifier_of(echo_card(), echo_network()).probabilities(mels)


def test_the_card_decides_the_order_of_axes() -> None:
    spec = replace(tiny_card().mels, channels=tiny_card().mels.channels * 2)
    card = replace(echo_card(layout="mel_frame_channel"), mels=spec)
    labels = tuple(f"label {number}" for number in range(2 * VALUES))
    mels = np.random.default_rng(0).random((3, 2, 16, 63), np.float32)
    found = classifier_of(card, echo_network((16, 63, 2)), labels).probabilities(mels)
    np.testing.assert_array_equal(found, np.moveaxis(mels, 1, -1).reshape(3, -1))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_min_max_scales_each_clip_to_0_and_1(dtype: str) -> None:
    mels = np.random.default_rng(0).normal(-30, 20, (9, *SHAPE)).astype(dtype)
    mels[4] = -80
    found = classifier_of(echo_card(before="min_max"), echo_network()).probabilities(mels)
    flat = mels.astype(np.float64).reshape(9, -1)
    low, high = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
    expected = np.divide(flat - low, high - low, out=np.zeros_like(flat), where=high > low)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)
    assert not np.any(found[4])


def test_no_clips_give_no_scores() -> None:
    found = classifier_of(echo_card(), echo_network()).probabilities(np.empty((0, *SHAPE), np.float16))
    assert found.shape == (0, VALUES)
    assert found.dtype == np.float32


@pytest.mark.parametrize("operator", ["Log", "Sqrt"])
def test_a_score_that_is_not_a_number_is_an_error(operator: str) -> None:
    classifier = classifier_of(echo_card("sigmoid"), echo_network(SHAPE, "Exp", "Log", operator, "Exp"))
    mels = np.ones((10, *SHAPE), np.float32)
    classifier.probabilities(mels)
    mels[9, 0, 5, 5] = -1
    with pytest.raises(ModelError, match="the network of tiny gave scores that are not finite numbers"):
        classifier.probabilities(mels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "none"])
def test_an_infinity_is_an_error_and_never_a_probability(
    value: float, activation: Literal["sigmoid", "softmax", "none"]
) -> None:
    mels = np.ones((1, *SHAPE), np.float32)
    mels[0, 0, 0, 0] = value
    with pytest.raises(ModelError, match="not finite numbers"):
        classifier_of(echo_card(activation), echo_network()).probabilities(mels)


@pytest.mark.parametrize("clips", [1, 4, "batch", "anything"])
def test_a_network_may_take_any_or_a_fixed_number_of_clips(clips: int | str) -> None:
    mels = np.random.default_rng(0).random((11, *SHAPE), np.float32)
    found = classifier_of(echo_card(), echo_network(clips=clips)).probabilities(mels)
    np.testing.assert_array_equal(found, mels.reshape(11, -1))


def test_a_network_with_a_second_input_is_refused() -> None:
    model = onnx.load_from_string(echo_network())
    model.graph.input.append(helper.make_tensor_value_info("week", TensorProto.FLOAT, [1]))
    with pytest.raises(ModelError, match=r"has the inputs \['mels', 'week'\]"):
        classifier_of(echo_card(), model.SerializeToString())


def test_the_output_is_taken_by_its_name() -> None:
    model = onnx.load_from_string(echo_network())
    model.graph.node.append(helper.make_node("Neg", ["flat"], ["other"]))
    model.graph.output.insert(0, helper.make_tensor_value_info("other", TensorProto.FLOAT, ["clips", VALUES]))
    mels = np.random.default_rng(0).random((2, *SHAPE), np.float32)
    found = classifier_of(echo_card(), model.SerializeToString()).probabilities(mels)
    np.testing.assert_array_equal(found, mels.reshape(2, -1))


@pytest.mark.parametrize("off", [2e-4, -2e-4, np.nan])
def test_a_known_answer_that_is_off_stops_the_model(off: float, tiny_bundle: Path) -> None:
    bundle = read_bundle(Folder(str(tiny_bundle)))
    probabilities = bundle.known_answer.probabilities.copy()
    probabilities[2] += off
    with pytest.raises(ModelError, match=r"tiny scores its known clip wrongly .* at most 0.0001 is allowed"):
        start_classifier(replace(bundle, known_answer=replace(bundle.known_answer, probabilities=probabilities)))


def test_a_known_answer_within_the_tolerance_is_accepted(tiny_bundle: Path) -> None:
    bundle = read_bundle(Folder(str(tiny_bundle)))
    answer = replace(bundle.known_answer, probabilities=bundle.known_answer.probabilities + np.float32(5e-5))
    start_classifier(replace(bundle, known_answer=answer))


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("cuda", "the installed ONNX Runtime can't compute with cuda; the package onnxruntime-gpu can"),
        ("abacus", "'abacus' is unknown here; known are cpu, cuda, openvino, coreml"),
    ],
)
def test_a_provider_that_is_not_there_is_never_replaced(provider: str, message: str, tiny_bundle: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime can compute with CUDA")
    with pytest.raises(ModelError, match=message):
        start_classifier(read_bundle(Folder(str(tiny_bundle))), provider)


def test_bfloat16_is_refused_where_it_would_be_float32(tiny_bundle: Path) -> None:
    with pytest.raises(ModelError, match="`precision: bfloat16`, which ONNX Runtime does not compute with cpu"):
        start_classifier(read_bundle(Folder(str(tiny_bundle))), "cpu", "bfloat16")


def test_a_worker_takes_the_provider_of_its_environment(tiny_bundle: Path) -> None:
    command = [sys.executable, "-c", SHA256_OF_SCORES, str(tiny_bundle)]
    environment = {**os.environ, "BIRDDASK_PROVIDER": "abacus"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "'abacus' is unknown here" in ended.stderr


def tiny_mels(clips: int) -> Array32:
    return np.random.default_rng(0).normal(-30, 20, (clips, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_scores_do_not_depend_on_the_clips_beside(activation: Literal["sigmoid", "softmax"]) -> None:
    card = replace(tiny_card(), output=NetworkOutput("logits", activation))
    classifier = classifier_of(card, linear_network(301, SHAPE), LABELS[:301])
    mels = tiny_mels(17)
    alone = np.concatenate([classifier.probabilities(clip[np.newaxis]) for clip in mels])
    for clips in range(1, 18):
        np.testing.assert_array_equal(classifier.probabilities(mels[:clips]), alone[:clips])
    np.testing.assert_array_equal(classifier.probabilities(mels[::-1]), alone[::-1])


def test_threads_share_a_classifier(tiny_bundle: Path) -> None:
    folder = Folder(str(tiny_bundle))
    classifier = ready_classifier(BundleRef(folder, read_bundle(folder).card.fingerprint))
    mels = tiny_mels(40)
    expected = classifier.probabilities(mels)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(classifier.probabilities, [mels] * 16):
            np.testing.assert_array_equal(found, expected)


SHA256_OF_SCORES = """
import hashlib, sys
from birddask.models.bundle import read_bundle
from birddask.models.ready import BundleRef, ready_classifier
from birddask.storage import Folder
bundle = read_bundle(Folder(sys.argv[1]))
classifier = ready_classifier(BundleRef(Folder(sys.argv[1]), bundle.card.fingerprint))
print(hashlib.sha256(classifier.probabilities(bundle.known_answer.mels[None]).tobytes()).hexdigest())
"""


def test_scores_are_the_same_bits_in_another_process(tiny_bundle: Path) -> None:
    bundle = read_bundle(Folder(str(tiny_bundle)))
    scores = start_classifier(bundle).probabilities(bundle.known_answer.mels[np.newaxis])
    command = [sys.executable, "-c", SHA256_OF_SCORES, str(tiny_bundle)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == hashlib.sha256(scores.tobytes()).hexdigest()


@pytest.mark.parametrize("ready", [ready_front_end, ready_classifier])
def test_another_bundle_than_the_planned_one_is_refused(
    ready: Callable[[BundleRef], object], tiny_bundle: Path, tmp_path: Path
) -> None:
    write_tiny_bundle(tmp_path / "tiny", seed=1)
    planned = read_bundle(Folder(str(tiny_bundle))).card.fingerprint
    with pytest.raises(ModelError, match=f"not the one that the job was planned with .*expected {planned}"):
        ready(BundleRef(Folder(str(tmp_path / "tiny")), planned))


@pytest.mark.parametrize("ready", [ready_front_end, ready_classifier])
def test_a_process_makes_each_only_once(ready: Callable[[BundleRef], object], tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    ref = BundleRef(Folder(str(tmp_path / "tiny")), read_bundle(Folder(str(tmp_path / "tiny"))).card.fingerprint)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(ready, [ref] * 8))
    assert {id(each) for each in made} == {id(made[0])}


def open_output(network: bytes, name: str) -> bytes:
    """The network without a word on how much it gives."""
    model = onnx.load_from_string(network)
    (output,) = (each for each in model.graph.output if each.name == name)
    output.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["clips", "width"]))
    return bytes(model.SerializeToString())


def test_scores_of_another_number_than_labels_are_refused() -> None:
    network = open_output(echo_network(), "logits")
    with pytest.raises(ModelError, match=r"gives scores of the shape \(\d+, 1008\), expected \(\d+, 5\)"):
        score_unsealed(echo_card(), LABELS[:5], network, np.zeros(SHAPE, np.float32))


def embedding_card(width: int = 16) -> ModelCard:
    card = replace(echo_card(), embedding=NetworkEmbedding("embedding", width))
    return replace(card, output=NetworkOutput("logits", "sigmoid"))


def test_embeddings_are_the_output_that_the_card_names() -> None:
    classifier = classifier_of(embedding_card(), linear_network(5, SHAPE, embedding=True), LABELS[:5])
    stored = np.random.default_rng(0).normal(0, 1, (11, *SHAPE)).astype(np.float16)
    scores = classifier.scores(stored, Coding("float16", 0.5), embeddings=True)
    mels = stored.astype(np.float32) + np.float32(0.5)
    np.testing.assert_allclose(scores.embeddings, mels.mean(axis=3)[:, 0], rtol=0, atol=1e-5)
    assert scores.embeddings.dtype == np.float32
    np.testing.assert_array_equal(scores.probabilities, classifier.probabilities(mels))


@pytest.mark.parametrize("dtype", get_args(Dtype))
def test_stored_mels_are_scored_as_what_they_stand_for(dtype: Dtype) -> None:
    coding = Coding(dtype, 0.25)
    stored = coding.encode(np.random.default_rng(0).uniform(0, 1, (7, *SHAPE)).astype(np.float32))
    classifier = classifier_of(echo_card(), echo_network())
    np.testing.assert_array_equal(
        classifier.probabilities(stored, coding), classifier.probabilities(coding.decoded(stored))
    )


def test_embeddings_are_given_only_where_they_are_asked_for() -> None:
    classifier = classifier_of(embedding_card(), linear_network(5, SHAPE, embedding=True), LABELS[:5])
    assert classifier.scores(np.zeros((3, *SHAPE), np.float32)).embeddings.shape == (3, 0)


def test_embeddings_of_another_width_than_the_card_says_are_refused() -> None:
    network = open_output(linear_network(5, SHAPE, embedding=True), "embedding")
    with pytest.raises(ModelError, match=r"gives embeddings of the shape \(\d+, 16\), expected \(\d+, 17\)"):
        score_unsealed(embedding_card(17), LABELS[:5], network, np.zeros(SHAPE, np.float32))


def test_an_embedding_that_is_not_a_number_is_an_error() -> None:
    network = onnx.load_from_string(linear_network(5, SHAPE, embedding=True))
    network.graph.node[-1].output[0] = "means_flat"
    network.graph.node.append(helper.make_node("Log", ["means_flat"], ["embedding"]))
    with pytest.raises(ModelError, match="gave embeddings that are not finite numbers"):
        score_unsealed(embedding_card(), LABELS[:5], network.SerializeToString(), np.full(SHAPE, -1, np.float32))
