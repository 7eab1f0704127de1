from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from birddask.errors import BirddaskError, ConfigError, ModelError
from birddask.mels.transform import prepare
from birddask.models.bundle import Preset, read_bundle, read_preset
from birddask.models.card import NetworkEmbedding, NetworkInput, NetworkOutput
from birddask.models.importing import Choices, card_for, import_bundle
from birddask.models.network import Network, Value, look_into
from birddask.storage import Folder
from tests.support.models import TINY_LABELS, linear_network, tiny_card
from tests.support.program import birddask, write_job

SHAPE = (1, 16, 63)
MELS = Value("spectrogram", "float32", (None, *SHAPE))
SCORES = Value("scores", "float32", (None, 5))
EMBEDDING = Value("embedding", "float32", (None, 1280))
LABELS = "".join(f"{label}\n" for label in TINY_LABELS).encode()
MINE = Choices("mine")


def network(*outputs: Value, reads: Value = MELS, made_by: str = "Gemm") -> Network:
    return Network((reads,), outputs, {value.name: made_by for value in outputs})


def test_what_the_file_says_is_taken_from_it_and_the_rest_from_the_preset() -> None:
    found = card_for(network(EMBEDDING, SCORES), 5, tiny_card(), MINE)
    assert found.name == "mine"
    assert found.input == NetworkInput("spectrogram", "channel_mel_frame", "min_max")
    assert found.output == NetworkOutput("scores", "sigmoid")
    assert (found.mels, found.tolerance) == (tiny_card().mels, tiny_card().tolerance)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((None, 1, 16, 63), "channel_mel_frame"),
        ((8, None, None, 63), "channel_mel_frame"),
        ((None, 16, 63, 1), "mel_frame_channel"),
        ((None, 16, None, 1), "mel_frame_channel"),
        ((None, 1, 63, 16), "channel_frame_mel"),
        ((None, 16, 63), "mel_frame"),
        ((None, 63, None), "frame_mel"),
        ((None, None, None, None), "channel_mel_frame"),
        (None, "channel_mel_frame"),
    ],
)
def test_the_layout_is_read_from_the_shape_and_otherwise_the_presets(
    shape: tuple[int | None, ...] | None, layout: str
) -> None:
    found = card_for(network(SCORES, reads=replace(MELS, shape=shape)), 5, tiny_card(), MINE)
    assert found.input.layout == layout


def test_the_user_has_the_last_word_on_what_the_file_leaves_open() -> None:
    reads, twin = replace(MELS, shape=(None, None, None)), replace(SCORES, name="twin")
    choices = Choices("mine", "frame_mel", "twin", "softmax")
    found = card_for(network(SCORES, twin, reads=reads), 5, tiny_card(), choices)
    assert found.input.layout == "frame_mel"
    assert found.output == NetworkOutput("twin", "softmax")


@pytest.mark.parametrize("maker", ["Sigmoid", "Softmax"])
def test_a_network_that_makes_probabilities_gets_no_activation(maker: str) -> None:
    assert card_for(network(SCORES, made_by=maker), 5, tiny_card(), MINE).output.activation == "none"
    with pytest.raises(ConfigError, match=f"comes from a {maker} in the network: a sigmoid after it would spoil"):
        card_for(network(SCORES, made_by=maker), 5, tiny_card(), Choices("mine", activation="sigmoid"))


@pytest.mark.parametrize("open_width", [None, (None, None)])
def test_an_output_of_unknown_width_counts_only_where_none_is_known_to_fit(
    open_width: tuple[None, None] | None,
) -> None:
    unsure = replace(EMBEDDING, shape=open_width)
    assert card_for(network(unsure, SCORES), 5, tiny_card(), MINE).output.name == "scores"
    assert card_for(network(unsure), 5, tiny_card(), MINE).output.name == "embedding"


@pytest.mark.parametrize(
    ("found", "choices", "message"),
    [
        (Network((), (SCORES,), {}), MINE, r"has 0 inputs \(nothing\), and birddask feeds one"),
        (Network((MELS, MELS), (SCORES,), {}), MINE, r"has 2 inputs \(spectrogram .*; spectrogram .*\)"),
        (network(EMBEDDING), MINE, r"5 labels, and the network gives embedding \(any, 1280\) float32: is it the right"),
        (network(replace(SCORES, shape=(None, 4))), MINE, r"5 labels, and the network gives scores \(any, 4\)"),
        (network(replace(SCORES, shape=(None, 63, 5))), MINE, r"gives scores \(any, 63, 5\)"),
        (network(replace(SCORES, type="int64")), MINE, "gives scores .* int64"),
        (
            network(SCORES, replace(SCORES, name="twin")),
            MINE,
            r"scores .*; twin .*; say which are the scores with --out",
        ),
        (network(SCORES), Choices("mine", output="wrens"), r"no output 'wrens'; it gives scores \(any, 5\) float32"),
        (network(SCORES, EMBEDDING), Choices("mine", output="embedding"), "gives embedding .*: is it the right file"),
        (network(SCORES, reads=replace(MELS, shape=(None, 1, 64, 63))), MINE, r"\(1, 16, 63\) as channel_mel_frame.*"),
        (network(SCORES, reads=replace(MELS, shape=(None, 64, 63))), MINE, "is it the preset that the network was"),
        (
            network(SCORES, reads=replace(MELS, shape=(8, None, None))),
            MINE,
            "mel_frame or frame_mel; say which with --l",
        ),
        (network(SCORES), Choices("mine", "mel_frame_channel"), "mel_frame_channel is asked for: is it the preset"),
    ],
)
def test_what_does_not_fit_or_is_not_clear_is_refused_with_the_choices(
    found: Network, choices: Choices, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        card_for(found, 5, tiny_card(), choices)


def test_an_imported_bundle_scores_as_the_network_does(tmp_path: Path) -> None:
    content = linear_network(5, SHAPE)
    folder = Folder(str(tmp_path / "mine"))
    card = import_bundle(folder, content, LABELS, Preset(tiny_card(), {}), MINE)
    bundle = read_bundle(folder)
    assert bundle.card == card
    assert bundle.labels == TINY_LABELS
    assert bundle.network == content
    assert card.licence == "not stated; write yours into this card"


def test_a_bundle_is_a_preset_with_its_arrays(birdnet: Folder) -> None:
    preset = read_preset(birdnet)
    assert set(preset.front_end) == {"window_1", "mel_1", "window_2", "mel_2"}


def test_arrays_of_the_preset_go_along(birdnet: Folder, tmp_path: Path) -> None:
    content = linear_network(5, (2, 96, 511))
    import_bundle(Folder(str(tmp_path)), content, LABELS, read_preset(birdnet), MINE)
    bundle, original = read_bundle(Folder(str(tmp_path))), read_bundle(birdnet)
    # Made here: the last bits of the cached one are those of the machine, and of the number of threads, that made it.
    mels = prepare(original.card.mels, original.front_end).mels(original.known_answer.waveform)
    np.testing.assert_array_equal(bundle.known_answer.mels, mels)
    assert bundle.card.mels.store_name == original.card.mels.store_name


@pytest.mark.parametrize(
    ("content", "labels", "error", "message"),
    [
        (linear_network(5, SHAPE), b"a\nb\n", ConfigError, "there are 2 labels"),
        (linear_network(5, SHAPE), b"", ConfigError, "there are 0 labels"),
        (linear_network(5, SHAPE), b"a\nb\na\nc\nd\n", ConfigError, "the file of labels, line 3 repeats 'a'"),
        (linear_network(5, SHAPE)[:-9], LABELS, ModelError, "not an ONNX file, or only a part of one"),
        (b"", LABELS, ModelError, "the network is empty"),
    ],
)
def test_nothing_is_written_of_what_is_refused(
    content: bytes, labels: bytes, error: type[BirddaskError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        import_bundle(Folder(str(tmp_path / "mine")), content, labels, Preset(tiny_card(), {}), MINE)
    assert not (tmp_path / "mine").exists()


def test_an_embedding_is_named_and_its_width_read(tmp_path: Path) -> None:
    choices = replace(MINE, output="logits", embedding="embedding")
    content = linear_network(5, SHAPE, embedding=True)
    made = import_bundle(Folder(str(tmp_path / "mine")), content, LABELS, Preset(tiny_card(), {}), choices)
    assert made.embedding == NetworkEmbedding("embedding", 16)
    with pytest.raises(ConfigError, match="the network has no output 'features'; it gives logits"):
        card_for(look_into(content, "it"), 5, tiny_card(), replace(choices, embedding="features"))
    open_width = network(SCORES, Value("embedding", "float32", (None, None)))
    with pytest.raises(ConfigError, match=r"an embedding is \(any, width\), and the file says the width"):
        card_for(open_width, 5, tiny_card(), replace(choices, output="scores", embedding="embedding"))
    own = replace(tiny_card(), embedding=NetworkEmbedding("embedding", 9))
    assert card_for(network(SCORES), 5, own, MINE).embedding is None


def test_a_bundle_that_is_there_stays(tiny_bundle: Path) -> None:
    before = {path: path.read_bytes() for path in tiny_bundle.iterdir()}
    with pytest.raises(ConfigError, match="is a model bundle already; choose another --name or --to"):
        import_bundle(Folder(str(tiny_bundle)), linear_network(5, SHAPE), LABELS, Preset(tiny_card(), {}), MINE)
    assert {path: path.read_bytes() for path in tiny_bundle.iterdir()} == before


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network, labels and an empty cache."""
    monkeypatch.setenv("BIRDDASK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "wrens.onnx").write_bytes(linear_network(5, SHAPE))
    (tmp_path / "labels.txt").write_bytes(LABELS)
    return tmp_path


def test_a_network_is_imported_by_name_and_found_by_a_job(brought: Path, tiny_bundle: Path) -> None:
    labels = ("--preset", tiny_bundle, "--labels", brought / "labels.txt")
    ended = birddask("models", "import", brought / "wrens.onnx", *labels)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[:2] == [
        f"reads mels (any, 1, 16, 63) float32, as channel_mel_frame: mels {tiny_card().mels.store_name}",
        "gives logits (any, 5) float32, from Gemm: probabilities by sigmoid",
    ]
    assert "`model: wrens` in a job file" in ended.stdout
    assert birddask("models", "list").stdout.startswith("wrens: wrens, not stated")
    (brought / "archive").mkdir()
    job = write_job(brought / "job.yaml", brought / "archive", brought / "out", "wrens")
    assert birddask("run", job, "--dry-run").returncode == 0


def test_a_network_is_imported_into_a_folder(brought: Path, tiny_bundle: Path) -> None:
    files = (brought / "wrens.onnx", "--preset", tiny_bundle, "--labels", brought / "labels.txt")
    ended = birddask("models", "import", *files, "--to", brought / "bundle", "--activation", "softmax")
    assert ended.returncode == 0, ended.stderr
    assert f"`model: {brought / 'bundle'}` in a job file" in ended.stdout
    assert read_bundle(Folder(str(brought / "bundle"))).card.output.activation == "softmax"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--labels", "nowhere.txt"), "nowhere.txt can't be read: there is no such file"),
        (("--preset", "warbler"), "there is no preset named 'warbler'"),
        (("--name", "My Model"), "the model name 'My Model' must be of lower-case letters"),
        (("--activation", "relu"), "Invalid value for '--activation'"),
        (("--output", "wrens"), "has no output 'wrens'"),
    ],
)
def test_mistakes_of_users_are_said_in_a_line(
    change: tuple[str, str], said: str, brought: Path, tiny_bundle: Path
) -> None:
    files = ("--preset", tiny_bundle, "--labels", brought / "labels.txt")
    ended = birddask("models", "import", brought / "wrens.onnx", *files, *change)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (brought / "cache").exists()
