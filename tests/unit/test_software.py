from __future__ import annotations

import importlib.metadata

import pytest

from birddask.software import version_of


def test_a_package_has_its_version() -> None:
    assert version_of("numpy") == importlib.metadata.version("numpy")
    assert version_of("birddask") == importlib.metadata.version("birddask")


def test_what_takes_the_place_of_a_package_is_named() -> None:
    # Its module is called otherwise than the package, as that of onnxruntime-gpu is.
    assert version_of("yaml") == f"{importlib.metadata.version('PyYAML')} (PyYAML)"


def test_a_package_that_is_not_there_has_no_version() -> None:
    assert version_of("no-such-package") == "none"


@pytest.mark.parametrize("package", ["numba", "onnxruntime", "scipy", "soxr", "soundfile"])
def test_what_changes_numbers_is_found(package: str) -> None:
    assert version_of(package)[0].isdigit()
