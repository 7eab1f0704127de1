from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from birddask.documents import differences, document, parse, parse_yaml, to_mapping, to_yaml
from birddask.errors import ConfigError


@document
@dataclass(frozen=True)
class Nest:
    species: str
    eggs: int
    height_m: float | None = None

    def __post_init__(self) -> None:
        if self.eggs < 0:
            raise ConfigError(f"`eggs` is {self.eggs}, it must not be negative")


@document
@dataclass(frozen=True)
class Hollow:
    species: str
    depth_m: float


@document
@dataclass(frozen=True)
class Tree:
    kind: Literal["oak", "ash"]
    nests: tuple[Nest, ...]
    owl: Nest | Hollow | None = None


OAK = Tree("oak", (Nest("wren", 5, 2.5), Nest("robin", 4)))
OAK_MAPPING = {
    "kind": "oak",
    "nests": [
        {"species": "wren", "eggs": 5, "height_m": 2.5},
        {"species": "robin", "eggs": 4, "height_m": None},
    ],
    "owl": None,
}


def refusal(cls: type[object], mapping: dict[str, object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(cls, mapping, "tree.yaml")
    return str(caught.value).splitlines()


def test_a_document_survives_yaml() -> None:
    assert to_mapping(OAK) == OAK_MAPPING
    assert parse(Tree, parse_yaml(to_yaml(OAK), "tree.yaml"), "tree.yaml") == OAK
    assert to_yaml(OAK).startswith("kind: oak\nnests:\n- species: wren\n")


def test_text_in_any_script_stays_readable_in_yaml() -> None:
    assert "Zaunkönig 鷦鷯" in to_yaml(Nest("Zaunkönig 鷦鷯", 1))


@pytest.mark.parametrize(
    ("mapping", "lines"),
    [
        ({"species": "wren", "egs": 5}, ["the key `eggs` is missing", "unknown key `egs`; did you mean `eggs`?"]),
        (
            {"species": "wren", "eggs": 5, "colour": "blue"},
            ["unknown key `colour` (known keys: species, eggs, height_m)"],
        ),
        ({}, ["the key `species` is missing", "the key `eggs` is missing"]),
        (
            {"species": 7, "eggs": "many"},
            [
                "`species`: Input should be a valid string (found 7)",
                "`eggs`: Input should be a valid integer, unable to parse string as an integer (found 'many')",
            ],
        ),
        ({"species": "wren", "eggs": 2.5}, ["`eggs`: Input should be a valid integer"]),
        ({"species": "wren", "eggs": None}, ["`eggs`: Input should be a valid integer (found None)"]),
        (
            {"species": "wren", "eggs": 1, "height_m": float("inf")},
            ["`height_m`: Input should be a finite number (found inf)"],
        ),
        ({"species": "wren", "eggs": 1, "height_m": float("nan")}, ["`height_m`: Input should be a finite number"]),
        ({"species": "wren", "eggs": -1}, ["`eggs` is -1, it must not be negative"]),
    ],
)
def test_each_wrong_key_is_named_with_its_file(mapping: dict[str, object], lines: list[str]) -> None:
    found = sorted(refusal(Nest, mapping))
    expected = sorted(f"tree.yaml: {line}" for line in lines)
    assert len(found) == len(expected)
    assert all(ours.startswith(theirs) for ours, theirs in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        ({"kind": "elm", "nests": []}, "`kind`: Input should be 'oak' or 'ash' (found 'elm')"),
        ({"kind": "oak", "nests": [{"species": "wren"}]}, "the key `nests.0.eggs` is missing"),
        ({"kind": "oak", "nests": [{"species": "wren", "eggs": 1, "egs": 2}]}, "unknown key `nests.0.egs`"),
        ({"kind": "oak", "nests": [{"species": "owl", "eggs": -2}]}, "`eggs` is -2"),
        ({"kind": "oak", "nests": "none"}, "`nests`: Input should be a valid tuple (found 'none')"),
    ],
)
def test_a_wrong_key_deep_in_a_document_is_named_with_its_place(mapping: dict[str, object], named: str) -> None:
    (line,) = refusal(Tree, mapping)
    assert line.startswith(f"tree.yaml: {named}")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "must hold `key: value` lines"),
        ("- kind: oak\n", "must hold `key: value` lines"),
        ("oak", "must hold `key: value` lines"),
        ("7: oak\n", "must hold `key: value` lines"),
        ("kind: [oak\n", "is not valid YAML"),
        ("kind: oak\n\tnests: []\n", "is not valid YAML"),
        ("kind: !!python/object/apply:os.getcwd []\n", "is not valid YAML"),
        ("planted: 2024-13-45\n", "is not valid YAML"),
        (b"kind: \xff\xfe", "is not valid YAML"),
        ("kind: &a oak\nother: *a\n", r"the alias \*a has no place here"),
        ("kind: &a [*a]\n", r"the alias \*a has no place here"),
        ("kind: !!int ''\n", "the tag .*:int has no place here"),
        ("!!map [oak]\n", "the tag .*:map has no place here"),
        ("kind: " + "[" * 100_000, "more than 32 levels"),
        ("".join(" " * level + "kind:\n" for level in range(2000)), "more than 32 levels"),
        ("kind: " + "9" * 5000, "is not valid YAML"),
        ("? [oak]\n: 1\n", "is not valid YAML"),
        ("kind: oak\nnests: []\nkind: ash\n", "the key `kind` stands 2 times"),
        ("owl: {eggs: 1, eggs: 2}\n", "the key `eggs` stands 2 times"),
    ],
)
def test_yaml_that_is_no_plain_mapping_is_refused(content: str | bytes, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parse_yaml(content, "tree.yaml")
    assert str(caught.value).startswith("tree.yaml ")


def test_a_few_lines_that_stand_for_gigabytes_cost_nothing() -> None:
    laughs = "".join(f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 30))
    with pytest.raises(ConfigError, match="alias"):
        parse_yaml(f"a0: &a0 ha\n{laughs}kind: *a29\n", "tree.yaml")


def test_of_a_long_value_only_the_beginning_is_shown() -> None:
    (line,) = refusal(Nest, {"species": ["wren"] * 100_000, "eggs": 5})
    assert len(line) < 300
    assert "(found ['wren', 'wren'," in line


def test_an_offset_of_the_clock_is_text_and_no_number_of_base_60() -> None:
    assert parse_yaml("east: +10:00\nwest: -10:30\nnumber: -10\nhex: 0x10\n", "job.yaml") == {
        "east": "+10:00",
        "west": "-10:30",
        "number": -10,
        "hex": 16,
    }


@pytest.mark.parametrize(
    ("other", "lines"),
    [
        (OAK, []),
        (Tree("ash", OAK.nests), ["kind: 'oak', not 'ash'"]),
        (
            Tree("oak", (Nest("wren", 6, 2.5), Nest("owl", 4))),
            ["nests[0].eggs: 5, not 6", "nests[1].species: 'robin', not 'owl'"],
        ),
        (Tree("oak", OAK.nests, Nest("owl", 2)), ["owl: None, not {'species': 'owl', 'eggs': 2, 'height_m': None}"]),
    ],
)
def test_differences_name_each_field_with_both_values(other: Tree, lines: list[str]) -> None:
    assert differences(OAK, other) == lines


def test_documents_of_other_kinds_differ_in_the_keys_of_both() -> None:
    nest, hollow = Tree("oak", (), Nest("owl", 2)), Tree("oak", (), Hollow("owl", 0.5))
    assert differences(nest, hollow) == ["owl.eggs: 2, not None", "owl.depth_m: None, not 0.5"]
    assert parse(Tree, parse_yaml(to_yaml(hollow), "tree.yaml"), "tree.yaml") == hollow


def test_lists_of_other_lengths_differ_as_a_whole() -> None:
    (line,) = differences(OAK, Tree("oak", OAK.nests[:1]))
    assert line.startswith("nests: [{'species': 'wren'")
