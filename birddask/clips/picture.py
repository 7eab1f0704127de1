"""The mels of a clip as pictures without axes, a pixel a value, and where the marks of their axes belong."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from birddask.clips.frequencies import Centres
from birddask.mels.spec import MelSpec

MEDIA_TYPE = "image/webp"

_COLOURS = "magma"
# Darkest and brightest, in percent of the values of a channel of the clip.
_DARKEST, _BRIGHTEST = 20.0, 99.5
_LEAST_CONTRAST = 1e-6
# Below 1: faint sounds show beside loud ones.
_GAMMA = 0.7
_QUALITY = 60
_MARKS_HZ = (100, 200, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000)
_MARKS_APART = 0.12
# For clips up to this length, a mark each.
_TIME_STEPS_S = ((0.9, 0.1), (2.0, 0.5), (6.0, 1.0), (12.0, 2.0), (np.inf, 10.0))


@dataclass(frozen=True)
class Mark:
    """A mark of an axis.

    Attributes:
        place: from 0, where the axis begins, to 1.
    """

    place: float
    text: str


@dataclass(frozen=True)
class Panel:
    """One channel of a clip as it is drawn.

    Attributes:
        levels: uint8 (mel, frame), from dark to bright; the first row is the highest bin.
        marks: of the frequency axis, from the bottom; none where frequencies are not known.
    """

    levels: NDArray[np.uint8]
    marks: tuple[Mark, ...]

    def webp(self) -> bytes:
        """The picture as a WebP file."""
        stream = io.BytesIO()
        Image.fromarray(colours()[self.levels]).save(stream, "WEBP", quality=_QUALITY)
        return stream.getvalue()

    def scaled(self, width: int, height: int) -> NDArray[np.uint8]:
        """The levels in another size, uint8 (height, width), each the mean of those that it covers."""
        return np.asarray(Image.fromarray(self.levels).resize((width, height), Image.Resampling.BOX), np.uint8)


def panels(mels: NDArray[np.float32], spec: MelSpec, centres: Sequence[Centres | None]) -> tuple[Panel, ...]:
    """The channels of a clip, those of the highest frequencies first.

    Args:
        mels: float32 (channel, mel, frame).
        spec: of the mels.
        centres: of the bins of each channel, None where they are not known.
    """
    drawn = []
    for values, channel, known in zip(mels, spec.channels, centres, strict=True):
        upright = values if channel.highest_first else values[::-1]
        drawn.append((0.0 if known is None else float(known[-1]), Panel(_levels(upright), _marks(known))))
    return tuple(panel for _, panel in sorted(drawn, key=lambda each: -each[0]))


def time_marks(spec: MelSpec) -> tuple[Mark, ...]:
    """Marks of the time axis of a clip, at whole seconds or at tenths."""
    rate_hz, channel = spec.clip.sample_rate_hz, spec.channels[0]
    begin_s, length_s = 0.0, spec.clip.length_samples / rate_hz
    if channel.crop is not None:
        begin_s, length_s = (
            frames * channel.hop_samples / rate_hz for frames in (channel.crop.first_frame, channel.crop.frames)
        )
    step_s = next(step for longest, step in _TIME_STEPS_S if length_s <= longest)
    moments_s = step_s * np.arange(np.ceil(begin_s / step_s), np.floor((begin_s + length_s) / step_s + 1e-9) + 1)
    return tuple(Mark((each - begin_s) / length_s, f"{each:.4g} s") for each in moments_s.tolist())


def colours() -> NDArray[np.uint8]:
    """The colour of each level, uint8 (256, 3)."""
    palette: NDArray[np.uint8] = colormaps[_COLOURS](np.arange(256), bytes=True)[:, :3]
    return palette


def _levels(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    dark, bright = np.percentile(values, (_DARKEST, _BRIGHTEST)).tolist()
    share: NDArray[np.float32] = np.clip((values - dark) / max(bright - dark, _LEAST_CONTRAST), 0, 1)
    levels: NDArray[np.uint8] = np.rint(255 * share**_GAMMA).astype(np.uint8)
    return levels


def _marks(centres: Centres | None) -> tuple[Mark, ...]:
    if centres is None:
        return ()
    marks: list[Mark] = []
    for hz in _MARKS_HZ:
        if not centres[0] <= hz <= centres[-1]:
            continue
        place = (float(np.interp(hz, centres, np.arange(len(centres)))) + 0.5) / len(centres)
        if not marks or place - marks[-1].place >= _MARKS_APART:
            marks.append(Mark(place, f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz"))
    return tuple(marks)
