"""The page docs/bring-your-own-model.md, done as it says by a user who has trained a network."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make test-models")
pytest.importorskip("torchvision", reason="torchvision is not installed: make test-models")

PAGE = Path(__file__).parents[2] / "docs/bring-your-own-model.md"
LABELS = [f"warbler {number}" for number in range(1, 22)]
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)

# Draws weights, and shows the network some of the recordings so that its normalisation fits them, as training does.
# The last layer is then stretched until labels differ as they do in a trained network.
TRAIN = """
import sys
from pathlib import Path
import librosa, numpy as np, torch
import training

torch.manual_seed(7)
model = training.network(len(training.labels()))
sounds = [librosa.load(path, sr=32000)[0] for path in sorted(Path("recordings/birds").iterdir())]
clips = [sound[start : start + 160000] for sound in sounds for start in range(0, len(sound) - 160000, 160000)]
images = torch.from_numpy(np.stack([training.mels(clip) for clip in clips]))
with torch.no_grad():
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    model.train()(images)
    logits = model.eval()(images)
    model.classifier[1].weight *= 3 / logits.std(dim=0).mean()
    model.classifier[1].bias -= model(images).mean(dim=0)
torch.save(model.state_dict(), "weights.pt")
"""

# Where a difference comes from: mels (0 to 1) against librosa, probabilities against PyTorch on those mels.
APART = """
import functools
import birddask, librosa, numpy as np, torch
import training

@functools.cache
def sound(recording):
    return librosa.load(f"recordings/{recording}", sr=32000)[0]

model, labels = training.trained(), training.labels()
mels = birddask.open_mels("results").mel.load()
of_mels = of_scores = 0.0
for row in birddask.open_probabilities("results").to_table().to_pylist():
    start = row["offset_us"] * 32000 // 1_000_000
    clip = librosa.util.fix_length(sound(row["recording"])[start : start + 160000], size=160000)
    stored = mels.sel(clip=row["clip"]).values
    image = (stored - stored.min()) / (stored.max() - stored.min())
    of_mels = max(of_mels, np.abs(image - training.mels(clip)).max())
    with torch.no_grad():
        scores = model(torch.from_numpy(image)[None]).softmax(dim=1)[0].numpy()
    of_scores = max(of_scores, np.abs(scores - [row[label] for label in labels]).max())
print(of_mels, of_scores)
"""
MELS_BOUND, SCORES_BOUND = 1e-3, 5e-5
"""Measured: 3.9e-4, of which float16 makes 2e-4, and 8.2e-6."""


def files_of(page: str) -> dict[str, str]:
    """The Python files of the page: each is named in the text before it, last."""
    files = {}
    for found in BLOCK.finditer(page):
        if found[1] == "python":
            name = re.findall(r"`(\w+\.py)`", page[: found.start()])[-1]
            files[name] = found[2]
    return files


def plain_blocks(page: str) -> list[str]:
    """What is installed, and what is said."""
    return [block for language, block in BLOCK.findall(page) if not language]


def commands_of(page: str) -> list[str]:
    return [line for language, block in BLOCK.findall(page) if language == "bash" for line in block.splitlines()]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """A folder with weights, labels and recordings, and the files that the page says to write."""
    folder = tmp_path_factory.mktemp("user")
    for name, content in files_of(PAGE.read_text()).items():
        (folder / name).write_text(content)
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    (folder / "recordings/birds").mkdir(parents=True)
    for sound in (shared / "birds").iterdir():
        if sound.suffix != ".json":
            (folder / "recordings/birds" / sound.name).symlink_to(sound)
    (folder / "recordings/sm4-day").symlink_to(shared / "sm4-day")
    run(folder, f"python -c {shlex.quote(TRAIN)}")
    return folder


def run(folder: Path, command: str) -> str:
    """What a command prints, started in a folder by the shell of a user who has birddask on the path."""
    environment = {
        **os.environ,
        "BIRDDASK_CACHE": str(folder / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    ended = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.mark.timeout(900)
def test_the_page_works_as_written_and_scores_are_those_of_pytorch(user: Path) -> None:
    page = PAGE.read_text()
    said = {command: run(user, command) for command in commands_of(page)}
    imported = next(text for command, text in said.items() if "models import" in command)
    assert imported.startswith(next(block for block in plain_blocks(page) if block.startswith("reads ")))
    assert re.fullmatch(r"223 clips, largest difference 0\.0[0-2]\d\d\n", said["python compare.py"])
    of_mels, of_scores = map(float, run(user, f"python -c {shlex.quote(APART)}").split())
    assert of_mels < MELS_BOUND
    assert of_scores < SCORES_BOUND


@pytest.mark.timeout(300)
def test_the_mistakes_of_the_page_are_said(user: Path) -> None:
    export = (user / "export.py").read_text()
    for before, after, said in (
        ("    external_data=False,\n", "", "keeps weights in other files"),
        ("training.trained()", "training.trained().train()", "draws random numbers"),
    ):
        assert before in export
        (user / "wrong.py").write_text(export.replace(before, after).replace("warblers.onnx", "wrong.onnx"))
        run(user, "python wrong.py")
        refused = "birddask models import wrong.onnx --preset efficientnet-5s --labels labels.txt 2>&1 || true"
        assert said in run(user, refused)
