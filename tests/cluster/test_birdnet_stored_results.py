"""BirdNET's own stored results for a real soundscape, met by a whole run from the FLAC file to the Parquet parts."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from birddask import Job, open_probabilities, prepare, run
from birddask.engine import Control
from birddask.storage import Folder

SOUNDSCAPE = "birdnet_soundscape.flac"
TOLERANCES = {"float32": 1e-5, "float16": 1e-3}
# Well below the lowest stored score, 0.1 at half sensitivity, which is a probability of 0.0122.
FLOOR = 0.001


@dataclass(frozen=True)
class StoredSet:
    """One of BirdNET's stored results: scores by clip start and label."""

    minimum: float
    sensitivity: float
    sigmoid: bool
    species: frozenset[str] | None
    starts_us: list[int]
    scores: dict[tuple[int, str], float]

    def score(self, probability: float) -> float:
        """The probability as this set's parameters express it."""
        logit = math.log(probability / (1 - probability))
        return 1 / (1 + math.exp(-self.sensitivity * logit)) if self.sigmoid else logit

    def wants(self, label: str) -> bool:
        return self.species is None or label in self.species


def stored_sets(path: Path) -> dict[float, list[StoredSet]]:
    """All sets without a band-pass, by overlap in seconds."""
    sets: dict[float, list[StoredSet]] = {}
    for entry in json.loads(path.read_text()):
        params = entry["params"]
        if params["use_bandpass"] and (params["bandpass_fmin"], params["bandpass_fmax"]) != (0, 15000):
            continue
        species = params["filter_species"]
        sets.setdefault(float(params["chunk_overlap_s"]), []).append(
            StoredSet(
                minimum=params["min_confidence"],
                sensitivity=params["sigmoid_sensitivity"],
                sigmoid=params["apply_sigmoid"],
                species=None if species is None else frozenset(species),
                starts_us=[round(each["start"] * 1e6) for each in entry["predictions"]],
                scores={
                    (round(each["start"] * 1e6), label): score
                    for each in entry["predictions"]
                    for label, score in each["scores"].items()
                },
            )
        )
    return sets


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("overlap_s", [0.0, 0.5, 1.0, 2.0])
def test_a_run_meets_every_stored_score(
    overlap_s: float,
    dtype: Literal["float32", "float16"],
    shared: Path,
    birdnet: Folder,
    control: Control,
    tmp_path: Path,
) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / SOUNDSCAPE).symlink_to(shared / "birds" / SOUNDSCAPE)
    job = Job(str(archive), str(tmp_path / "out"), birdnet.url, overlap_s=overlap_s, dtype=dtype, floor=FLOOR)
    assert run(prepare(job), control).complete
    rows = open_probabilities(job.output).to_table().to_pylist()
    ours = {(row["offset_us"], row["label"]): row["probability"] for row in rows}
    sets = stored_sets(shared / "birds" / "birdnet_soundscape.expected.json")[overlap_s]
    for stored in sets:
        assert sorted({start for start, _ in ours}) == stored.starts_us
        found = {
            key: score
            for key, probability in ours.items()
            if stored.wants(key[1]) and (score := stored.score(probability)) >= stored.minimum
        }
        assert found.keys() == stored.scores.keys()
        for key, score in stored.scores.items():
            if stored.sigmoid:
                assert found[key] == pytest.approx(score, abs=TOLERANCES[dtype])
            else:
                probability = 1 / (1 + math.exp(-score))
                assert ours[key] == pytest.approx(probability, abs=TOLERANCES[dtype])
