"""What the documentation says to type works as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from birddask.job import Job, read_job_file
from tests.support.pages import RUN, User, blocks_of

pytestmark = pytest.mark.timeout(900)  # BirdNET, again and again, on a machine that may be busy
ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): blocks_of(path)
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("cluster/**/*.md"))]
    if "_build" not in path.parts
}
SHOWN = {"csv", "json", "text", "toml", "yaml"}
ELSEWHERE = {
    "docs/start.md": "every other page goes on from it",
    "docs/bring-your-own-model.md": "tests/models, with PyTorch",
    "docs/buckets.md": "tests/buckets, with servers",
    **{f"docs/clusters/{name}.md": "tests/docs/test_clusters.py" for name in ("existing", "index", "local", "none")},
    "docs/models.md": "tests/docs/test_models.py",
    "docs/results.md": "tests/docs/test_results.py",
    "docs/clusters/slurm.md": "tests/slurm",
    "docs/clusters/ssh.md": "tests/ssh",
}
NOT_RUN = {
    "README.md": 2,
    "cluster/README.md": 1,
    "docs/bring-your-own-model.md": 3,
    "docs/buckets.md": 2,
    "docs/clusters/existing.md": 2,
    "docs/clusters/index.md": 2,
    "docs/clusters/kubernetes.md": 4,
    "docs/clusters/slurm.md": 2,
    "docs/clusters/ssh.md": 2,
    "docs/models.md": 2,
    "docs/results.md": 2,
    "docs/start.md": 1,
}
"""Blocks that say why they are not run."""


@pytest.mark.parametrize(
    "page", [page for page, blocks in PAGES.items() if page not in ELSEWHERE and any(block.is_run for block in blocks)]
)
def test_a_page_does_what_it_says(page: str, user: User) -> None:
    user.follow(ROOT / page)


def test_a_beginner_gets_to_results(beginner: User) -> None:
    assert (beginner.folder / "results/recordings/scan-0000.parquet").is_file()


def test_the_demonstration_leaves_a_job_file(beginner: User) -> None:
    demo = beginner.folder / "birddask-demo"
    job = read_job_file(demo / "job.yaml")
    assert job == Job(str(demo / "archive"), str(demo / "results"), "birdnet-v2.4")


def test_the_readme_shows_what_the_demonstration_prints() -> None:
    shown = next(block.content for block in PAGES["README.md"] if block.language == "text").splitlines()
    assert len(shown) > 5
    assert "\n".join(shown[:-1]) in next(block.content for block in PAGES["docs/start.md"] if "demo" in block.content)


@pytest.mark.parametrize("page", PAGES)
def test_no_command_hides_in_a_block_that_is_not_run(page: str) -> None:
    for block in PAGES[page]:
        assert block.language in {*RUN, *SHOWN} or block.language.startswith("{"), (
            f"line {block.line}: {block.language}"
        )
        lines = [] if block.language in RUN else block.content.splitlines()
        commands = [line for line in lines if line.startswith(("birddask ", "pip ", "$ ", "import ", "make "))]
        assert not commands, f"line {block.line}"


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("docs/")])  # those, Sphinx checks
def test_links_of_a_page_outside_of_the_site_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    assert links
    assert [
        link for link in links if not link.startswith("https:") and not (ROOT / page).parent.joinpath(link).exists()
    ] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "anchors" not in page])  # which names others' files
def test_files_of_this_repository_that_a_page_names_are_there(page: str) -> None:
    named = re.findall(r"`((?:[\w-]+/)+[\w-]+\.(?:py|yaml|md))[`:]", (ROOT / page).read_text())
    assert [file for file in named if not (ROOT / file).is_file() and not (ROOT / "birddask" / file).is_file()] == []


def test_blocks_that_are_not_run_are_counted() -> None:
    left_out = {page: sum(block.not_run is not None for block in blocks) for page, blocks in PAGES.items()}
    assert {page: count for page, count in left_out.items() if count} == NOT_RUN
