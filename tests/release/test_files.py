"""What is uploaded, by the tools that judge it."""

from __future__ import annotations

from pathlib import Path

from tests.release.conftest import BIN, ROOT, run


def test_the_package_index_will_take_them(distributions: Path) -> None:
    run(BIN / "twine", "check", "--strict", *distributions.iterdir())


def test_the_wheel_has_what_a_wheel_has(wheel: Path) -> None:
    run(BIN / "check-wheel-contents", wheel)


def test_the_image_is_described_well() -> None:
    run(BIN / "hadolint", ROOT / "Dockerfile")


def test_the_citation_is_valid() -> None:
    run(BIN / "pipx", "run", "--spec", "cffconvert", "cffconvert", "--validate", "--infile", ROOT / "CITATION.cff")
