"""Every YAML that a page shows is read by the code that will read the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from birddask.clusters import read_cluster_file
from birddask.job import read_job_file
from tests.support.pages import Block, blocks_of

ROOT = Path(__file__).parents[2]
SHOWN = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}:{block.line}")
    for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    for block in blocks_of(page)
    if block.language == "yaml" and "_build" not in page.parts
]
JOB = {"archive": "/data/cards", "output": "/data/results", "model": "birdnet-v2.4"}
CLUSTER = {"kind": "local"}


@pytest.mark.parametrize("block", SHOWN)
def test_a_yaml_is_read(block: Block, tmp_path: Path) -> None:
    keys: dict[str, Any] = yaml.safe_load(block.content)
    of_cluster = "kind" in keys or keys.keys() <= {"tls", "adaptive"}
    whole = {**(CLUSTER if of_cluster else JOB), **keys}
    file = tmp_path / "shown.yaml"
    file.write_text(yaml.safe_dump(whole))
    if of_cluster:
        read_cluster_file(file)
    else:
        read_job_file(file)
