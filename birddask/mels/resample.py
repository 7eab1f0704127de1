"""One clip at the model's rate from a recording at any rate (the only ``soxr`` import)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from birddask.mels.sinc import resample_sinc
from birddask.mels.spec import MelSpec, Resampler

_SOXR_QUALITY: Mapping[Resampler, str] = {"soxr_hq": "HQ", "soxr_vhq": "VHQ"}
# At 50 ms of context soxr gives what it gives on the whole recording, within 4e-7 (docs/design/0003).
_CONTEXT_PER_S = 20


@dataclass(frozen=True)
class InputSpan:
    """The part of a recording that a clip is made from.

    Attributes:
        first_frame, end_frame: in the recording, within its bounds; with context for the resampler.
        own_first_frame, own_end_frame: the same without context.
        skip_samples: of the resampled span, before the clip begins.
    """

    first_frame: int
    end_frame: int
    own_first_frame: int
    own_end_frame: int
    skip_samples: int


def input_span(start_samples: int, length_samples: int, rate_hz: int, recording_rate_hz: int, frames: int) -> InputSpan:
    """The frames needed for a clip of the resampled recording.

    A span begins where a frame and a resampled sample coincide, so that a clip does not depend on its neighbours.

    Args:
        start_samples: where the clip begins, at ``rate_hz``.
        length_samples: of the clip, at ``rate_hz``.
        rate_hz: of the model.
        recording_rate_hz: of the recording.
        frames: of the recording, at its own rate.
    """
    own_first = start_samples * recording_rate_hz // rate_hz
    own_end = min(-(-(start_samples + length_samples) * recording_rate_hz // rate_hz), frames)
    if rate_hz == recording_rate_hz:
        return InputSpan(own_first, own_end, own_first, own_end, 0)
    context = rate_hz // _CONTEXT_PER_S
    common = math.gcd(rate_hz, recording_rate_hz)
    samples_per_unit, frames_per_unit = rate_hz // common, recording_rate_hz // common
    unit = max(0, start_samples - context) // samples_per_unit
    end = -(-(start_samples + length_samples + context) * recording_rate_hz // rate_hz)
    skip = start_samples - unit * samples_per_unit
    return InputSpan(unit * frames_per_unit, min(end, frames), own_first, own_end, skip)


def resample_clip(
    span_samples: NDArray[np.float32], span: InputSpan, recording_rate_hz: int, spec: MelSpec
) -> NDArray[np.float32]:
    """The clip's waveform, float32 (clip length,), completed with zeros where the recording ends.

    Args:
        span_samples: float32 (frames of the span,), at ``recording_rate_hz``.
        span: as ``input_span`` gave it.
        recording_rate_hz: of the recording.
        spec: says the clip's rate and length and the resampler.
    """
    length_samples, rate_hz = spec.clip.length_samples, spec.clip.sample_rate_hz
    if rate_hz != recording_rate_hz:
        if spec.resampler == "sinc_hann":
            span_samples = resample_sinc(span_samples, recording_rate_hz, rate_hz)
        else:
            quality = _SOXR_QUALITY[spec.resampler]
            span_samples = soxr.resample(span_samples, recording_rate_hz, rate_hz, quality=quality)
    clip = span_samples[span.skip_samples : span.skip_samples + length_samples]
    if len(clip) == length_samples:
        return np.ascontiguousarray(clip)
    return np.pad(clip, (0, length_samples - len(clip)))
