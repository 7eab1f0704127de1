"""The structure that the design promises: imports go downward, each big dependency has one owner."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "birddask"

# A module imports only from lines above its own.
LAYERS = [
    "errors",
    "fingerprint",
    "safe_text",
    "documents",
    "storage",
    "software",
    "recordings",
    "plan",
    "mels",
    "models",
    "table",
    "tasks",
    "engine",
    "clusters",
    "job",
    "outputs",
    "accounting",
    "scanning",
    "verbs",
    "access",
    "detections",
    "clips",
    "formats",
    "effort",
    "handover",
    "evaluation",
    "review",
    "survey",
    "page",
    "commands",
    "cli",
    "__main__",
]
# Inside the packages that have an order of their own.
INNER_LAYERS = {
    "storage": ["options", "faults", "listing", "atomic", "folder", "spool", "together"],
    "recordings": [
        "recording",
        "reasons",
        "moments",
        "positions",
        "riff",
        "triggered",
        "audiomoth",
        "names",
        "guano",
        "wamd",
        "flac_comments",
        "mp3",
        "config_txt",
        "sites",
        "kinds",
        "start",
        "about",
        "cards",
        "sndfile",
        "reader",
        "inspect",
    ],
    "mels": [
        "axes",
        "scales",
        "spec",
        "windows",
        "filterbank",
        "pcen",
        "scaling",
        "compiled",
        "real_part",
        "power",
        "transform",
        "sinc",
        "resample",
        "waveform",
        "ahead",
        "store",
    ],
    "models": [
        "packages",
        "before",
        "card",
        "bundle",
        "sealing",
        "protobuf",
        "network",
        "fit",
        "runtime",
        "session",
        "ready",
        "cache",
        "presets",
        "known_clip",
        "tflite_graph",
        "location",
        "onnx_graph",
        "padding",
        "tflite_to_onnx",
        "location_to_onnx",
        "splitting",
        "birdnet",
        "birdvoxdetect_graph",
        "birdvoxdetect",
        "library",
        "checking",
        "importing",
    ],
    "engine": ["events", "control", "flight", "run"],
    "table": ["parquet", "scans", "parts", "results", "ledger"],
    "clusters": [
        "size",
        "tls",
        "extras",
        "versions",
        "outfit",
        "memory",
        "joining",
        "local",
        "none",
        "ssh",
        "slurm",
        "kubernetes",
        "existing",
        "cluster_file",
        "connecting",
    ],
    "scanning": ["known", "inspecting", "duplicates", "refreshing", "scan"],
    "verbs": ["prepared", "counting", "notes", "blocks", "speed", "status", "comparing"],
    "survey": ["schedule", "survey", "lines"],
    "commands": [
        "console",
        "brake",
        "detached",
        "demo",
        "lines",
        "progress",
        "models",
        "runs",
        "results",
        "look",
        "review",
    ],
    "cli": ["options", "models", "results", "review", "runs", "program"],
    "clips": [
        "extra",
        "find",
        "frequencies",
        "picture",
        "sound",
        "views",
        "drawing",
        "looked_at",
        "figure",
        "terminal",
    ],
    "detections": ["labels", "rules", "places", "found", "rows", "known", "recordings", "steps", "query"],
    "evaluation": ["annotations", "names", "matching", "measures", "truth", "clips", "evaluate", "reporting"],
    "review": ["bands", "sample", "answers", "precision", "logistic", "calibration", "desk", "server"],
    "formats": [
        "format",
        "spreadsheet",
        "per_recording",
        "csv_table",
        "parquet_table",
        "raven",
        "audacity",
        "kaleidoscope",
        "birdnet_analyzer",
        "json_lines",
        "darwin_core",
        "about",
    ],
    "page": ["heard", "analysed", "best", "charts", "content", "days", "build", "render"],
    "handover": ["files", "http_endpoint", "sqlite_file", "deliver"],
}
CLUSTERS = {f"clusters.{name}" for name in INNER_LAYERS["clusters"]}
OWNERS = {
    "fsspec": {"storage.atomic", "storage.folder", "storage.listing"},
    "soundfile": {"recordings.sndfile", "clips.sound"},
    "soxr": {"mels.resample"},
    "scipy": {"mels.pcen", "mels.power", "verbs.comparing"},
    "numba": {"mels.compiled"},
    "zarr": {"mels.store"},
    "onnxruntime": {"models.runtime"},
    "onnx": {"models.onnx_graph", "models.splitting"},
    "h5py": {"models.birdvoxdetect"},
    "tflite": {"models.tflite_graph"},
    "threadpoolctl": {"models.ready"},
    "platformdirs": {"models.cache"},
    "pyarrow": {"table.parquet", "table.scans", "table.parts", "access"}
    | {
        "detections.places",
        "detections.rows",
        "detections.known",
        "detections.recordings",
        "detections.query",
        "formats.format",
        "formats.parquet_table",
        "review.sample",
        "review.answers",
    },
    "duckdb": {"detections.query"},
    "distributed": {"engine.control", "engine.flight", "engine.run"}
    | CLUSTERS - {"clusters.extras", "clusters.cluster_file"},
    "dask": {"clusters.connecting", "clusters.kubernetes", "clusters.memory", "clusters.size", "access"},
    "tornado": {"review.server"},
    "asyncssh": {"clusters.ssh"},
    "dask_jobqueue": {"clusters.slurm"},
    "dask_kubernetes": {"clusters.kubernetes"},
    "kr8s": {"clusters.kubernetes"},
    "xarray": {"access"},
    "PIL": {"clips.picture"},
    "matplotlib": {"clips.picture", "clips.drawing", "clips.figure", "page.charts"},
    "jinja2": {"page.render"},
    "pydantic": {"documents"},
    "yaml": {"documents"},
    "typer": {f"cli.{name}" for name in INNER_LAYERS["cli"]} | {"commands.results", "commands.console"},
    "rich": {"commands.runs", "commands.look", "commands.progress", "clips.terminal"},
}


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__init__.py"
    }


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_every_module_has_a_layer() -> None:
    top = {name.split(".")[0] for name in modules()}
    assert top == set(LAYERS)
    for package, inner in INNER_LAYERS.items():
        found = {name.split(".")[1] for name in modules() if name.startswith(f"{package}.")}
        assert found == set(inner)


@pytest.mark.parametrize("module", modules())
def test_imports_go_downward(module: str) -> None:
    ours = [name.removeprefix("birddask.") for name in imported(modules()[module]) if name.startswith("birddask.")]
    package, _, name = module.partition(".")
    for other in ours:
        other_package, _, rest = other.partition(".")
        if other_package != package:
            assert LAYERS.index(other_package) < LAYERS.index(package), f"{module} imports {other}"
        elif rest:
            inner = INNER_LAYERS[package]
            assert inner.index(rest.split(".")[0]) < inner.index(name), f"{module} imports {other}"


@pytest.mark.parametrize("dependency", OWNERS)
def test_each_big_dependency_has_its_owners(dependency: str) -> None:
    users = {
        module
        for module, path in modules().items()
        if any(name == dependency or name.startswith(f"{dependency}.") for name in imported(path))
    }
    assert users == OWNERS[dependency]


@pytest.mark.parametrize("module", modules())
def test_modules_stay_small(module: str) -> None:
    lines = modules()[module].read_text().count("\n")
    assert lines <= 350, f"{module} has {lines} lines: is it one thing?"


@pytest.mark.parametrize("package", sorted(path.parent for path in PACKAGE.rglob("__init__.py")))
def test_each_package_says_what_it_is_for(package: Path) -> None:
    purpose = ast.get_docstring(ast.parse((package / "__init__.py").read_text()))
    assert purpose, f"{package.name}: a sentence"
    assert purpose.endswith("."), f"{package.name}: a sentence"
