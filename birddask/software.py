"""Versions of the software that results pass through."""

from __future__ import annotations

import functools
import importlib.metadata

CHANGES_NUMBERS = ("birddask", "numba", "numpy", "onnxruntime", "scipy", "soundfile", "soxr")
"""Packages whose version can change a number."""


@functools.cache
def version_of(package: str) -> str:
    """The version of a package, with the name of another one that takes its place; ``none`` if there is neither.

    ONNX Runtime comes as ``onnxruntime``, ``onnxruntime-gpu`` and others, all imported by the same name.
    """
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        instead = importlib.metadata.packages_distributions().get(package)
    return f"{importlib.metadata.version(instead[0])} ({instead[0]})" if instead else "none"
