from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birddask.detections.labels import names_of
from birddask.detections.rules import Rules, Thresholds, one_threshold, read_species, read_thresholds
from birddask.errors import ConfigError


@pytest.mark.parametrize(
    ("label", "scientific", "common", "taxon"),
    [
        ("Turdus merula_Eurasian Blackbird", "Turdus merula", "Eurasian Blackbird", "Turdus merula"),
        (
            "Anas platyrhynchos domesticus_Duck",
            "Anas platyrhynchos domesticus",
            "Duck",
            "Anas platyrhynchos domesticus",
        ),
        ("Human vocal_Human vocal", "Human vocal", "Human vocal", "Human vocal"),
        ("Engine_Engine", "Engine", "Engine", None),
        ("Turdus merula", "Turdus merula", "Turdus merula", "Turdus merula"),
        ("amerob", "amerob", "amerob", None),
        ("rain_heavy", "rain_heavy", "rain_heavy", None),
        ("Owl_with_two_lines\nof name", "Owl", "with_two_lines\nof name", None),
        ("", "", "", None),
    ],
)
def test_names_in_labels(label: str, scientific: str, common: str, taxon: str | None) -> None:
    names = names_of(label)
    assert (names.scientific, names.common, names.taxon) == (scientific, common, taxon)


@given(st.text())
def test_any_label_has_names(label: str) -> None:
    names = names_of(label)
    assert label in (names.scientific, f"{names.scientific}_{names.common}")


def test_thresholds_by_label_scientific_and_common_name() -> None:
    content = (
        '\ufefflabel,threshold,note\nTurdus merula,0.8,\n"tawny OWL ",0.35,"calls, not songs"\n\n*,0.5,\n'.encode()
    )
    thresholds = read_thresholds(content, "t.csv")
    assert thresholds.of("Turdus merula_Eurasian Blackbird") == 0.8
    assert thresholds.of("Strix aluco_Tawny Owl") == 0.35
    assert thresholds.of("rain") == 0.5
    assert read_thresholds(b"threshold,label\r\n0.1,rain\r\n", "t.csv").of("wind") is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "must be a CSV file whose first line has the columns `label` and `threshold`"),
        (b"species,threshold\nowl,0.5\n", "`label` and `threshold`"),
        (b"label;threshold\nowl;0,5\n", "`label` and `threshold`"),
        (b"label,threshold\n", "has no threshold"),
        (b'label,threshold\n"owl,0.5\n' + b"wren,0.5\n" * 20_000, "is a quote missing"),
        (b"label,threshold\nowl,0.5\n OWL,0.6\n", "row 3: ' OWL' has a threshold already"),
        (b"label,threshold\nowl,high\n", "row 2: 'high' is not a number"),
        (b"label,threshold\nowl,nan\n", "row 2: nan is not a probability"),
        (b"label,threshold\nowl,25\n", "row 2: 25 is not a probability"),
        (b"label,threshold\nowl\n", "row 2: 1 columns"),
        ("label,threshold\nZaunk\u00f6nig,1\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_a_wrong_file_of_thresholds_is_explained(content: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError, match=r"t\.csv.*") as raised:
        read_thresholds(content, "t.csv")
    assert complaint in str(raised.value)


def test_a_species_list_in_any_line_ends() -> None:
    names = read_species(b"Turdus merula\r\n\r\n  Tawny owl\n", "s.txt")
    rules = Rules(one_threshold(0.25), species=names)
    assert rules.threshold("Turdus merula_Eurasian Blackbird") == 0.25
    assert rules.threshold("Strix aluco_Tawny Owl") == 0.25
    assert rules.threshold("Strix uralensis_Ural Owl") is None
    with pytest.raises(ConfigError, match="no species"):
        read_species(b"\n \n", "s.txt")


@pytest.mark.parametrize("probability", [-0.1, 1.01, float("nan")])
def test_a_threshold_is_a_probability(probability: float) -> None:
    with pytest.raises(ConfigError, match="--threshold"):
        one_threshold(probability)


def test_the_rules_are_said_in_words() -> None:
    rules = Rules(Thresholds(None, {"owl": 0.5}), best=3, species={"owl": "Owl"}, smooth=True, merge=True)
    said = "\n".join(rules.lines())
    for part in (
        "1 by name and no other labels",
        "list of 1",
        "mean over the scored clips",
        "3",
        "highest probability",
    ):
        assert part in said
    assert rules.names() == {"owl": "Owl"}
