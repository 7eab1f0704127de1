"""Archives for the benchmarks, made of one real sound."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import soundfile
import soxr

from birddask.commands.demo import dawn_chorus


def repeat(sound: Path, target: Path, seconds: float) -> None:
    """Write a 16-bit WAV file again and again into another one, up to a length."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(sound)) as source, wave.open(str(target), "wb") as sink:
        sink.setparams(source.getparams())
        left = round(seconds * source.getframerate())
        while left > 0:
            source.rewind()
            frames = min(left, source.getnframes())
            sink.writeframes(source.readframes(frames))
            left -= frames


def dawn_chorus_at(rate_hz: int, target: Path) -> None:
    """Write the demonstration's sound at another rate, as a 16-bit WAV file."""
    samples, own_rate_hz = soundfile.read(io.BytesIO(dawn_chorus(None)), dtype="float32")
    soundfile.write(target, soxr.resample(samples, own_rate_hz, rate_hz, quality="HQ"), rate_hz, subtype="PCM_16")
