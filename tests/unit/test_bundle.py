from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from birddask.errors import BirddaskError, ConfigError, ModelError
from birddask.models.bundle import parse_labels, read_bundle, read_card
from birddask.models.cache import CACHE_VARIABLE, cached_models, find_bundle
from birddask.models.card import BundleFiles, NetworkEmbedding
from birddask.models.known_clip import known_clip
from birddask.models.library import check_bundle, get_model, known_models, seal_bundle
from birddask.models.sealing import npz
from birddask.storage import Folder
from tests.support.models import TINY_LABELS, linear_network, tiny_card, write_tiny_bundle, write_unsealed_bundle

Change = Callable[[Path], object]

FILES = ["known_answer.npz", "labels.txt", "model.onnx", "model.yaml"]


@pytest.fixture
def sealed(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the sealed bundle, to be spoilt."""
    return shutil.copytree(tiny_bundle, tmp_path / "tiny")


@pytest.fixture
def unsealed(tmp_path: Path) -> Path:
    """What a user brings, to be spoilt."""
    card = tiny_card()
    write_unsealed_bundle(tmp_path / "tiny", card, TINY_LABELS, linear_network(5, card.mels.shape))
    return tmp_path / "tiny"


def edit(before: str, after: str, name: str = "model.yaml") -> Change:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert text.count(before) == 1
        (folder / name).write_text(text.replace(before, after))

    return change


def write(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def append(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes() + content)


def delete(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def write_one_array(folder: Path) -> None:
    with (folder / "front_end.npz").open("wb") as stream:
        np.save(stream, np.ones(3))


def write_bomb(folder: Path) -> None:
    with zipfile.ZipFile(folder / "front_end.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", bytes(257 << 20))
    assert (folder / "front_end.npz").stat().st_size < 1 << 20


def write_promise(folder: Path) -> None:
    """Arrays of terabytes, of which only the header is there."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**13,)})
    with zipfile.ZipFile(folder / "front_end.npz", "w") as archive:
        archive.writestr("w.npy", header.getvalue())


def test_a_bundle_is_read_as_it_was_sealed(sealed: Path) -> None:
    bundle = read_bundle(Folder(str(sealed)))
    assert bundle.labels == TINY_LABELS
    assert bundle.network == (sealed / "model.onnx").read_bytes()
    assert replace(bundle.card, files=None) == replace(tiny_card(), embedding=NetworkEmbedding("embedding", 16))
    assert bundle.known_answer.waveform.shape == (8000,)
    assert bundle.known_answer.mels.shape == (1, 16, 63)
    assert bundle.known_answer.probabilities.shape == (5,)
    assert sorted(path.name for path in sealed.iterdir()) == FILES


def test_sealing_keeps_the_text_of_the_card(unsealed: Path) -> None:
    append("model.yaml", "# tuned on the ridge, Föhr\n".encode())(unsealed)
    text = (unsealed / "model.yaml").read_text()
    seal_bundle(Folder(str(unsealed)))
    assert (unsealed / "model.yaml").read_text().startswith(text)


def test_sealing_the_same_files_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_tiny_bundle(tmp_path / name / "tiny")
    for name in FILES:
        assert (tmp_path / "one/tiny" / name).read_bytes() == (tmp_path / "two/tiny" / name).read_bytes()


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (delete("model.yaml"), ConfigError, "tiny is not a model bundle: it has no model.yaml"),
        (delete("model.onnx"), ConfigError, "tiny lacks model.onnx"),
        (delete("labels.txt"), ConfigError, "tiny lacks labels.txt"),
        (delete("known_answer.npz"), ConfigError, "tiny lacks known_answer.npz"),
        (append("model.onnx", b"\0"), ConfigError, "model.onnx is not the file that model.yaml names"),
        (append("labels.txt", b"bat\n"), ConfigError, "labels.txt is not the file that model.yaml names"),
        (append("known_answer.npz", b"\0"), ConfigError, "known_answer.npz is not the file that model.yaml names"),
        (edit("licence:", "license:"), ConfigError, "model.yaml: unknown key `license`; did you mean `licence`"),
        (edit("title: A model for tests\n", ""), ConfigError, "model.yaml: the key `title` is missing"),
        (edit("name: tiny\n", "name: My Model\n"), ConfigError, "model.yaml: the model name 'My Model'"),
        (edit("tolerance: 0.0001", "tolerance: small"), ConfigError, "model.yaml: `tolerance`"),
        (edit("tolerance: 0.0001", "tolerance: .nan"), ConfigError, "model.yaml: `tolerance`"),
        (edit("activation: sigmoid", "activation: relu"), ConfigError, "`output.activation`"),
        (edit("floor: 1.0e-10", "floor: 0"), ConfigError, "model.yaml: decibels need a `floor`"),
        (write("model.yaml", b""), ConfigError, "model.yaml must hold `key: value` lines"),
        (write("model.yaml", b"name: [\n"), ConfigError, "model.yaml is not valid YAML"),
        (append("model.yaml", b"# \xe9\n"), ConfigError, "model.yaml is not valid YAML"),
        (edit("hop_samples: 128", "hop_samples: 64"), ConfigError, "known_answer.npz is not of this model.yaml"),
        (edit("length_samples: 8000", "length_samples: 9000"), ConfigError, "models check --seal"),
        (edit("htk", "slaney"), ModelError, "the mels of the known clip of tiny come out wrong"),
        (edit("activation: sigmoid", "activation: softmax"), ModelError, "tiny scores its known clip wrongly"),
        (edit("activation: sigmoid", "activation: none"), ModelError, "not probabilities"),
        (edit("before: min_max", "before: none"), ModelError, "tiny scores its known clip wrongly"),
        (
            edit("name: mels\n", "name: melz\n"),
            ModelError,
            r"has the inputs \['mels'\] .* names \['melz'\] and \['logits'",
        ),
        (edit("name: logits", "name: scores"), ModelError, r"the outputs \['logits', .* and \['scores', 'emb"),
        (edit("name: embedding", "name: features"), ModelError, r"names \['mels'\] and \['logits', 'features'\]"),
        (edit("width: 16", "width: 17"), ModelError, r"embedding \(any, 16\) .* card says 17 numbers"),
        (edit("channel_mel_frame", "mel_frame_channel"), ModelError, r"card feeds it \(any, 16, 63, 1\)"),
    ],
)
def test_what_is_wrong_with_a_sealed_bundle_is_said(
    spoil: Change, error: type[BirddaskError], message: str, sealed: Path
) -> None:
    spoil(sealed)
    with pytest.raises(error, match=message):
        check_bundle(Folder(str(sealed)))


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (delete("model.onnx"), ConfigError, "tiny lacks model.onnx"),
        (delete("labels.txt"), ConfigError, "tiny lacks labels.txt"),
        (write("labels.txt", b"wren\nrobin\nwren\n"), ConfigError, "labels.txt, line 3 repeats 'wren'"),
        (write("labels.txt", b"wren\n\nowl\n"), ConfigError, "labels.txt, line 2 is empty"),
        (write("labels.txt", "Mönchsgrasmücke\n".encode("latin-1")), ConfigError, "labels.txt is not UTF-8 text"),
        (write("labels.txt", "wren\n".encode("utf-16")), ConfigError, "labels.txt is not UTF-8 text"),
        (write("labels.txt", b"wren\nrobin\n"), ModelError, r"logits \(any, 5\) .* bundle has 2 labels"),
        (
            write("labels.txt", b"\n".join(b"%d" % n for n in range(100_001))),
            ConfigError,
            "labels.txt has 100001 lines",
        ),
        (write("labels.txt", b""), ModelError, "bundle has 0 labels"),
        (write("model.onnx", b"something else"), ModelError, "network of tiny is not an ONNX file"),
        (
            write("model.onnx", linear_network(5, (1, 16, 64))),
            ModelError,
            r"mels \(any, 1, 16, 64\) float32; .* \(any, 1, 16, 63\)",
        ),
        (
            write("model.onnx", linear_network(5, (1, 8, 126))),
            ModelError,
            r"mels \(any, 1, 8, 126\) float32; .* \(any, 1, 16, 63\)",
        ),
        (write("model.onnx", linear_network(6, (1, 16, 63))), ModelError, r"logits \(any, 6\) .* bundle has 5 labels"),
        (write("front_end.npz", b"nothing"), ConfigError, "front_end.npz is not a file of arrays"),
        (write("front_end.npz", b""), ConfigError, "front_end.npz is not a file of arrays"),
        (write_one_array, ConfigError, "front_end.npz is not a file of arrays"),
        (write_bomb, ConfigError, "front_end.npz would unpack to more than 256 MiB"),
        (write_promise, ConfigError, "front_end.npz is not a file of arrays"),
        (edit("window: hann", "window: {array: w, sha256: abc}"), ModelError, "front_end.npz lacks the array 'w'"),
        (append("model.yaml", b"files: null\n"), ConfigError, "can't be added at the end of .*model.yaml"),
        (append("model.yaml", b"...\n"), ConfigError, "can't be added at the end of .*model.yaml"),
    ],
)
def test_what_is_wrong_with_an_unsealed_bundle_is_said_and_nothing_is_written(
    spoil: Change, error: type[BirddaskError], message: str, unsealed: Path
) -> None:
    spoil(unsealed)
    before = {path: path.read_bytes() for path in unsealed.iterdir()}
    with pytest.raises(error, match=message):
        seal_bundle(Folder(str(unsealed)))
    assert {path: path.read_bytes() for path in unsealed.iterdir()} == before


def test_an_unsealed_bundle_is_not_run(unsealed: Path) -> None:
    with pytest.raises(ConfigError, match=f"not sealed: run `birddask models check --seal {unsealed}`"):
        read_bundle(Folder(str(unsealed)))


def test_a_bundle_is_sealed_only_once(sealed: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.yaml is sealed already; delete its `files:` section"):
        seal_bundle(Folder(str(sealed)))


def test_a_bundle_can_be_sealed_anew_as_the_message_says(sealed: Path) -> None:
    text = (sealed / "model.yaml").read_text()
    (sealed / "model.yaml").write_text(text[: text.index("files:")])
    seal_bundle(Folder(str(sealed)))
    assert (sealed / "model.yaml").read_text() == text


def test_labels_of_windows_are_the_same_labels() -> None:
    assert parse_labels("\ufeffMönchsgrasmücke\r\nwren \r\n".encode(), "labels.txt") == ("Mönchsgrasmücke", "wren")


def test_arrays_have_the_same_bytes_whenever_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"a": np.arange(9, dtype=np.float32)}
    written = npz(arrays)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert npz(arrays) == written


def test_the_fingerprint_is_of_what_decides_a_probability() -> None:
    files = BundleFiles(model="a", labels="b", known_answer="c", front_end="d")
    card = replace(tiny_card(), files=files)
    without_effect = [
        replace(card, title="x"),
        replace(card, licence="x"),
        replace(card, attribution="x"),
        replace(card, source="x"),
        replace(card, tolerance=1.0),
        replace(card, files=replace(files, known_answer="x")),
    ]
    with_effect = [
        replace(card, name="x"),
        replace(card, mels=replace(card.mels, dtype="float16")),
        replace(card, input=replace(card.input, before="none")),
        replace(card, output=replace(card.output, activation="softmax")),
        replace(card, files=replace(files, model="x")),
        replace(card, files=replace(files, labels="x")),
        replace(card, files=replace(files, front_end="x")),
    ]
    assert {each.fingerprint for each in without_effect} == {card.fingerprint}
    assert len({each.fingerprint for each in [card, *with_effect]}) == len(with_effect) + 1


@pytest.fixture
def cache(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one model."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    shutil.copytree(tiny_bundle, tmp_path / "cache/models/tiny")
    return tmp_path / "cache"


def test_a_model_is_found_by_name_path_and_url(cache: Path, tiny_bundle: Path) -> None:
    assert cached_models() == ["tiny"]
    places = [find_bundle("tiny"), find_bundle(str(tiny_bundle)), find_bundle(tiny_bundle.as_uri())]
    assert {read_card(place).fingerprint for place in places} == {read_card(Folder(str(tiny_bundle))).fingerprint}


def test_only_folders_of_the_cache_itself_are_models(cache: Path, tiny_bundle: Path) -> None:
    shutil.copytree(tiny_bundle, cache / "models/old/tiny")
    (cache / "models/half").mkdir()
    assert cached_models() == ["tiny"]


def test_known_models_are_those_in_the_cache_and_those_to_fetch(cache: Path) -> None:
    models = known_models()
    assert list(models) == ["tiny", "birdnet-v2.4", "birdvoxdetect"]
    assert models["tiny"] == read_card(Folder(str(cache / "models/tiny")))
    assert models["birdnet-v2.4"] is None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("wren", r"no model named 'wren' .*\(there: tiny\); give the path of a bundle, or a name that is there"),
        ("tiyn", r"\(there: tiny\); did you mean `tiny`\?"),
        ("birdnet-2.4", r"\(there: tiny\); did you mean `birdnet-v2.4`\?"),
        ("birdnet-v2.4", r"\(there: tiny\); fetch it with `birddask models get birdnet-v2.4`"),
        ("./wren", "no model bundle in ./wren: it has no model.yaml"),
        ("here", "not in the cache; for the folder write ./here"),
    ],
)
def test_a_model_that_is_not_there_is_named(
    model: str, message: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        find_bundle(model)


def test_an_empty_cache_has_no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "nothing"))
    assert cached_models() == []
    with pytest.raises(ConfigError, match=r"\(there: none\)"):
        find_bundle("wren")


def test_only_known_models_can_be_fetched(cache: Path) -> None:
    with pytest.raises(ConfigError, match=r"'perch' can't be fetched by name \(known: birdnet-v2\.4, birdvoxdetect\)"):
        get_model("perch", None)


def test_the_converters_packages_are_asked_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs onnx and tflite: pip install 'birddask\[birdnet\]'"):
        get_model("birdnet-v2.4", None)
    with pytest.raises(ConfigError, match=r"needs h5py and onnx: pip install 'birddask\[birdvoxdetect\]'"):
        get_model("birdvoxdetect", None)


@pytest.mark.parametrize(("rate", "samples"), [(48_000, 144_000), (8000, 8000), (22_050, 66_150)])
def test_the_known_clip_is_sound_in_steps_of_16_bits(rate: int, samples: int) -> None:
    clip = known_clip(rate, samples)
    assert clip.shape == (samples,)
    assert clip.dtype == np.float32
    np.testing.assert_array_equal(clip * 32_768, np.round(clip * 32_768))
    assert 0.1 < np.abs(clip).max() < 1
    np.testing.assert_array_equal(known_clip(rate, samples), clip)
