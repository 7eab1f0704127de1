"""The page docs/bring-your-own-model.md, done as it says by a user who has trained a network."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.pages import User, blocks_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make test-models")
pytest.importorskip("torchvision", reason="torchvision is not installed: make test-models")

pytestmark = pytest.mark.timeout(1200)
PAGE = Path(__file__).parents[2] / "docs/bring-your-own-model.md"
LABELS = [f"warbler {number}" for number in range(1, 22)]

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
rows = birddask.open_probabilities("results").to_table().to_pylist()
for row in rows:
    start = row["offset_us"] * 32000 // 1_000_000
    clip = librosa.util.fix_length(sound(row["recording"])[start : start + 160000], size=160000)
    stored = mels.sel(clip=row["clip"]).values
    image = (stored - stored.min()) / (stored.max() - stored.min())
    of_mels = max(of_mels, np.abs(image - training.mels(clip)).max())
    with torch.no_grad():
        scores = model(torch.from_numpy(image)[None]).softmax(dim=1)[0].numpy()
    of_scores = max(of_scores, np.abs(scores - [row[label] for label in labels]).max())
print(len(rows), of_mels, of_scores)
"""
MELS_BOUND, SCORES_BOUND = 1e-3, 5e-5
"""Measured: 3.9e-4, of which float16 makes 2e-4, and 8.2e-6."""


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> User:
    """Somebody with weights, labels and recordings, who has written the files that the page says to write."""
    folder = tmp_path_factory.mktemp("user")
    # On a busy machine two threads of PyTorch wait for each other: compare.py took 90 s of the processor, not 17.
    user = User(folder, folder, variables={"BIRDDASK_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"})
    for block in blocks_of(PAGE):
        if block.file:
            user.do(block, PAGE.name)
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    (folder / "recordings/birds").mkdir(parents=True)
    for sound in (shared / "birds").iterdir():
        if sound.suffix != ".json":
            (folder / "recordings/birds" / sound.name).symlink_to(sound)
    (folder / "recordings/sm4-day").symlink_to(shared / "sm4-day")
    user.run([sys.executable, "-c", TRAIN], "training")
    return user


def test_the_page_works_as_written_and_scores_are_those_of_pytorch(user: User) -> None:
    user.follow(PAGE)
    of_clips, of_mels, of_scores = map(float, user.run([sys.executable, "-c", APART], "apart").split())
    assert of_clips == 223
    assert of_mels < MELS_BOUND
    assert of_scores < SCORES_BOUND


def test_the_mistakes_of_the_page_are_said(user: User) -> None:
    export = (user.folder / "export.py").read_text()
    for before, after, said in (
        ("    external_data=False,\n", "", "keeps weights in other files"),
        ("training.trained()", "training.trained().train()", "draws random numbers"),
    ):
        assert before in export
        (user.folder / "wrong.py").write_text(export.replace(before, after).replace("warblers.onnx", "wrong.onnx"))
        user.run([sys.executable, "wrong.py"], "a wrong export")
        refused = "birddask models import wrong.onnx --preset efficientnet-5s --labels labels.txt || true"
        assert said in user.run(["sh", "-c", refused], refused)
