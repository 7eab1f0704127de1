from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from birddask.errors import ModelError
from birddask.models.bundle import read_bundle
from birddask.models.checking import check_lines, network_lines
from birddask.models.library import seal_bundle
from birddask.storage import Folder
from tests.support.models import TINY_LABELS, linear_network, tiny_card, write_unsealed_bundle
from tests.support.program import birddask

SHAPE = (1, 16, 63)


def test_a_bundle_tells_what_it_is_and_how_it_does(tiny_bundle: Path) -> None:
    reads, gives, describes, known, *others, takes = check_lines(Folder(str(tiny_bundle)))
    assert reads == f"reads mels (any, 1, 16, 63) float32, as channel_mel_frame: mels {tiny_card().mels.store_name}"
    assert gives == "gives logits (any, 5) float32, from Gemm: probabilities by sigmoid"
    assert describes == "gives embedding (any, 16) float32, the embedding of a clip"
    assert known == "known answer: met within 0, 0.0001 is allowed"
    assert len(others) == 1
    assert re.fullmatch(r"one clip takes \d+\.\d ms for mels and \d+\.\d ms for scores, on one thread", takes)


def test_outputs_that_are_not_used_are_listed_and_probabilities_are_called_so() -> None:
    model = onnx.load_from_string(linear_network(5, SHAPE))
    model.graph.node.append(helper.make_node("Sigmoid", ["logits"], ["scores"]))
    model.graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 5]))
    card = replace(tiny_card(), output=replace(tiny_card().output, name="scores", activation="none"))
    assert list(network_lines(card, model.SerializeToString()))[1:] == [
        "gives logits (any, 5) float32, which is not used",
        "gives scores (any, 5) float32, which are probabilities: they come from Sigmoid",
    ]


def test_another_provider_is_compared_or_said_to_be_missing(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(str(tiny_bundle))
    providers = onnxruntime.get_available_providers()
    if {"CUDAExecutionProvider", "OpenVINOExecutionProvider"}.isdisjoint(providers):
        assert "no other execution provider than the CPU's is installed to compare with" in list(check_lines(folder))
        # This ONNX Runtime has no such library: it can't do what it says it can, as on a machine without the device.
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*providers, "OpenVINOExecutionProvider"])
        assert any(line.startswith("with openvino: not to be used: ONNX Runtime can't") for line in check_lines(folder))
    else:
        assert any("the known answer is met within" in line for line in check_lines(folder))


def test_a_bundle_is_checked_by_name_and_by_path(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIRDDASK_CACHE", str(tmp_path))
    shutil.copytree(tiny_bundle, tmp_path / "models/wren")
    monkeypatch.chdir(tmp_path / "models")
    for place in ("wren", "./wren", tmp_path / "models/wren", tiny_bundle.as_uri()):
        ended = birddask("models", "check", str(place))
        assert ended.returncode == 0, ended.stderr
        assert "known answer: met within 0" in ended.stdout
        assert ended.stdout.splitlines()[-1].endswith("computes its known answer")


def test_a_network_that_was_exchanged_after_sealing_is_not_run(tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "tiny")
    (tmp_path / "tiny/model.onnx").write_bytes(linear_network(5, SHAPE, seed=3))
    ended = birddask("models", "check", tmp_path / "tiny")
    assert ended.returncode == 2
    assert "model.onnx is not the file that model.yaml names" in ended.stderr


def test_sealing_and_checking_is_one_command(tmp_path: Path) -> None:
    write_unsealed_bundle(tmp_path / "tiny", tiny_card(), TINY_LABELS, linear_network(5, SHAPE))
    ended = birddask("models", "check", "--seal", tmp_path / "tiny")
    assert ended.returncode == 0, ended.stderr
    assert read_bundle(Folder(str(tmp_path / "tiny"))).labels == TINY_LABELS


def test_a_bundle_that_computes_another_answer_fails(tmp_path: Path) -> None:
    write_unsealed_bundle(tmp_path / "tiny", tiny_card(), TINY_LABELS, linear_network(5, SHAPE))
    seal_bundle(Folder(str(tmp_path / "tiny")))
    card = (tmp_path / "tiny/model.yaml").read_text()
    (tmp_path / "tiny/model.yaml").write_text(card.replace("before: min_max", "before: none"))
    with pytest.raises(ModelError, match="scores its known clip wrongly"):
        list(check_lines(Folder(str(tmp_path / "tiny"))))
