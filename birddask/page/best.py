"""The best clips of the page: their spectrograms from the store, their sound from the archive if it is there."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from birddask.clips.picture import MEDIA_TYPE as PICTURE_TYPE
from birddask.clips.picture import Mark
from birddask.clips.sound import MEDIA_TYPE as SOUND_TYPE
from birddask.clips.views import Views, views_of
from birddask.errors import BirddaskError, ConfigError, MelsLost
from birddask.job import Job
from birddask.mels.store import MelStore
from birddask.page.heard import Best


@dataclass(frozen=True)
class Picture:
    """One spectrogram of a clip.

    Attributes:
        source: a ``data:`` URI.
        marks: of the frequency axis.
    """

    source: str
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Clip:
    """A clip to be looked at and listened to.

    Attributes:
        pictures: one a channel; none if the mels are lost.
        sound: a ``data:`` URI; empty if there is none.
        no_sound: why, if the archive was asked for it.
        slower: how many times slower it plays than it was recorded.
    """

    best: Best
    pictures: Sequence[Picture]
    sound: str = ""
    no_sound: str = ""
    slower: int = 1


@dataclass(frozen=True)
class ClipMaker:
    """Makes clips of what was found best; made by ``clip_maker``.

    Attributes:
        sounds: whether the archive can be reached.
    """

    views: Views
    sounds: bool

    def __call__(self, best: Best) -> Clip:
        """The clip, with its sound if that can be had."""
        clip = Clip(best, self._pictures(best))
        if not self.sounds:
            return clip
        try:
            sound = self.views.sound(best.recording, best.start_us)
        except FileNotFoundError:
            return replace(clip, no_sound="the recording is not in the archive any more")
        except BirddaskError as error:
            return replace(clip, no_sound=str(error))
        return replace(clip, sound=_uri(SOUND_TYPE, sound.content), slower=sound.slower)

    def _pictures(self, best: Best) -> list[Picture]:
        try:
            drawn = self.views.pictures(best.clip)
        except MelsLost:
            return []
        return [Picture(_uri(PICTURE_TYPE, panel.webp()), panel.marks) for panel in drawn]


def clip_maker(job: Job, store: MelStore, wanted: Iterable[Best]) -> ClipMaker:
    """What makes the clips of a page, and whether their sound can be had."""
    try:
        job.archive_folder.require_readable("archive")
    except ConfigError:
        return ClipMaker(views_of(job, store, ()), sounds=False)
    return ClipMaker(views_of(job, store, {best.recording for best in wanted}), sounds=True)


def _uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
