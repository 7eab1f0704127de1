from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.errors import ConfigError
from birddask.recordings.sites import DEFAULT_PATTERN, site_of


@pytest.mark.parametrize(
    ("path", "pattern", "site"),
    [
        ("ridge/20250503_031300.WAV", DEFAULT_PATTERN, "ridge"),
        ("ridge/card 1/20250503/031300.WAV", DEFAULT_PATTERN, "ridge"),
        ("20250503/20250503_031300.WAV", DEFAULT_PATTERN, None),
        ("Data/S4A03895_20190522_000000.wav", DEFAULT_PATTERN, None),
        ("20250503/20250503_031300.WAV", "{site}/{file}", "20250503"),
        ("database/x.wav", DEFAULT_PATTERN, "database"),
        ("20250503_031300.WAV", DEFAULT_PATTERN, None),
        ("2025/ridge/x.wav", "{year}/{site}/...", "ridge"),
        ("2025/ridge/card/x.wav", "{year}/{site}/{file}", None),
        ("ridge_2025/x.wav", "{site}_{year}/...", "ridge"),
        ("a/b/c/ridge/x.wav", ".../{site}/{file}", "ridge"),
        ("ridge-20250503_031300.WAV", "{site}-{stamp}.WAV", "ridge"),
        ("ridge+1/x.wav", "{site}+1/...", "ridge"),
        ("ridge_/x.wav", "{site}.+/...", None),
    ],
)
def test_the_site_is_the_part_of_the_path_that_the_pattern_names(path: str, pattern: str, site: str | None) -> None:
    assert site_of(path, pattern) == site


@given(st.text(min_size=1).filter(lambda name: "/" not in name), st.text(min_size=1))
def test_any_folder_can_be_a_site(site: str, rest: str) -> None:
    assert site_of(f"archive/{site}/{rest}", "archive/{site}/...") == site


@pytest.mark.parametrize(
    "pattern", ["", "...", "{place}/...", "{Site}/...", "{site}/{site}", "{site}/{1}", "{site-name}/...", "{}/{site}"]
)
def test_a_pattern_that_can_not_name_the_site_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="the site pattern"):
        site_of("ridge/x.wav", pattern)
