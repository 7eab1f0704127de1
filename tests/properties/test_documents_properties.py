"""Whatever stands in a YAML file, it is a mapping or a mistake that is told in a few lines."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from birddask.documents import parse, parse_yaml
from birddask.errors import ConfigError
from birddask.job import Job

_PIECES = st.sampled_from(
    [
        *(
            "archive: ",
            "output: ",
            "model: ",
            "floor: ",
            "overlap_s: ",
            "clocks: ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            ": ",
            "- ",
        ),
        *(
            "\n",
            "\n  ",
            "? ",
            "&a ",
            "*a",
            "!!",
            "!!int ",
            "!!set ",
            "!x ",
            "<<: ",
            "|\n",
            ">-\n",
            "---\n",
            "...\n",
            "%",
        ),
        *("'", '"', '"\\ud800"', '"\\e[2J"', "#", "~", "true", ".nan", "1e999", "0x", "0b_", "1:30", "9" * 5000, "\t"),
        *("2024-13-45", "0000-01-01", "9999-12-31t23:59:59-23:00", "\x00", "\u202e", "\ufeff", "=", "x"),
    ]
)


@given(st.one_of(st.lists(_PIECES, max_size=30).map("".join), st.binary(max_size=40)))
@example("<<: {archive: a}\narchive: b\n")
@example(
    "archive: a\noutput: b\nmodel: c\nclocks: [{clock: 0001-01-01t00:00:00+14:00, truth: 9999-12-31t23:59:59-12:00}]\n"
)
def test_any_text_is_a_mapping_or_a_mistake(content: str | bytes) -> None:
    assert len(mistake(content)) < 20_000


def mistake(content: str | bytes) -> str:
    """What is told of the content of a job file; nothing if it is a job."""
    try:
        parse(Job, parse_yaml(content, "job.yaml"), "job.yaml")
    except ConfigError as error:
        return str(error)
    return ""
