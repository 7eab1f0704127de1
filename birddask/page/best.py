"""The best clips of the page: their spectrograms from the store, their sound from the archive if it is there."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from birddask.clips.find import clip_number, usable_recordings
from birddask.clips.frequencies import Centres, bin_centres, front_end_arrays
from birddask.clips.picture import MEDIA_TYPE as PICTURE_TYPE
from birddask.clips.picture import Mark, panels
from birddask.clips.sound import MEDIA_TYPE as SOUND_TYPE
from birddask.clips.sound import clip_sound
from birddask.errors import BirddaskError, ConfigError, MelsLost
from birddask.job import Job
from birddask.mels.store import MelStore
from birddask.outputs import read_scans
from birddask.page.heard import Best
from birddask.recordings.recording import Recording
from birddask.storage import Folder

_GONE = "the recording is not in the archive any more"


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
        archive: None if it can't be reached.
        recordings: by path.
    """

    store: MelStore
    centres: Sequence[Centres | None]
    archive: Folder | None
    recordings: Mapping[str, Recording]

    def __call__(self, best: Best) -> Clip:
        """The clip, with its sound if that can be had."""
        clip = Clip(best, self._pictures(best))
        if self.archive is None:
            return clip
        recording, spec = self.recordings.get(best.recording), self.store.spec
        if recording is None:
            return replace(clip, no_sound=_GONE)
        try:
            sound = clip_sound(self.archive, recording, clip_number(spec.clip, best.start_us), spec)
        except FileNotFoundError:
            return replace(clip, no_sound=_GONE)
        except BirddaskError as error:
            return replace(clip, no_sound=str(error))
        return replace(clip, sound=_uri(SOUND_TYPE, sound.content), slower=sound.slower)

    def _pictures(self, best: Best) -> list[Picture]:
        try:
            mels = self.store.read_clip(best.clip)
        except MelsLost:
            return []
        drawn = panels(mels, self.store.spec, self.centres)
        return [Picture(_uri(PICTURE_TYPE, panel.webp()), panel.marks) for panel in drawn]


def clip_maker(job: Job, store: MelStore, wanted: Iterable[Best]) -> ClipMaker:
    """What makes the clips of a page, and whether their sound can be had."""
    centres = bin_centres(store.spec, front_end_arrays(job))
    archive = job.archive_folder
    try:
        archive.require_readable("archive")
    except ConfigError:
        return ClipMaker(store, centres, None, {})
    recordings = usable_recordings(read_scans(job.output_folder), {best.recording for best in wanted})
    return ClipMaker(store, centres, archive, recordings)


def _uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
