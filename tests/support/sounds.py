"""Recordings for tests, written byte by byte and without the product's own code."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def noise(seconds: float, rate: int, seed: int = 0) -> NDArray[np.int16]:
    """Noise with a tone in it, int16 (frames,)."""
    frames = round(seconds * rate)
    generator = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * (300 + 40 * seed) * np.arange(frames) / rate)
    return np.asarray(3000 * tone + generator.normal(0, 800, frames)).astype(np.int16)


def chunk(name: bytes, content: bytes) -> bytes:
    """A RIFF chunk with its pad byte."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def fmt_chunk(rate: int, channels: int = 1, bits: int = 16, tag: int = 1) -> bytes:
    """The 16-byte format chunk."""
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits))


def wav_bytes(samples: NDArray[np.int16], rate: int, comment: str = "") -> bytes:
    """A 16-bit WAV file, with LIST/INFO/ICMT before the samples if there is a comment."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    info = chunk(b"LIST", b"INFO" + chunk(b"ICMT", comment.encode() + b"\0")) if comment else b""
    body = b"WAVE" + fmt_chunk(rate, channels) + info + chunk(b"data", samples.astype("<i2").tobytes())
    return b"RIFF" + struct.pack("<I", len(body)) + body


def write_wav(path: Path, samples: NDArray[np.int16], rate: int, comment: str = "") -> Path:
    """Write a 16-bit WAV file, with the folders on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav_bytes(samples, rate, comment))
    return path
