"""The structure that the design promises.

Imports go downward, those inside functions and those for the sake of types too; every dependency has its owners.
"""

from __future__ import annotations

import ast
import functools
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "birddask"

# Found by their names, as the program finds them.
FORMATS = " ".join(f"kinds.{path.stem}" for path in sorted((PACKAGE / "formats/kinds").glob("[!_]*.py")))

# From the ground up: a line imports only from lines above its own, and in a folder a module only from those before it.
LAYERS = {
    "errors": "",
    "fingerprint": "",
    "safe_text": "",
    "documents": "",
    "storage": "options faults known_hosts filesystem listing atomic folder places spool together ahead",
    "software": "",
    "recordings": "recording reasons moments positions riff triggered audiomoth comments names guano wamd flac_comments"
    " mp3 config_txt sites kinds start about cards sndfile reader inspect",
    "plan": "",
    "mels": "arrays axes scales coding spec windows filterbank pcen scaling compiled real_part power transform sinc"
    " resample waveform store",
    "models": "words packages before card bundle sealing protobuf network fit runtime session ready cache presets"
    " known_clip tflite_graph location onnx_graph padding tflite_to_onnx location_to_onnx splitting quantising"
    " birdnet birdvoxdetect_graph birdvoxdetect library checking importing",
    "table": "parquet block_files scans clip_table parts results ledger",
    "tasks": "work rows making scoring units",
    "engine": "events control flight run",
    "clusters": "size tls extras driver_host versions outfit memory joining local none ssh slurm kubernetes existing"
    " cluster_file connecting",
    "job": "",
    "outputs": "",
    "accounting": "",
    "scanning": "known inspecting duplicates refreshing scan",
    "verbs": "prepared pending counting notes blocks speed dtypes status comparing quantising",
    "access": "",
    "detections": "labels rules places found rows known recordings steps query",
    "clips": "extra find frequencies picture sound views drawing looked_at figure terminal",
    "formats": f"format spreadsheet per_recording json_object {FORMATS} kinds about",
    "effort": "",
    "handover": "files http_endpoint sqlite_file deliver",
    "evaluation": "annotations names matching measures clips truth evaluate reporting",
    "review": "bands sample answers precision logistic calibration desk server",
    "survey": "schedule deployment survey lines",
    "page": "heard analysed best charts content days build render",
    "commands": "console brake detached demo lines progress named models runs results look review",
    "cli": "options models results look review runs program",
    "__main__": "",
}

# The modules that import a dependency.
OWNERS = {
    "asyncssh": "clusters.ssh",
    "dask": "clusters.connecting clusters.kubernetes clusters.memory clusters.size access",
    "dask_jobqueue": "clusters.slurm",
    "dask_kubernetes": "clusters.kubernetes",
    "distributed": "engine.control engine.flight engine.run clusters.size clusters.tls clusters.versions"
    " clusters.outfit clusters.memory clusters.joining clusters.local clusters.none clusters.ssh clusters.slurm"
    " clusters.kubernetes clusters.existing clusters.connecting",
    "duckdb": "detections.query",
    "fsspec": "storage.atomic storage.filesystem storage.folder storage.listing",
    "h5py": "models.birdvoxdetect",
    "jinja2": "page.render",
    "matplotlib": "clips.picture clips.drawing clips.figure page.charts",
    "numba": "mels.compiled",
    "onnx": "models.onnx_graph models.splitting models.quantising",
    "onnxruntime": "models.runtime models.quantising",
    "paramiko": "storage.known_hosts",
    "PIL": "clips.picture",
    "platformdirs": "models.cache",
    "pyarrow": "table.parquet table.scans table.clip_table table.parts access detections.places detections.rows"
    " detections.known detections.recordings detections.query formats.format formats.kinds.parquet"
    " review.sample review.answers",
    "pydantic": "documents",
    "rich": "commands.runs commands.look commands.progress clips.terminal",
    "scipy": "mels.pcen mels.power verbs.comparing",
    "soundfile": "recordings.sndfile clips.sound",
    "soxr": "mels.resample",
    "tflite": "models.tflite_graph",
    "threadpoolctl": "models.ready",
    "tornado": "review.server",
    "typer": "cli.options cli.models cli.results cli.look cli.review cli.runs cli.program commands.console",
    "xarray": "access",
    "yaml": "documents",
    "zarr": "mels.store",
}
EVERYWHERE = {"numpy"}
# What fsspec, xarray and Dask import for us, or what is started as a program; below it, what comes with a dependency.
UNSEEN = {"s3fs", "smbprotocol", "gcsfs", "adlfs", "pandas", "bokeh", "pip"}
BROUGHT_ALONG = {"kr8s": "clusters.kubernetes", "markupsafe": "page.render", "pydantic_core": "documents"}
ONLY_FOR_TYPES = {"_typeshed"}
SLOW_TO_LOAD = ("duckdb", "matplotlib", "numba", "pandas", "scipy", "xarray")
CALLED_OTHERWISE = {"pyyaml": "yaml", "pillow": "PIL"}


def modules() -> dict[str, Path]:
    """All modules by name below ``birddask``; a folder stands for its ``__init__``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()
ORDER = [
    module
    for layer, inner in LAYERS.items()
    # What a folder offers stands on all of its modules.
    for module in (*(f"{layer}.{name}" for name in inner.split()), layer)
] + [""]


@functools.cache
def imported(module: str) -> set[str]:
    """The modules that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{module}: write out what is imported from where"
            assert node.level == 0, f"{module}: write out what is imported from where"
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                names.add(name if name.removeprefix("birddask.") in MODULES else node.module)
    return names


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def dependencies() -> set[str]:
    """Everything that pyproject.toml asks for outside of development, as it is imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = set()
    for requirement in wanted:
        name, _, extras = requirement.partition(">=")[0].rstrip("]").partition("[")
        names |= {name, *({"distributed"} & {extras})}
    return {CALLED_OTHERWISE.get(name, name.replace("-", "_")) for name in names}


def test_every_module_has_its_place() -> None:
    assert sorted(MODULES) == sorted(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downward(module: str) -> None:
    for other in (name.removeprefix("birddask").lstrip(".") for name in imported(module) if is_in(name, "birddask")):
        assert ORDER.index(other) < ORDER.index(module), f"{module or 'birddask'} imports {other or 'birddask'}"


def test_every_dependency_has_its_owners() -> None:
    assert dependencies() == OWNERS.keys() | EVERYWHERE | UNSEEN
    assert list(OWNERS) == sorted(OWNERS, key=str.lower)


@pytest.mark.parametrize("dependency", OWNERS | BROUGHT_ALONG)
def test_only_its_owners_import_a_dependency(dependency: str) -> None:
    users = {module for module in MODULES if any(is_in(name, dependency) for name in imported(module))}
    assert users == set((OWNERS | BROUGHT_ALONG)[dependency].split())


@pytest.mark.parametrize("module", MODULES)
def test_nothing_else_is_imported(module: str) -> None:
    tops = {name.partition(".")[0] for name in imported(module)}
    assert tops <= {"birddask", *sys.stdlib_module_names, *OWNERS, *BROUGHT_ALONG, *EVERYWHERE, *ONLY_FOR_TYPES}


@pytest.mark.parametrize("module", ["commands.runs", "commands.models", "tasks"])
def test_programs_start_without_what_takes_seconds_to_load(module: str) -> None:
    program = f"import sys, birddask.{module}; print(*(name for name in {SLOW_TO_LOAD} if name in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_small(module: str) -> None:
    lines = MODULES[module].read_text().count("\n")
    assert lines <= 350, f"{module} has {lines} lines: is it one thing?"


def test_half_of_the_modules_are_shorter_than_200_lines() -> None:
    assert statistics.median(path.read_text().count("\n") for path in MODULES.values()) < 200


@pytest.mark.parametrize("module", MODULES)
def test_each_module_and_each_folder_says_what_it_is_for(module: str) -> None:
    purpose = ast.get_docstring(ast.parse(MODULES[module].read_text()))
    assert purpose, f"{module}: a sentence"
    first, *rest = purpose.split("\n")
    assert first.endswith("."), f"{module}: a sentence"
    assert not any(rest[:1]), f"{module}: a sentence in a line"
