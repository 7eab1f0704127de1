"""The clips of a stretch as waveforms, read in pieces of bounded size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birddask.mels.resample import InputSpan, input_span, resample_clip
from birddask.mels.spec import MelSpec
from birddask.plan import Stretch
from birddask.recordings.reader import bytes_per_frame, open_samples
from birddask.storage import Folder

# One read: large enough for a bucket's latency, small against a worker's memory at any rate and length.
_PIECE_BYTES = 8 << 20
# Squares of float samples below this vanish in float32.
_FAINTEST_POWER = 1e-38
# The largest 16-bit sample.
_FULL_SCALE = 32767 / 32768


@dataclass(frozen=True)
class Quality:
    """How a clip was recorded.

    Attributes:
        level_dbfs: root mean square against a full-scale constant: 0 at most for integers, -380 at least.
        clipped_share: samples at full scale, of all; 0 to 1.
        zero_share: samples that are zero, of all; 0 to 1.
    """

    level_dbfs: float
    clipped_share: float
    zero_share: float


@dataclass(frozen=True)
class ClipSound:
    """One clip, ready for the front end.

    Attributes:
        waveform: float32 (clip length,) at the rate of the clip rule.
        quality: of what was recorded, before resampling; None if all samples are zero.
    """

    waveform: NDArray[np.float32]
    quality: Quality | None


@dataclass(frozen=True)
class Piece:
    """Consecutive clips of a stretch, and the samples that they are made from.

    Attributes:
        samples: float32 (frames,) at the recording's own rate, from ``first_frame`` of the recording on.
        spans: of the clips.
    """

    samples: NDArray[np.float32]
    first_frame: int
    spans: Sequence[InputSpan]
    recording_rate_hz: int
    spec: MelSpec

    def sounds(self) -> Iterator[ClipSound]:
        """The clips in order; computes, and reads nothing."""
        for span in self.spans:
            frames = self.samples[span.first_frame - self.first_frame : span.end_frame - self.first_frame]
            waveform = resample_clip(frames, span, self.recording_rate_hz, self.spec)
            own = self.samples[span.own_first_frame - self.first_frame : span.own_end_frame - self.first_frame]
            yield ClipSound(waveform, _quality(own))


def read_pieces(archive: Folder, stretch: Stretch, spec: MelSpec) -> Iterator[Piece]:
    """The clips of a stretch in order, a few seconds' work at a time; each step reads, and computes nothing.

    Raises:
        RecordingError: the recording can't be read, from here on.
        FileNotFoundError: it has gone since the scan.
    """
    recording, rule = stretch.recording, spec.clip
    spans = [
        input_span(
            clip * rule.hop_samples,
            rule.length_samples,
            rule.sample_rate_hz,
            recording.sample_rate_hz,
            recording.frames,
        )
        for clip in range(stretch.first_clip, stretch.first_clip + stretch.clips)
    ]
    with open_samples(archive, recording) as read:
        for run in _runs(spans, _PIECE_BYTES // bytes_per_frame(recording)):
            first, end = run[0].first_frame, run[-1].end_frame
            yield Piece(read(first, end - first), first, run, recording.sample_rate_hz, spec)


def _runs(spans: list[InputSpan], frames_at_most: int) -> Iterator[list[InputSpan]]:
    """Runs of consecutive spans that together fit, at least one span each."""
    run: list[InputSpan] = []
    for span in spans:
        if run and span.end_frame - run[0].first_frame > frames_at_most:
            yield run
            run = []
        run.append(span)
    if run:
        yield run


def _quality(samples: NDArray[np.float32]) -> Quality | None:
    count = len(samples)
    sounding = np.count_nonzero(samples != 0)
    if not sounding:
        return None
    power = max(float(np.dot(samples, samples)) / count, _FAINTEST_POWER)
    clipped = np.count_nonzero(samples >= _FULL_SCALE) + np.count_nonzero(samples <= -_FULL_SCALE)
    return Quality(10 * math.log10(power), clipped / count, 1 - sounding / count)
