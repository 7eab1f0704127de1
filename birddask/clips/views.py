"""Pictures and sounds of clips that stand in results: from the store of the mels, and from the archive."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from birddask.clips.find import clip_number, usable_recordings
from birddask.clips.frequencies import Centres, bin_centres, front_end_arrays
from birddask.clips.picture import Panel, panels
from birddask.clips.sound import Sound, clip_sound
from birddask.errors import RecordingError
from birddask.job import Job
from birddask.mels.store import MelStore
from birddask.outputs import read_scans
from birddask.recordings.recording import Recording
from birddask.storage import Folder


@dataclass(frozen=True)
class Views:
    """What there is to see and to hear of clips; made by ``views_of``.

    Attributes:
        centres: of the bins of each channel of the store, in Hz; None where they are not known.
        recordings: usable ones, by path.
    """

    store: MelStore
    centres: Sequence[Centres | None]
    archive: Folder
    recordings: Mapping[str, Recording]

    def pictures(self, clip: int) -> tuple[Panel, ...]:
        """The channels of the clip in this row of the store, those of the highest frequencies first.

        Raises:
            MelsLost: the mels are not there any more.
        """
        return panels(self.store.read_clip(clip), self.store.spec, self.centres)

    def blank(self) -> tuple[Panel, ...]:
        """Pictures of a clip without sound, for their axes."""
        return panels(np.zeros(self.store.spec.shape, np.float32), self.store.spec, self.centres)

    def sound(self, recording: str, start_us: int) -> Sound:
        """The sound of the clip that begins so many microseconds behind the begin of a recording.

        Raises:
            RecordingError: the recording can't be read, or was scanned again since it was scored.
            FileNotFoundError: it is not there any more.
            StorageError, TransientStorageError: the archive can't be reached.
        """
        if recording not in self.recordings:
            raise RecordingError("superseded", f"{recording} was scanned again since it was scored")
        spec = self.store.spec
        return clip_sound(self.archive, self.recordings[recording], clip_number(spec.clip, start_us), spec)


def views_of(job: Job, store: MelStore, recordings: Collection[str]) -> Views:
    """Views of the clips of a store; sounds are to be had of these recordings."""
    usable = usable_recordings(read_scans(job.output_folder), recordings) if recordings else {}
    return Views(store, bin_centres(store.spec, front_end_arrays(job)), job.archive_folder, usable)
