from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import birddask

NAMES = {
    "Control",
    "Ended",
    "Job",
    "LocalSpec",
    "build_mels",
    "classify",
    "on_demand",
    "open_mels",
    "open_probabilities",
    "prepare",
    "read_cluster_file",
    "read_job_file",
    "run",
    "scan",
    "status",
}


def test_the_public_names_are_these_and_each_is_there() -> None:
    assert set(birddask.__all__) == set(dir(birddask)) == NAMES
    for name in NAMES:
        home = importlib.import_module(getattr(birddask, name).__module__)
        assert getattr(home, name) is getattr(birddask, name)


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        _ = birddask.walk  # type: ignore[attr-defined]


def test_help_loads_none_of_the_heavy_libraries() -> None:
    heavy = "{'dask', 'distributed', 'numpy', 'onnxruntime', 'pyarrow', 'zarr', 'fsspec', 'pydantic', 'soundfile'}"
    look = f"import sys, birddask.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
