"""Networks that contain their own spectrogram, cut in two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from birddask.documents import to_yaml
from birddask.errors import ModelError
from birddask.models.bundle import read_preset
from birddask.models.splitting import off_preset, split_network
from birddask.storage import Folder
from tests.support.models import TINY_BINS, TINY_LABELS, TINY_RATE, tiny_card
from tests.support.program import birddask

FRAMES = 63


def whole_network(clips: int | str = "clips", samples: int | str = TINY_RATE, *, around: bool = False) -> bytes:
    """The tiny model's mels as convolution and matrix product, then a dense layer.

    Args:
        clips: the first axis of the input.
        samples: the second.
        around: the loudness of the waveform reaches the scores, beside the spectrogram.
    """
    turns = 2 * np.pi * np.outer(np.arange(129), np.arange(256)) / 256
    waves = np.concatenate([np.cos(turns), np.sin(turns)]) * np.hanning(257)[:256]
    mel = librosa.filters.mel(sr=TINY_RATE, n_fft=256, n_mels=TINY_BINS, fmin=100, fmax=4000, htk=True, norm=None)
    weights = np.random.default_rng(3).normal(0, 0.001, (TINY_BINS * FRAMES, len(TINY_LABELS)))
    arrays = {
        "kernels": waves[:, np.newaxis].astype(np.float32),
        "mel": mel.astype(np.float32),
        "weights": weights.astype(np.float32),
        "floor": np.float32(1e-10),
        "decibels": np.float32(10 / np.log(10)),
        "top_db": np.float32(80),
        "one": np.array([1]),
        "sides": np.array([129, 129]),
        "pads": np.array([0, 0, 128, 0, 0, 128]),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["channel"]),
        helper.make_node("Pad", ["channel", "pads"], ["padded"]),
        helper.make_node("Conv", ["padded", "kernels"], ["spectrum"], strides=[128]),
        helper.make_node("Split", ["spectrum", "sides"], ["real", "imaginary"], axis=1),
        helper.make_node("Mul", ["real", "real"], ["real_2"]),
        helper.make_node("Mul", ["imaginary", "imaginary"], ["imaginary_2"]),
        helper.make_node("Add", ["real_2", "imaginary_2"], ["power"]),
        helper.make_node("MatMul", ["mel", "power"], ["mels"]),
        helper.make_node("Max", ["mels", "floor"], ["floored"]),
        helper.make_node("Log", ["floored"], ["log"]),
        helper.make_node("Mul", ["log", "decibels"], ["loudness"]),
        helper.make_node("ReduceMax", ["loudness"], ["loudest"], axes=[1, 2]),
        helper.make_node("Sub", ["loudest", "top_db"], ["least"]),
        helper.make_node("Max", ["loudness", "least"], ["cropped"]),
        helper.make_node("Unsqueeze", ["cropped", "one"], ["spectrogram"]),
        helper.make_node("Flatten", ["spectrogram"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["logits"]),
    ]
    if around:
        nodes[-1].output[0] = "without"
        nodes.append(helper.make_node("ReduceMax", ["waveform"], ["peak"], axes=[1]))
        nodes.append(helper.make_node("Add", ["without", "peak"], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "whole",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, [clips, samples])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [clips, len(TINY_LABELS)])],
        [numpy_helper.from_array(values, name) for name, values in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def with_inputs(*types: int) -> bytes:
    """A network that looks at the first of its inputs alone."""
    inputs = [helper.make_tensor_value_info(f"x{number}", each, [1, TINY_RATE]) for number, each in enumerate(types)]
    output = helper.make_tensor_value_info("y", types[0], [1, TINY_RATE])
    graph = helper.make_graph([helper.make_node("Identity", ["x0"], ["y"])], "inputs", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def run(network: bytes, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: values})
    return found


@pytest.mark.parametrize(("clips", "samples"), [("clips", TINY_RATE), ("clips", "samples"), (1, TINY_RATE)])
def test_the_halves_are_the_whole(clips: int | str, samples: int | str) -> None:
    network = whole_network(clips, samples)
    halves = split_network(network, "spectrogram", TINY_RATE if samples == "samples" else None)
    waveforms = np.random.default_rng(1).normal(0, 0.2, (3, TINY_RATE)).astype(np.float32)
    for waveform in waveforms[:, np.newaxis]:
        mels = run(halves.front_end, waveform)
        assert mels.shape == (1, 1, TINY_BINS, FRAMES)
        np.testing.assert_allclose(run(halves.rest, mels), run(network, waveform), rtol=0, atol=1e-5)
    if clips == "clips":
        together = run(halves.rest, run(halves.front_end, waveforms))
        np.testing.assert_allclose(together, run(network, waveforms), rtol=0, atol=1e-5)
    (difference,) = halves.differences
    assert (difference.what, difference.most < 1e-5, difference.largest > 1) == ("logits", True, True)
    assert [node.op_type for node in onnx.load_from_string(halves.rest).graph.node] == ["Flatten", "Gemm"]


def test_the_front_end_is_compared_with_a_preset(tmp_path: Path) -> None:
    halves = split_network(whole_network(), "spectrogram", None)
    card = tiny_card()
    preset = replace(card, input=replace(card.input, before="none"))
    (tmp_path / "model.yaml").write_text(to_yaml(preset))
    right = off_preset(halves, read_preset(Folder(str(tmp_path))))
    assert right.most < 0.01
    assert right.largest > 50
    channel = replace(preset.mels.channels[0], window="hamming")
    (tmp_path / "model.yaml").write_text(to_yaml(replace(preset, mels=replace(preset.mels, channels=(channel,)))))
    assert off_preset(halves, read_preset(Folder(str(tmp_path)))).most > 1
    channel = replace(channel, hop_samples=64)
    (tmp_path / "model.yaml").write_text(to_yaml(replace(preset, mels=replace(preset.mels, channels=(channel,)))))
    with pytest.raises(ModelError, match=r"the shape \(1, 16, 63\) a clip, the mels of tiny \(1, 16, 126\)"):
        off_preset(halves, read_preset(Folder(str(tmp_path))))
    clip = replace(preset.mels.clip, length_samples=2 * TINY_RATE)
    (tmp_path / "model.yaml").write_text(to_yaml(replace(preset, mels=replace(preset.mels, clip=clip))))
    with pytest.raises(ModelError, match="clips of the network have 8000 samples, those of tiny 16000"):
        off_preset(halves, read_preset(Folder(str(tmp_path))))


@pytest.mark.parametrize(
    ("network", "tensor", "samples", "message"),
    [
        (whole_network(), "spectrograms", None, "makes no tensor 'spectrograms'"),
        (whole_network(), "SPECTR", None, r"it makes spectrum, spectrogram\)"),
        (whole_network(), "real", None, "can't be cut at real: waveform reaches its outputs beside it"),
        (whole_network(around=True), "spectrogram", None, "waveform reaches its outputs beside it"),
        (whole_network(samples="samples"), "spectrogram", None, "give the length of a clip with --samples"),
        (whole_network(samples="samples"), "spectrogram", 100, r"the network refuses waveform \(4, 1?,? ?100\)"),
        (
            with_inputs(TensorProto.FLOAT, TensorProto.FLOAT),
            "y",
            None,
            r"has the inputs \['x0', 'x1'\], expected one: wav",
        ),
        (with_inputs(TensorProto.INT16), "y", None, r"expected float32 waveforms \(clip, samples\)"),
        (b"", "spectrogram", None, "the network"),
    ],
)
def test_what_can_not_be_cut(network: bytes, tensor: str, samples: int | None, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        split_network(network, tensor, samples)


def test_from_one_file_to_a_bundle_of_the_rest(tmp_path: Path) -> None:
    (tmp_path / "whole.onnx").write_bytes(whole_network())
    card = tiny_card("mine")
    (tmp_path / "mine").mkdir()
    preset = replace(card, input=replace(card.input, before="none"))
    (tmp_path / "mine/model.yaml").write_text(to_yaml(preset))
    (tmp_path / "labels.txt").write_text("\n".join(TINY_LABELS))
    whole, halves = tmp_path / "whole.onnx", tmp_path / "halves"
    done = birddask("models", "split", whole, "--at", "spectrogram", "--to", halves, "--preset", tmp_path / "mine")
    assert done.returncode == 0, done.stderr
    assert "logits differs by at most" in done.stdout
    command = done.stdout.split("if that will do: birddask ")[1].replace("LABELS.txt", str(tmp_path / "labels.txt"))
    made = birddask(*command.split(), "--to", tmp_path / "bundle", "--activation", "sigmoid")
    assert made.returncode == 0, made.stderr
    refused = birddask("models", "split", whole, "--at", "nothing", "--to", halves)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: the network makes no tensor 'nothing'")
