"""Whose comment it is."""

from __future__ import annotations

from birddask.recordings.about import Texts
from birddask.recordings.audiomoth import Comment
from birddask.recordings.comments import read_comment

AUDIOMOTH = "Recorded at 19:17:00 10/05/2024 (UTC) by AudioMoth 24526B065D325963 at medium gain while battery was 4.2V."


def test_the_comment_of_an_audiomoth_is_read() -> None:
    said = read_comment(AUDIOMOTH)
    assert (said.model, said.device, said.gain) == ("AudioMoth", "24526B065D325963", "medium")
    assert Texts("a.wav", AUDIOMOTH).audiomoth


def test_of_a_comment_that_nobody_knows_nothing_is_taken() -> None:
    assert read_comment("made with a good microphone") == read_comment("") == Comment()
    assert not Texts("a.wav", "made with a good microphone").audiomoth
