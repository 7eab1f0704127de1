"""The work of one block: read, compute, write, score, commit. No Dask here; anyone may repeat any of it."""

from birddask.tasks.making import try_stretch
from birddask.tasks.units import BlockReport, Unit, both, classify, make_mels, perform
from birddask.tasks.work import MelWork, ScoreWork

__all__ = [
    "BlockReport",
    "MelWork",
    "ScoreWork",
    "Unit",
    "both",
    "classify",
    "make_mels",
    "perform",
    "try_stretch",
]
