"""What a model eats, to the last detail that changes a number: the contract between stores and models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from birddask.documents import differences, document, to_mapping
from birddask.errors import ConfigError
from birddask.fingerprint import fingerprint
from birddask.mels.axes import Axis, Crop, LinearAxis, MelFilterbank, StoredArray
from birddask.mels.coding import Coding, Dtype
from birddask.mels.scales import Scale, Waveform, require_order
from birddask.plan import ClipRule

NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
"""What names that become part of a path are made of."""


Resampler = Literal["soxr_hq", "soxr_vhq", "sinc_hann"]
"""``soxr_hq`` is librosa's default, ``sinc_hann`` torchaudio's."""


@document
@dataclass(frozen=True)
class Padded:
    """Zeros around the clip, and frames as long as the window: TensorFlow's and JAX's way of counting frames.

    Attributes:
        front_samples: zeros before the clip.
        end_samples: zeros behind it.
    """

    front_samples: int
    end_samples: int

    def __post_init__(self) -> None:
        if min(self.front_samples, self.end_samples) < 0:
            raise ConfigError("the zeros around a clip can't be fewer than none")


@document
@dataclass(frozen=True)
class ChannelSpec:
    """One spectrogram of a clip.

    Attributes:
        n_fft: length of the transform, in samples.
        hop_samples: distance between frames.
        framing: ``inside`` takes only whole frames of the clip, of n_fft samples; ``centre_zero`` and
            ``centre_reflect`` first extend the clip by half a frame on both sides; see ``Padded`` for another way.
        window: its shape; ``hann``, ``hamming`` and ``flattop`` are periodic, as spectrograms want them, and
            ``hann_symmetric`` is not; or a stored one, of n_fft samples.
        spectrum: what is kept of a bin: its real part, magnitude or power.
        filterbank: a mel matrix by formula, the transform's own bins, or a matrix stored as (n_fft / 2 + 1, bins).
        bins: that the filterbank gives.
        scale: what is done to the mels; several in their order.
        highest_first: the mel axis runs from high to low.
        window_samples: length of the window, which stands in the middle of a frame of n_fft samples; None for n_fft.
        window_norm: ``sum`` divides the window by its sum.
        crop: what is kept, after scaling; None for all.
    """

    n_fft: int
    hop_samples: int
    framing: Literal["inside", "centre_zero", "centre_reflect"] | Padded
    window: Literal["hann", "hann_symmetric", "hamming", "flattop"] | StoredArray
    spectrum: Literal["real", "magnitude", "power"]
    filterbank: Axis
    bins: int
    scale: Scale | tuple[Scale, ...]
    highest_first: bool
    window_samples: int | None = None
    window_norm: Literal["none", "sum"] = "none"
    crop: Crop | None = None

    def __post_init__(self) -> None:
        if self.n_fft < 2 or self.n_fft % 2 or self.hop_samples < 1 or self.bins < 1:
            raise ConfigError("a channel needs an even n_fft, a positive hop and at least one bin")
        if not 2 <= self.window_length <= self.n_fft:
            raise ConfigError(f"a window of {self.window_length} samples does not fit a transform of {self.n_fft}")
        if isinstance(self.window, StoredArray) and (self.window_samples is not None or self.window_norm != "none"):
            raise ConfigError("a stored window is used as it is: without `window_samples` and `window_norm`")
        if self.spectrum == "real" and (self.n_fft % 8 or self.window_length != self.n_fft):
            raise ConfigError(
                "the real part of a spectrum needs an n_fft that is a multiple of 8 and a window of that length "
                f"(found {self.n_fft} and {self.window_length})"
            )
        if isinstance(self.filterbank, MelFilterbank) and self.filterbank.bins != self.bins:
            raise ConfigError(f"the filterbank has {self.filterbank.bins} bins, its channel {self.bins}")
        if self.crop and self.crop.first_bin + self.crop.bins > self.bins:
            raise ConfigError(
                f"a crop of {self.crop.bins} bins from {self.crop.first_bin} on is not in a channel of {self.bins}"
            )
        require_order(self.scales, self.spectrum)

    @property
    def scales(self) -> tuple[Scale, ...]:
        """What is done to the mels, in order."""
        return self.scale if isinstance(self.scale, tuple) else (self.scale,)

    @property
    def window_length(self) -> int:
        """Samples of the window."""
        return self.n_fft if self.window_samples is None else self.window_samples

    def frames(self, clip_samples: int) -> int:
        """Frames of a clip of ``clip_samples``, before any crop."""
        if isinstance(self.framing, Padded):
            padded = self.framing.front_samples + clip_samples + self.framing.end_samples
            return max(0, (padded - self.window_length) // self.hop_samples + 1)
        if self.framing == "inside":
            return max(0, (clip_samples - self.n_fft) // self.hop_samples + 1)
        return clip_samples // self.hop_samples + 1

    def shape(self, clip_samples: int) -> tuple[int, int]:
        """(mel, frame) of a clip of ``clip_samples``."""
        if self.crop:
            return self.crop.bins, self.crop.frames
        return self.bins, self.frames(clip_samples)

    def require_clip(self, clip: ClipRule) -> None:
        """Raise ConfigError, with the reason, unless clips of a rule give this channel."""
        nyquist_hz = clip.sample_rate_hz / 2
        if not isinstance(self.filterbank, StoredArray) and self.filterbank.high_hz > nyquist_hz:
            raise ConfigError(
                f"a filterbank up to {self.filterbank.high_hz:g} Hz goes beyond {nyquist_hz:g} Hz, half the clips' rate"
            )
        if isinstance(self.filterbank, LinearAxis):
            axis = self.filterbank.bins(self.n_fft, clip.sample_rate_hz)
            if len(axis) != self.bins:
                raise ConfigError(
                    f"{len(axis)} bins of the transform lie from {self.filterbank.low_hz:g} to "
                    f"{self.filterbank.high_hz:g} Hz, the channel has {self.bins}"
                )
        if self.framing == "centre_reflect" and clip.length_samples <= self.n_fft // 2:
            raise ConfigError(f"a clip of {clip.length_samples} samples is too short to be extended by its reflection")
        frames = self.frames(clip.length_samples)
        if self.crop and self.crop.first_frame + self.crop.frames > frames:
            raise ConfigError(
                f"a crop of {self.crop.frames} frames from {self.crop.first_frame} on is not in a clip of {frames}"
            )


@document
@dataclass(frozen=True)
class MelSpec:
    """Everything between the samples of a recording and the array that a model reads.

    Channels of a recording are averaged; the result is resampled clip by clip with 50 ms of context on both sides.

    Attributes:
        name: a word for the store's path.
        clip: how recordings are cut.
        resampler: used where a recording's rate is not the clip rule's.
        waveform: per-clip normalisation.
        channels: the spectrograms of a clip, all of the same shape.
        dtype: how mels are stored; see ``Coding``.
        float16_offset: taken off before rounding to float16 and added again on reading: a value near the middle of
            what the model reacts to, where float16 is finest. Used with float16 only.
    """

    name: str
    clip: ClipRule
    resampler: Resampler
    waveform: Waveform
    channels: tuple[ChannelSpec, ...]
    dtype: Dtype
    float16_offset: float = 0.0

    def __post_init__(self) -> None:
        if not self.name or not set(self.name) <= NAME_CHARACTERS:
            raise ConfigError(f"the mels' name {self.name!r} must be of lower-case letters, digits, '.', '-' and '_'")
        for number, channel in enumerate(self.channels):
            try:
                channel.require_clip(self.clip)
            except ConfigError as error:
                raise ConfigError(f"channels[{number}] of the mel spec {self.name!r}: {error}") from error
        shapes = {channel.shape(self.clip.length_samples) for channel in self.channels}
        if len(shapes) != 1 or 0 in min(shapes):
            raise ConfigError(
                f"all channels of the mel spec {self.name!r} must give the same (bins, frames), "
                f"these give {sorted(shapes)}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channel, mel, frame) of one clip."""
        return len(self.channels), *self.channels[0].shape(self.clip.length_samples)

    @property
    def coding(self) -> Coding:
        """How mels are kept in a store."""
        return Coding(self.dtype, self.float16_offset)

    @property
    def fingerprint(self) -> str:
        """A short hash of everything in the spec."""
        return fingerprint(to_mapping(self))

    @property
    def store_name(self) -> str:
        """The folder below ``mels/`` that holds mels of this spec."""
        return f"{self.name}-{self.fingerprint}"


def require_same(wanted: MelSpec, found: MelSpec, what: str) -> None:
    """Raise ConfigError, naming the fields that differ, unless two specs are equal."""
    lines = differences(wanted, found)
    if lines:
        fields = "".join(f"\n  {line}" for line in lines)
        raise ConfigError(f"{what} holds other mels than the model eats; the model wants{fields}")
