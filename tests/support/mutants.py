"""A pytest plugin for mutation testing: the same examples for every mutant, and no time spent on smaller ones."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate]
)
