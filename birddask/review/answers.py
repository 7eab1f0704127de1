"""The annotations table: what people answered about detections, one file a session.

With each answer the session's file is written anew, whole and under a new name, and then the one before it is removed:
what was answered is in the output before anybody is told so, a kill at any moment loses nothing, not even where a
rename can't replace a file, and a thousand answers are one small file. Of a session with several files the longest
counts. No answer is ever deleted: of several about one detection the latest counts.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa

from birddask.review.sample import Drawn
from birddask.storage import Folder
from birddask.table.parquet import TIME, WORD, read_columns, to_bytes

ANNOTATIONS = "annotations"
"""The folder below the output."""

Verdict = Literal["yes", "no", "unsure", "other"]
VERDICTS: tuple[Verdict, ...] = ("yes", "no", "unsure", "other")

Key = tuple[str, int, str]
"""Recording, start in microseconds, label: what a detection is known by, whatever becomes of the store."""

_SCHEMA = pa.schema(
    [
        ("label", WORD),
        ("site", WORD),
        ("recording", WORD),
        ("clip", pa.int64()),
        ("start_us", pa.int64()),
        ("end_us", pa.int64()),
        ("start_time_us", TIME),
        ("probability", pa.float32()),
        ("band_low", pa.float64()),
        ("band_high", pa.float64()),
        ("band_detections", pa.int64()),
        ("band_drawn", pa.int64()),
        ("verdict", WORD),
        ("other", WORD),
        ("reviewer", WORD),
        ("answered_us", TIME),
        ("model", WORD),
        ("weight", pa.float64()),
    ]
)
_FILE_KEY = re.compile(r"(?P<session>session-.+)-\d{6}\.parquet")
_TIMES = {"start_time_us": "start_time", "answered_us": "answered"}
"""Times are called in the table as in the others."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said about a detection.

    Attributes:
        drawn: which detection.
        verdict: whether the label is to be heard; ``other`` if it is not, and something else is.
        other: what else: a label of the model, or what the reviewer wrote; None unless ``other``.
        reviewer: who said it.
        answered_us: microseconds since 1970 UTC.
        model: the folder of the results.
    """

    drawn: Drawn
    verdict: Verdict
    other: str | None
    reviewer: str
    answered_us: int
    model: str

    @property
    def key(self) -> Key:
        """What it is about."""
        return key_of_detection(self.drawn)

    @property
    def weight(self) -> float:
        """How many detections of its band a drawn one stands for."""
        return self.drawn.band_detections / self.drawn.band_drawn


def key_of_detection(drawn: Drawn) -> Key:
    """What a detection is known by."""
    return drawn.recording, drawn.start_us, drawn.label


class Session:
    """The answers of one sitting; answers may come from several threads."""

    def __init__(self, output: Folder) -> None:
        began = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self._folder = output.child(ANNOTATIONS)
        self._name = f"session-{began}-{uuid.uuid4().hex[:8]}"
        self._answers: list[Answer] = []
        self._lock = threading.Lock()

    def add(self, answer: Answer) -> None:
        """Keep an answer; it is durable when this returns.

        Raises:
            StorageError: it can't be written.
            TransientStorageError: storage was away for too long.
        """
        with self._lock:
            before = self.count
            self._folder.publish(_file_key(self._name, before + 1), answers_file([*self._answers, answer]))
            self._answers.append(answer)
            if before:
                self._folder.remove(_file_key(self._name, before))

    @property
    def count(self) -> int:
        """How many answers there are."""
        return len(self._answers)


def answers_file(answers: Sequence[Answer]) -> bytes:
    """Answers as a Parquet file."""
    drawn = {field.name: [getattr(each.drawn, field.name) for each in answers] for field in fields(Drawn)}
    own = {name: [getattr(each, name) for each in answers] for name in _SCHEMA.names if name not in drawn}
    table = pa.table({**drawn, **own}, schema=_SCHEMA)
    return to_bytes(table.rename_columns([_TIMES.get(name, name) for name in _SCHEMA.names]), {})


def read_answers(output: Folder, model: str) -> list[Answer]:
    """All answers about the results of one model, in the order in which they were given."""
    folder = output.child(ANNOTATIONS)
    names = [_TIMES.get(name, name) for name in _SCHEMA.names if name != "weight"]
    of_drawn = len(fields(Drawn))
    answers = []
    matches = filter(None, map(_FILE_KEY.fullmatch, folder.file_keys()))
    # In the order of their names, so that of each session the longest comes last.
    for key in {match["session"]: match[0] for match in matches}.values():
        rows: Iterable[Any] = zip(*read_columns(folder.read(key), names), strict=True)
        answers += [Answer(Drawn(*row[:of_drawn]), *row[of_drawn:]) for row in rows]
    return sorted((each for each in answers if each.model == model), key=lambda each: each.answered_us)


def latest(answers: Iterable[Answer]) -> Mapping[Key, Answer]:
    """The answer that counts about each detection, from answers in their order."""
    return {answer.key: answer for answer in answers}


def _file_key(session: str, answers: int) -> str:
    return f"{session}-{answers:06d}.parquet"
