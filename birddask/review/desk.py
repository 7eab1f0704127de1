"""What a reviewer has before them: the drawn detections, their pictures and sounds, and the answers so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from birddask.clips.picture import Panel
from birddask.clips.sound import Sound
from birddask.clips.views import Views, views_of
from birddask.detections.found import Found, scored_store
from birddask.detections.labels import key_of, keys_of
from birddask.job import Job
from birddask.recordings.moments import to_microseconds
from birddask.review.answers import Answer, Key, Session, Verdict, key_of_detection, latest, read_answers
from birddask.review.sample import Drawn


@dataclass(frozen=True)
class Desk:
    """One review; made by ``set_up``.

    Attributes:
        drawn: what is to be reviewed.
        labels: of the model, for completion.
        said: the latest answer about each detection, those of earlier sessions included.
    """

    found: Found
    views: Views
    drawn: Sequence[Drawn]
    labels: Sequence[str]
    reviewer: str
    session: Session
    said: dict[Key, Answer]
    _by_name: Mapping[str, str]

    @property
    def answered(self) -> int:
        """How many of the drawn detections have an answer."""
        return sum(key_of_detection(each) in self.said for each in self.drawn)

    def answer(self, number: int, verdict: Verdict, other: str | None) -> Answer:
        """Keep what the reviewer says about the detection with this number; it is durable when this returns.

        Args:
            number: of the detection in ``drawn``.
            verdict: what they say.
            other: what else is to be heard: any name in a label of the model, or another one.

        Raises:
            StorageError, TransientStorageError: it can't be written.
        """
        meant = None if other is None else self._by_name.get(key_of(other), other.strip())
        now_us = to_microseconds(datetime.now(UTC))
        answer = Answer(self.drawn[number], verdict, meant, self.reviewer, now_us, self.found.name)
        self.session.add(answer)
        self.said[answer.key] = answer
        return answer

    def said_about(self, number: int) -> Answer | None:
        """The latest answer about the detection with this number."""
        return self.said.get(key_of_detection(self.drawn[number]))

    def pictures(self, number: int) -> tuple[Panel, ...]:
        """The channels of the clip of a detection, see ``Views.pictures``."""
        return self.views.pictures(self.drawn[number].clip)

    def sound(self, number: int) -> Sound:
        """The sound of the clip of a detection, see ``Views.sound``."""
        drawn = self.drawn[number]
        return self.views.sound(drawn.recording, drawn.start_us)


def set_up(job: Job, found: Found, drawn: Sequence[Drawn], labels: Sequence[str], reviewer: str) -> Desk:
    """Make ready for a review of what was drawn from some results.

    Raises:
        ConfigError: the mels of these results are not in the output any more.
    """
    return Desk(
        found,
        views_of(job, scored_store(found), {each.recording for each in drawn}),
        drawn,
        labels,
        reviewer,
        Session(found.output),
        dict(latest(read_answers(found.output, found.name))),
        {key: label for label in reversed(labels) for key in keys_of(label)},
    )
