"""What a reviewer has before them: the drawn detections, their pictures and sounds, and the answers so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from birddask.clips.find import clip_number, usable_recordings
from birddask.clips.frequencies import Centres, bin_centres, front_end_arrays
from birddask.clips.picture import Panel, panels
from birddask.clips.sound import Sound, clip_sound
from birddask.detections.found import Found, scored_store
from birddask.detections.labels import key_of, keys_of
from birddask.errors import RecordingError
from birddask.job import Job
from birddask.mels.spec import MelSpec
from birddask.mels.store import MelStore
from birddask.outputs import read_scans
from birddask.recordings.moments import to_microseconds
from birddask.recordings.recording import Recording
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

    job: Job
    found: Found
    drawn: Sequence[Drawn]
    labels: Sequence[str]
    reviewer: str
    session: Session
    said: dict[Key, Answer]
    _store: MelStore
    _centres: tuple[Centres | None, ...]
    _recordings: Mapping[str, Recording]
    _by_name: Mapping[str, str]

    @property
    def spec(self) -> MelSpec:
        """Of the mels that pictures are made of."""
        return self._store.spec

    def blank(self) -> tuple[Panel, ...]:
        """Pictures of a clip without sound, for their axes."""
        return panels(np.zeros(self.spec.shape, np.float32), self.spec, self._centres)

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
        """The channels of the clip of a detection, those of the highest frequencies first.

        Raises:
            MelsLost: the mels are not there any more.
        """
        return panels(self._store.read_clip(self.drawn[number].clip), self._store.spec, self._centres)

    def sound(self, number: int) -> Sound:
        """The sound of the clip of a detection.

        Raises:
            RecordingError: the recording can't be read, or was scanned again since it was scored.
            FileNotFoundError: it is not there any more.
            StorageError, TransientStorageError: the archive can't be reached.
        """
        drawn, spec = self.drawn[number], self._store.spec
        recording = self._recordings.get(drawn.recording)
        if recording is None:
            raise RecordingError("superseded", f"{drawn.recording} was scanned again since it was scored")
        return clip_sound(self.job.archive_folder, recording, clip_number(spec.clip, drawn.start_us), spec)


def set_up(job: Job, found: Found, drawn: Sequence[Drawn], labels: Sequence[str], reviewer: str) -> Desk:
    """Make ready for a review of what was drawn from some results.

    Raises:
        ConfigError: the mels of these results are not in the output any more.
    """
    store = scored_store(found)
    return Desk(
        job,
        found,
        drawn,
        labels,
        reviewer,
        Session(found.output),
        dict(latest(read_answers(found.output, found.name))),
        store,
        bin_centres(store.spec, front_end_arrays(job)),
        usable_recordings(read_scans(found.output), {each.recording for each in drawn}),
        {key: label for label in reversed(labels) for key in keys_of(label)},
    )
