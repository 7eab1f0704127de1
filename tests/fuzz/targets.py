"""What has to hold for any input, one function a target; started by ``fuzz_recordings.py``, in a process of its own.

Nothing is raised but what a docstring names, nothing takes more than a second of the processor's time for 64 KiB of
text, and nothing takes more than 64 MiB.
"""

from __future__ import annotations

import calendar
import contextlib
import resource
import struct
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris

# What is compared in a module under watch is kept for ever by atheris; in this one it would be arrays.
with atheris.instrument_imports(include=["birddask"], exclude=["birddask.recordings.triggered"]):
    from birddask.errors import RecordingError
    from birddask.recordings.audiomoth import parse_artist, parse_comment
    from birddask.recordings.config_txt import parse_config
    from birddask.recordings.flac_comments import (
        HEAD_BYTES,
        FlacComments,
        parse_flac_comments,
        read_sensor,
        without_comments,
    )
    from birddask.recordings.guano import parse_guano
    from birddask.recordings.names import parse_name
    from birddask.recordings.reader import ReadSpan, decode_pcm, open_samples
    from birddask.recordings.reasons import QUARANTINED
    from birddask.recordings.recording import Recording, Segment
    from birddask.recordings.riff import WavHeader, parse_wav
    from birddask.recordings.triggered import Triggered, decode
    from birddask.recordings.wamd import parse_wamd
    from birddask.storage import Folder

from tests.fuzz.inputs import TextInput, TriggeredInput, WavInput

Check = Callable[[bytes], None]
"""Takes any bytes for an input, and raises where something does not hold."""

MOST_SECONDS = 1.0
MOST_BYTES = 64 << 20
_MOST_HEADER_READS = 16
_MOST_HEADER_BYTES = 1_000_000
_MOST_SPAN_FRAMES = 1 << 16
_MOST_SEGMENTS = 20
_BEGIN_US = calendar.timegm((1900, 1, 1, 0, 0, 0)) * 1_000_000
_END_US = calendar.timegm((2101, 1, 1, 0, 0, 0)) * 1_000_000
_FURTHEST_OFFSET_MIN = 14 * 60
_SAMPLE_BYTES = {"pcm_u8": 1, "pcm_16": 2, "pcm_24": 3, "pcm_32": 4, "float_32": 4, "float_64": 8}


def check_wav(packed: bytes) -> None:
    """A header costs little whatever it says, and promises no samples that the file does not have."""
    file = WavInput.of(packed)
    reads = read_bytes = 0

    def read(start: int, end: int) -> bytes:
        nonlocal reads, read_bytes
        reads, read_bytes = reads + 1, read_bytes + end - start
        assert 0 <= start < end <= file.size_bytes, f"read from {start} to {end}"
        assert reads <= _MOST_HEADER_READS, f"read {reads} times"
        assert read_bytes <= _MOST_HEADER_BYTES, f"{read_bytes} bytes of a header were read"
        return file.read(start, end)

    try:
        header = parse_wav(read, file.size_bytes)
    except RecordingError as error:
        _check_reason(error.reason)
        return
    frame_bytes = header.channels * _SAMPLE_BYTES[header.encoding]
    assert min(header.channels, header.sample_rate_hz) > 0, header
    assert 0 <= header.data_bytes <= max(file.size_bytes - header.data_offset_bytes, 0), header
    assert header.frames == header.data_bytes // frame_bytes, header
    if file.more_bytes == 0:
        end = header.data_offset_bytes + header.frames * frame_bytes
        samples = decode_pcm(file.content[header.data_offset_bytes : end], header.encoding)
        assert len(samples) == header.frames * header.channels, header


def check_comment(packed: bytes) -> None:
    """Any text is a comment and an artist."""
    text = _text(packed)
    said = parse_comment(text)
    _check_clock(said.start_time_us, said.utc_offset_min)
    assert (said.start_time_us is None) == (said.utc_offset_min is None), said
    _check_serials(said.device, said.deployment, parse_artist(text))


def check_guano(packed: bytes) -> None:
    """Any text is GUANO."""
    guano = parse_guano(_text(packed))
    _check_clock(guano.start_time_us, guano.utc_offset_min)
    _check_place(guano.latitude_deg, guano.longitude_deg)


def check_wamd(packed: bytes) -> None:
    """Any bytes are Wildlife Acoustics' metadata, and any lines their values."""
    text = TextInput.of(packed).text()
    values = enumerate(text.split(b"\n"))
    for content in (text, b"".join(struct.pack("<HI", kind & 0xFFFF, len(value)) + value for kind, value in values)):
        wamd = parse_wamd(content)
        _check_clock(wamd.start_time_us, wamd.utc_offset_min)
        _check_place(wamd.latitude_deg, wamd.longitude_deg)


def check_name(packed: bytes) -> None:
    """Any text is a path."""
    name = parse_name(_text(packed))
    _check_clock(name.start_time_us, name.utc_offset_min)
    _check_place(name.latitude_deg, name.longitude_deg)
    assert name.prefix is None or name.prefix, name


def check_config(packed: bytes) -> None:
    """Any bytes are settings, or none."""
    config = parse_config(TextInput.of(packed).text())
    if config is not None:
        _check_clock(None, config.utc_offset_min)
        _check_place(config.latitude_deg, config.longitude_deg)
        _check_serials(config.device)


def check_flac(packed: bytes) -> None:
    """Any bytes begin a FLAC file, or another one, and any lines are comments; to hide them changes one byte."""
    head = TextInput.of(packed).text()
    comments = parse_flac_comments(head)
    assert sum(len(key) + len(value) for key, value in comments.entries) <= HEAD_BYTES, comments
    lines = (line.partition("=") for line in _text(packed).split("\n"))
    for entries in (comments.entries, tuple((key, value) for key, _, value in lines)):
        sensor = read_sensor(FlacComments("Frontier Labs", entries))
        _check_clock(sensor.start_time_us, sensor.utc_offset_min)
        _check_place(sensor.latitude_deg, sensor.longitude_deg)
    hidden = without_comments(head)
    assert len(hidden) == len(head), len(hidden)
    assert sum(one != other for one, other in zip(hidden, head, strict=True)) <= 1, hidden


def check_triggered(packed: bytes) -> None:
    """A triggered recording holds what its file holds, in order, and a span costs no more than its own length."""
    case = TriggeredInput.of(packed)
    samples = case.samples()
    header = WavHeader(
        "pcm_16", case.rate_hz, 1, len(samples) // 2, case.offset_bytes, len(samples), (), "", "", "", b"", True
    )
    content = (bytes(case.offset_bytes) + samples)[: case.offset_bytes + len(samples) - case.lost_bytes]
    try:
        triggered = decode(lambda start, end: content[start:end], header)
    except RecordingError as error:
        _check_reason(error.reason)
        return
    if triggered is not None:
        assert triggered.frames <= min(1 << 31, 86_400 * case.rate_hz), triggered.frames
        _check_segments(triggered, header.frames)
    frames = triggered.frames if triggered else header.frames
    if case.lost_bytes or not frames:
        return
    with _opened(content, header, triggered) as read:
        if triggered is not None:
            _check_segments_read(read, triggered.segments[:_MOST_SEGMENTS], samples)
        first = case.first_frame * frames >> 32
        _check_span(read, first, min(case.frames, frames - first, _MOST_SPAN_FRAMES))


@contextlib.contextmanager
def _opened(content: bytes, header: WavHeader, triggered: Triggered | None) -> Iterator[ReadSpan]:
    archive = Folder(f"memory://{uuid.uuid4().hex}")
    archive.publish("T.WAV", content)
    recording = Recording(
        "T.WAV",
        len(content),
        "usable",
        container="wav",
        encoding=header.encoding,
        sample_rate_hz=header.sample_rate_hz,
        channels=header.channels,
        frames=triggered.frames if triggered else header.frames,
        data_offset_bytes=header.data_offset_bytes,
        segments=triggered.segments if triggered else None,
    )
    try:
        with open_samples(archive, recording) as read:
            yield read
    finally:
        archive.remove("T.WAV")


def _check_segments(triggered: Triggered, file_frames: int) -> None:
    end = file_end = 0
    for segment in triggered.segments:
        assert segment.frames > 0, segment
        # An encoded block stands for one block of its own size at least.
        assert segment.first_frame - end >= segment.file_frame - file_end >= 0, segment
        end, file_end = segment.first_frame + segment.frames, segment.file_frame + segment.frames
    assert triggered.frames - end >= file_frames - file_end >= 0, triggered.frames


def _check_segments_read(read: ReadSpan, segments: tuple[Segment, ...], samples: bytes) -> None:
    """Segments read as the file has them, and what lies before them as zeros."""
    end = 0
    for segment in segments:
        stored = decode_pcm(samples[2 * segment.file_frame : 2 * (segment.file_frame + segment.frames)], "pcm_16")
        assert (read(segment.first_frame, segment.frames) == stored).all(), segment
        assert not read(end, min(segment.first_frame - end, _MOST_SPAN_FRAMES)).any(), segment
        end = segment.first_frame + segment.frames


def _check_span(read: ReadSpan, first: int, frames: int) -> None:
    """A span reads as its two halves."""
    whole, half = read(first, frames), frames // 2
    assert len(whole) == frames, len(whole)
    assert (whole[:half] == read(first, half)).all(), f"{half} frames from {first} on"
    assert (whole[half:] == read(first + half, frames - half)).all(), f"{frames - half} frames from {first + half} on"


def _text(packed: bytes) -> str:
    return TextInput.of(packed).text().decode("utf-8", "surrogateescape")


def _check_reason(reason: str) -> None:
    assert reason in QUARANTINED, reason


def _check_clock(time_us: int | None, utc_offset_min: int | None) -> None:
    """The recorder's own clock shows a year from 1900 to 2100, anywhere on Earth."""
    offset_min = utc_offset_min or 0
    assert abs(offset_min) <= _FURTHEST_OFFSET_MIN, offset_min
    assert time_us is None or _BEGIN_US <= time_us + offset_min * 60_000_000 < _END_US, time_us


def _check_place(latitude_deg: float | None, longitude_deg: float | None) -> None:
    assert (latitude_deg is None) == (longitude_deg is None)
    assert latitude_deg is None or -90 <= latitude_deg <= 90, latitude_deg
    assert longitude_deg is None or -180 <= longitude_deg <= 180, longitude_deg


def _check_serials(*serials: str | None) -> None:
    for serial in serials:
        assert serial is None or (len(serial) == 16 and set(serial) <= set("0123456789ABCDEF")), serial


TARGETS: dict[str, Check] = {
    "wav": check_wav,
    "comment": check_comment,
    "guano": check_guano,
    "wamd": check_wamd,
    "name": check_name,
    "config": check_config,
    "triggered": check_triggered,
    "flac": check_flac,
}


def fuzz(check: Check, found: str, flags: list[str]) -> None:
    """Try inputs until libFuzzer ends the process; ``found``, or a file whose name begins so, is one that breaks it."""

    def try_input(packed: bytes) -> None:
        try:
            _within_limits(check, packed)
        except BaseException:
            # Atheris would have it written too, unless libFuzzer's alarm against hangs ends the process before.
            Path(found).write_bytes(packed)
            raise

    atheris.Setup([sys.argv[0], f"-artifact_prefix={found}-", *flags], try_input)
    atheris.Fuzz()


def _within_limits(check: Check, packed: bytes) -> None:
    with _limited_memory():
        began_s = time.thread_time()
        check(packed)
        seconds = time.thread_time() - began_s
    assert seconds <= MOST_SECONDS, f"took {seconds:.1f} s"


@contextlib.contextmanager
def _limited_memory() -> Iterator[None]:
    """Whatever asks for more than ``MOST_BYTES`` on top of what the process has gets a MemoryError, zeros too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    fuzz(TARGETS[sys.argv[1]], sys.argv[2], sys.argv[3:])
