from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from birddask.errors import ModelError
from birddask.models.fit import require_fit
from birddask.models.network import Value, look_into
from birddask.models.session import score_unsealed
from birddask.storage import Folder
from tests.support.models import TINY_LABELS, linear_network, tiny_card

SHAPE = (1, 16, 63)
PLAIN = linear_network(5, SHAPE)
FOREIGN = "needs operators that are not of ONNX"

Change = Callable[[onnx.ModelProto], object]


def changed(change: Change) -> bytes:
    model = onnx.load_from_string(PLAIN)
    change(model)
    return bytes(model.SerializeToString())


def elsewhere(location: str) -> Change:
    """Weights in another file."""

    def change(model: onnx.ModelProto) -> None:
        (weights,) = model.graph.initializer
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)

    return change


def constant_elsewhere(model: onnx.ModelProto) -> None:
    """A constant of a node in another file, in a branch of a branch."""
    tensor = numpy_helper.from_array(np.zeros(5, np.float32), "bias")
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="/etc/hostname")
    node = helper.make_node("Constant", [], ["bias"], value=tensor)
    for _ in range(2):
        branch = helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, [5])])
        node = helper.make_node("If", ["flag"], ["bias"], then_branch=branch, else_branch=branch)
    model.graph.node.append(node)


def sparse_elsewhere(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    values.external_data.add(key="location", value="sparse.bin")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [5]))


def custom(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.acme"
    model.opset_import.append(helper.make_opsetid("com.acme", 1))


def custom_in_a_loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([helper.make_node("Mel", ["x"], ["y"], domain="acme")], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["trips", "go"], ["last"], body=body))


def in_two_pieces() -> bytes:
    """Protocol Buffers join a message that stands several times."""
    piece = onnx.GraphProto(node=[helper.make_node("Mel", ["x"], ["y"], domain="acme")])
    content = PLAIN + bytes(onnx.ModelProto(graph=piece).SerializeToString())
    assert [node.op_type for node in onnx.load_from_string(content).graph.node] == ["Flatten", "Gemm", "Mel"]
    return content


def own_function(model: onnx.ModelProto) -> None:
    opset = [helper.make_opsetid("", 17)]
    function = helper.make_function("pkg.torch", "Mel", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], opset)
    model.functions.append(function)


def nested(model: onnx.ModelProto) -> None:
    graph = helper.make_graph([], "innermost", [], [])
    for _ in range(20):
        graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=graph)], "outer", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=graph))


def random(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("RandomNormalLike", ["logits"], ["noise"]))


def second_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("week", TensorProto.FLOAT, [1]))


def reads(type_: int, *sides: int | str) -> Change:
    return lambda model: model.graph.input[0].CopyFrom(helper.make_tensor_value_info("mels", type_, sides))


def gives(type_: int, *sides: int | str) -> Change:
    return lambda model: model.graph.output[0].CopyFrom(helper.make_tensor_value_info("logits", type_, sides))


def reads_a_sequence(model: onnx.ModelProto) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("mels", TensorProto.FLOAT, [1]))


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[-1].output[0] = "scores"


FLOAT, HALF, INTEGER = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64
HOSTILE = {
    "no bytes": (b"", "is empty"),
    "text": (b"weights of the model\n", "is not an ONNX file"),
    "zeros": (bytes(4096), "is not an ONNX file"),
    "another message": (b"\x08\x08", "there is no network in it"),
    "a pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "`git lfs pull` brings the file",
    ),
    "cut off": (PLAIN[:-100], r"only a part of one \(\d+ bytes\): a field of \d+ bytes ends \d+ bytes behind its end"),
    "cut off early": (PLAIN[:30], "only a part of one"),
    "beside it": (changed(elsewhere("model.onnx.data")), r"other files \(model\.onnx\.data\).*external_data=False"),
    "outside": (changed(elsewhere("../../secrets")), r"keeps weights in other files \(\.\./\.\./secrets\)"),
    "no place": (changed(elsewhere("")), r"keeps weights in other files \(\)"),
    "deep inside": (changed(constant_elsewhere), r"keeps weights in other files \(/etc/hostname\)"),
    "sparse": (changed(sparse_elsewhere), r"keeps weights in other files \(sparse\.bin\)"),
    "custom operator": (changed(custom), rf"{FOREIGN} \(com\.acme\.Flatten\); export it with standard operators"),
    "custom in a loop": (changed(custom_in_a_loop), rf"{FOREIGN} \(acme\.Mel\)"),
    "in two pieces": (in_two_pieces(), rf"{FOREIGN} \(acme\.Mel\)"),
    "function": (changed(own_function), r"functions of its own \(pkg\.torch\.Mel\);.*inline_local_functions"),
    "nested": (changed(nested), "networks in networks, more than 16 deep"),
    "random": (changed(random), r"draws random numbers \(RandomNormalLike\).*model\.eval\(\)"),
    "two inputs": (changed(second_input), r"has the inputs \['mels', 'week'\]"),
    "another output": (changed(rename_output), r"the outputs \['scores'\]; its card names \['mels'\] and \['logits'\]"),
    "other frames": (
        changed(reads(FLOAT, "batch", 1, 16, 64)),
        r"mels \(any, 1, 16, 64\) float32; .* \(any, 1, 16, 63\)",
    ),
    "axes changed": (changed(reads(FLOAT, "batch", 1, 63, 16)), r"reads mels \(any, 1, 63, 16\) float32"),
    "three axes": (changed(reads(FLOAT, "batch", 16, 63)), r"reads mels \(any, 16, 63\) float32"),
    "half": (changed(reads(HALF, "batch", 1, 16, 63)), "reads mels .* float16, and mels are float32"),
    "sequence": (changed(reads_a_sequence), "reads mels of unknown shape no tensor"),
    "fewer scores": (changed(gives(FLOAT, "batch", 4)), r"gives logits \(any, 4\) float32, its bundle has 5 labels"),
    "scores of frames": (changed(gives(FLOAT, "batch", 63, 5)), r"gives logits \(any, 63, 5\) float32"),
    "whole numbers": (
        changed(gives(INTEGER, "batch", 5)),
        "int64, its bundle has 5 labels; scores are .* float32",
    ),
}


@pytest.mark.parametrize(("content", "message"), HOSTILE.values(), ids=HOSTILE)
def test_what_must_not_run_is_refused_before_any_runtime_sees_it(
    content: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object) -> None:
        pytest.fail("ONNX Runtime was asked")

    monkeypatch.setattr(onnxruntime, "InferenceSession", run)
    with pytest.raises(ModelError, match=f"^the network of tiny .*{message}"):
        score_unsealed(tiny_card(), TINY_LABELS, content, np.zeros(SHAPE, np.float32))


def test_a_file_of_pytorch_is_called_by_its_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.onnx", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(ModelError, match="a zip file, as PyTorch and Keras save; export it to ONNX"):
        look_into((tmp_path / "model.onnx").read_bytes(), "it")


def test_onnx_runtime_would_have_read_the_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (weights,) = onnx.load_from_string(PLAIN).graph.initializer
    (tmp_path / "weights").write_bytes(weights.raw_data)
    monkeypatch.chdir(tmp_path)
    hostile = changed(elsewhere("weights"))
    mels = np.zeros((1, *SHAPE), np.float32)
    onnxruntime.InferenceSession(hostile, providers=["CPUExecutionProvider"]).run(None, {"mels": mels})
    with pytest.raises(ModelError, match="keeps weights in other files"):
        look_into(hostile, "it")


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.opset_import.append(helper.make_opsetid("pkg.onnxscript.torch_lib", 1)),
        lambda model: setattr(model.graph.node[0], "domain", "ai.onnx"),
        lambda model: model.metadata_props.add(key="author", value="wren"),
        reads(FLOAT, "n", "c", "h", "w"),
        reads(FLOAT, 8, 1, 16, 63),
        gives(FLOAT, "n", "labels"),
        lambda model: model.graph.input[0].type.tensor_type.ClearField("shape"),
        lambda model: model.graph.output[0].type.tensor_type.ClearField("shape"),
    ],
)
def test_what_is_left_open_or_unused_is_no_reason(change: Change) -> None:
    mels = np.random.default_rng(0).normal(-30, 20, SHAPE).astype(np.float32)
    expected = score_unsealed(tiny_card(), TINY_LABELS, PLAIN, mels)
    np.testing.assert_array_equal(score_unsealed(tiny_card(), TINY_LABELS, changed(change), mels), expected)


def test_the_layout_of_the_card_is_what_the_network_must_read() -> None:
    card = replace(tiny_card(), input=replace(tiny_card().input, layout="mel_frame_channel"))
    require_fit(card, TINY_LABELS, changed(reads(FLOAT, "batch", 16, 63, 1)))
    with pytest.raises(ModelError, match=r"its card feeds it \(any, 16, 63, 1\), mel_frame_channel"):
        require_fit(card, TINY_LABELS, PLAIN)


def test_stored_values_are_no_inputs_and_outputs_know_their_makers() -> None:
    model = onnx.load_from_string(PLAIN)
    model.graph.input.append(helper.make_tensor_value_info("weights", FLOAT, [5, 1008]))
    model.graph.node.append(helper.make_node("Sigmoid", ["logits"], ["scores"]))
    model.graph.output.append(helper.make_tensor_value_info("scores", FLOAT, None))
    network = look_into(model.SerializeToString(), "it")
    assert network.inputs == (Value("mels", "float32", (None, 1, 16, 63)),)
    assert network.outputs == (Value("logits", "float32", (None, 5)), Value("scores", "float32", None))
    assert network.makers == {"logits": "Gemm", "scores": "Sigmoid"}


def test_birdnet_is_what_onnx_runtime_says_it_is(birdnet: Folder) -> None:
    content = birdnet.read("model.onnx")
    network = look_into(content, "BirdNET")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for ours, theirs in ((network.inputs, session.get_inputs()), (network.outputs, session.get_outputs())):
        assert [value.name for value in ours] == [value.name for value in theirs]
        assert [value.shape[1:] for value in ours if value.shape] == [tuple(value.shape[1:]) for value in theirs]
