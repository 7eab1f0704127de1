"""What fuzzing starts from: first inputs for each target, and the words of recorders."""

from __future__ import annotations

import itertools
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tests.fuzz.inputs import TextInput, TriggeredInput, WavInput, piece
from tests.support.sounds import chunk, fmt_chunk, noise, wav_bytes
from tests.support.triggered import HEADER_BYTES, SENTENCE, header

SHARED = Path(os.environ.get("BIRDDASK_SHARED", Path(__file__).parents[3] / "shared")) / "recordings"

GUANO = """GUANO|Version:1.0
Make:Open Acoustic Devices
Model:AudioMoth
Serial:24E144055E080032
OAD|Deployment ID:00000000A4168C14
Firmware Version:AudioMoth-Firmware-Basic (1.11.0)
Timestamp:2024-09-03T20:26:15+01:00
Loc Position:52.146196 -4.474776
OAD|Loc Source:GPS
Original Filename:20240903_202615T.WAV
OAD|Recording Settings:48000 GAIN 2 FREQ 30000 64 2% 5 BPF 1000 12000 AMP -60dB 5
OAD|Battery Voltage:3.8
Temperature Int:-13.1"""
_GUANOS = (GUANO, "GUANO|Version: 1.0\nTimestamp: 2022-08-15 21:34:14+0100\nLoc Position: 1.5 2.5\n")
_COMMENTS = (
    SENTENCE,
    "Recorded at 19:17:30 06/04/2018 by AudioMoth 0FE081F80FE081F0 at gain setting 2 while battery state was 4.02V",
    (
        "Recorded at 06:00:00 04/07/2019 (UTC:30) by AudioMoth 24526B065D325963 at gain setting 2 while battery state "
        "was less than 3.6V. Recording cancelled before completion due to low battery voltage."
    ),
    (
        "Recorded at 03:00:50 08/03/2022 (UTC+5:30) during deployment 00000000A4168C14 using external microphone at "
        "medium-high gain while battery was greater than 4.9V and temperature was -7.0C. Frequency trigger (30.0kHz "
        "and window length of 64 samples) threshold was 2% with 3s minimum trigger duration. Band-pass filter with "
        "frequencies of 1.0kHz and 12.0kHz applied. Recording stopped by magnetic switch."
    ),
    "Recorded at 10:00:00.123 28/05/2024 (UTC+1) by AudioMoth Live using 384kHz AudioMoth USB Microphone.",
    "Expanded from 20240903_202615T.WAV as file 1 of 2.",
    "AudioMoth 242A2604603691DD",
)
_NAMES = (
    "ridge/20240903/242A2604603691DD_20240903_202615T.WAV",
    "20240903/202615T.WAV",
    "5B07C752.WAV",
    "SAMPLES.WAV",
    "20240903_202615_785 (1).WAV",
    "SM301297_0+1_20170912_220000.wav",
    "OLONG-CH1_0+1_20171121$143444.wav",
    "SwiftOne_20220719_000000_-0400.wav",
    "OWL_123456_2022-07-19_T00-00-00.WAV",
    "201906 7T095935+1000_REC [-27.3888 152.8808].flac",
    "8537_20210614T120000-0300_every1d6x4hrs [+44.72053-062.80072].wav",
    "20160809_063108_Dawn _1.4647 116.9136_.wav",
    "671629352.181204100002.wav",
)
_CONFIGS = (
    """Device ID                       : 24F3190361DA3578
Firmware                        : AudioMoth-Firmware-Basic (1.10.0)
Deployment ID                   : 00000000A4168C14
Time zone                       : UTC+10:30
Device time                     : 2024-05-28 10:00:00 (UTC+7)
Location                        : 52.14°N 4.47°W (GPS)
""",
)
_WAMD_TEXTS = (
    "\1\0",
    "SM4",
    "S4A04894",
    "2.1.1",
    "FNQ-RBS",
    "2019-01-02 04:48:02.010+10:00",
    "WGS84,17.07007,S,145.37851,E",
    *[""] * 14,
    "21.75C",
)
_FLAC_TEXTS = (
    "Frontier Labs",
    "RecordingStart=2022-05-02T07:59:22+10:00",
    "SensorUid=00004024  ",
    "SensorFirmwareVersion= Firmware: V3.30  ",
    "MicrophoneUid1=003996",
    "MicrophoneUid2=unknown",
    "ChannelGain1=50dB",
    "ChannelGain2=0dB",
    "BatteryLevel=100p 13.92V",
    "SensorLocation=-27.54167+153.04277/",
    "Comment=AudioMoth",
)
_WAMD = b"".join(struct.pack("<HI", kind, len(text)) + text.encode() for kind, text in enumerate(_WAMD_TEXTS))


def _wavs() -> Iterator[bytes]:
    sound = noise(0.01, 8000).tobytes()
    guano, wamd = chunk(b"guan", GUANO.encode())[:-1], chunk(b"wamd", _WAMD)
    yield WavInput(wav_bytes(noise(0.01, 8000), 8000, SENTENCE)).packed()
    yield WavInput(header(48_000, len(sound), len(guano)) + sound + guano).packed()
    yield WavInput(header(48_000, 0) + sound + wamd).packed()
    yield WavInput(header(48_000, 1 << 31), behind=2, more_bytes=6 << 30).packed()
    for channels, bits, tag in ((2, 24, 1), (1, 8, 1), (2, 32, 3), (1, 64, 3)):
        ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(sound), 0, 0))
        data = struct.pack("<4sI", b"data", 0xFFFFFFFF) + sound
        form = fmt_chunk(44_100, channels, bits, tag)
        yield WavInput(b"RF64\xff\xff\xff\xffWAVE" + ds64 + form + data + wamd).packed()
    for path in _real("*.[wW][aA][vV]"):
        content = _head(path, 2048)
        yield WavInput(content, behind=1, more_bytes=path.stat().st_size - len(content)).packed()


def _triggered() -> Iterator[bytes]:
    loud, silent = piece(2, 24 << 8 | 7), piece(0, 64)
    yield TriggeredInput(loud + piece(2, 1024 << 8 | 1) + silent + piece(2, 512 << 8 | 9)).packed()
    yield TriggeredInput(loud + (piece(2, 512 << 8 | 3) + silent) * 20, doublings=13, first_frame=1 << 30).packed()
    yield TriggeredInput(loud + silent + piece(0, 0xFFFFFFFF)).packed()
    yield TriggeredInput(loud + piece(1, 9 << 17 | 2 << 9 | 70) + piece(2, 20 << 8), offset_bytes=124).packed()
    yield TriggeredInput(loud + silent + piece(0, 1 << 20), 384_000, lost_bytes=3, first_frame=1 << 31).packed()
    for path in _real("*T.WAV"):
        samples = path.read_bytes()[HEADER_BYTES:]
        blocks = (samples[start : start + 512] for start in range(24, len(samples), 512))
        quiet = itertools.islice((block for block in blocks if set(block) <= {0, 1, 255}), 6)
        yield TriggeredInput(b"".join(piece(3, len(each), each) for each in (samples[:24], *quiet))).packed()


def _flacs() -> Iterator[bytes]:
    yield "\n".join(_FLAC_TEXTS).upper().encode()
    vendor, *entries = [struct.pack("<I", len(text)) + text.encode() for text in _FLAC_TEXTS]
    comments = vendor + struct.pack("<I", len(entries)) + b"".join(entries)
    for first in (b"", b"\0\0\0\x22" + bytes(34), b"\1\0\0\1\0"):
        yield b"fLaC" + first + b"\x84" + len(comments).to_bytes(3, "big") + comments
    for path in _real("*.flac"):
        yield _head(path, 1024)


def _texts(contents: Iterable[bytes]) -> Iterator[bytes]:
    """Texts as they are, and with the letter in their middle repeated."""
    for content in contents:
        yield TextInput(content).packed()
        yield TextInput(content, start=len(content) // 2, repeated_bytes=1, doublings=7).packed()


def _real(pattern: str) -> list[Path]:
    """Real files, one of those whose names differ in digits only."""
    return [*{re.sub(r"\d", "0", path.as_posix()): path for path in sorted(SHARED.rglob(pattern))}.values()]


def _head(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def _encoded(texts: Iterable[str]) -> list[bytes]:
    return [text.encode() for text in texts]


def _words_of(texts: Iterable[str]) -> list[bytes]:
    return [
        *_MARKS,
        *_RUNS,
        *sorted({word for text in _encoded(texts) for word in re.split(rb"[\s:,_=]+", text) if word}),
    ]


_CHUNKS = [b"fmt ", b"id3 ", *b"RIFF RF64 BW64 WAVE LIST INFO ICMT IART data ds64 guan wamd bext junk".split()]
_SIZES = [struct.pack("<I", size) for size in (0, 1, 16, 36, 44, 384, 436, 1 << 31, 0xFFFFFFFE, 0xFFFFFFFF)]
_FORMATS = [struct.pack("<H", number) for number in (1, 2, 3, 8, 16, 24, 32, 64, 0xFFFE, 0xFFFF)]
_MARKS = [b" ", b"\0", b"\r", b"\n", *b"T Z UTC + - : = . , / _ ( ) [ ] % 9 24 31 60 29/02 1899 1900 2100 2101".split()]
# What a pattern could try to share out in every way.
_RUNS = [b"0" * 40, b" " * 40, b"a" * 40, b"." * 40]

SEEDS: Mapping[str, Callable[[], Iterator[bytes]]] = {
    "wav": _wavs,
    "comment": lambda: _texts(_encoded(_COMMENTS)),
    "guano": lambda: _texts(_encoded(_GUANOS)),
    "wamd": lambda: _texts([_WAMD, "\n".join(_WAMD_TEXTS).encode()]),
    "name": lambda: _texts(_encoded([*_NAMES, *(path.relative_to(SHARED).as_posix() for path in _real("*.*"))])),
    "config": lambda: _texts([*_encoded(_CONFIGS), *(path.read_bytes() for path in _real("CONFIG*.TXT"))]),
    "triggered": _triggered,
    "flac": lambda: _texts(_flacs()),
}
"""First inputs for each target, the real ones among them where the shared recordings are."""

WORDS: Mapping[str, list[bytes]] = {
    "wav": [*_CHUNKS, *_SIZES, *_FORMATS],
    "comment": _words_of(_COMMENTS),
    "guano": _words_of(_GUANOS),
    "wamd": [*_SIZES, *_words_of(_WAMD_TEXTS)],
    "name": _words_of(_NAMES),
    "config": _words_of(_CONFIGS),
    "triggered": _SIZES,
    "flac": [*_SIZES, *_words_of(_FLAC_TEXTS)],
}
"""What is worth inserting, none longer than the 64 bytes that libFuzzer allows."""
