"""A small archive of real sound: an MIT-licensed dawn chorus, laid out as the cards of two AudioMoth recorders."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from birddask.access import open_probabilities
from birddask.models.packages import Package, read_members
from birddask.recordings.riff import parse_wav
from birddask.storage import Folder

CREDIT = (
    "The sound is a dawn chorus in Pennsylvania from opensoundscape 0.13.2 (Kitzes Lab, MIT licence); "
    "recorders and dates are made up."
)
_WHEEL = Package("opensoundscape==0.13.2", "f50b3ee4aa32538cdc8cde8aba934689663dde7f94769338219fcc43828cb24c")
_SOUND = "opensoundscape/sample_data/birds_10s.wav"
_HEADER_BYTES = 488
_COMMENT_BYTES = 384
_ARTIST_BYTES = 32


@dataclass(frozen=True)
class _Cut:
    """A cut of the dawn chorus, and the recording that it becomes."""

    card: str
    device: str
    start: datetime
    from_s: int
    to_s: int


_CUTS = (
    _Cut("ridge", "24F3190361DEA001", datetime(2025, 5, 11, 9, 30, tzinfo=UTC), 0, 10),
    _Cut("stream", "24F3190361DEA002", datetime(2025, 5, 11, 9, 30, tzinfo=UTC), 0, 6),
    _Cut("stream", "24F3190361DEA002", datetime(2025, 5, 11, 9, 31, tzinfo=UTC), 4, 10),
)


def lay_out_cards(archive: Folder, wheel_file: Path | None) -> None:
    """Write the recordings of two AudioMoth cards into an archive; those that are there stay.

    Raises:
        ConfigError: the sound can't be downloaded; the message says how to go on.
    """
    missing = [cut for cut in _CUTS if not archive.exists(_key(cut))]
    if not missing:
        return
    sound = dawn_chorus(wheel_file)
    header = parse_wav(lambda start, end: sound[start:end], len(sound))
    samples = sound[header.data_offset_bytes :]
    for cut in missing:
        frame_bytes_per_s = 2 * header.sample_rate_hz
        taken = samples[cut.from_s * frame_bytes_per_s : cut.to_s * frame_bytes_per_s]
        archive.publish(_key(cut), _audiomoth_header(cut, header.sample_rate_hz, len(taken)) + taken)


def dawn_chorus(wheel_file: Path | None) -> bytes:
    """The sound as a WAV file, 10 s at 32 kHz; raises as ``lay_out_cards``."""
    (sound,) = read_members(_WHEEL, [_SOUND], wheel_file)
    return sound


def species_lines(output: str, model: str, threshold: float) -> Iterator[str]:
    """Which species were heard at which site, the surest first."""
    rows = open_probabilities(output, model).to_table(columns=["site", "label", "probability"]).to_pylist()
    heard: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["probability"] >= threshold:
            heard.setdefault((row["site"], row["label"]), []).append(row["probability"])
    for (site, label), found in sorted(heard.items(), key=lambda item: -max(item[1])):
        scientific, common = label.split("_", 1)
        yield f"  {site}: {common} ({scientific}), {len(found)} clips, best {max(found):.2f}"


def _key(cut: _Cut) -> str:
    return f"{cut.card}/{cut.start:%Y%m%d_%H%M%S}.WAV"


def _audiomoth_header(cut: _Cut, sample_rate_hz: int, data_bytes: int) -> bytes:
    """The 488 bytes that firmware 1.4 and later write before 16-bit samples."""
    comment = (
        f"Recorded at {cut.start:%H:%M:%S %d/%m/%Y} (UTC) by AudioMoth {cut.device} "
        "at medium gain while battery was 4.1V and temperature was 11.8C."
    )
    information = b"".join(
        [
            *(b"INFO", b"ICMT", struct.pack("<I", _COMMENT_BYTES)),
            comment.encode().ljust(_COMMENT_BYTES, b"\0"),
            *(b"IART", struct.pack("<I", _ARTIST_BYTES)),
            f"AudioMoth {cut.device}".encode().ljust(_ARTIST_BYTES, b"\0"),
        ]
    )
    return b"".join(
        [
            *(b"RIFF", struct.pack("<I", _HEADER_BYTES - 8 + data_bytes), b"WAVE"),
            *(b"fmt ", struct.pack("<IHHIIHH", 16, 1, 1, sample_rate_hz, 2 * sample_rate_hz, 2, 16)),
            *(b"LIST", struct.pack("<I", len(information)), information),
            *(b"data", struct.pack("<I", data_bytes)),
        ]
    )
