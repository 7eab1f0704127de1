from __future__ import annotations

import io

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from birddask.recordings.recording import About, Recording, Scanned, Segment
from birddask.table.scans import read_recordings, read_rule_fingerprint, read_scanned, read_seen, scan_file

WHOLE = st.integers(-(2**60), 2**60)
SEGMENTS = st.lists(st.builds(Segment, WHOLE, WHOLE, WHOLE), max_size=3).map(tuple)
RECORDINGS = st.builds(
    Recording,
    path=st.text(max_size=20),
    size_bytes=st.integers(0, 2**62),
    status=st.sampled_from(["usable", "quarantined", "ignored"]),
    reason=st.text(max_size=10),
    flags=st.text(max_size=10),
    site=st.text(max_size=10),
    recorder=st.none() | st.text(max_size=10),
    container=st.sampled_from(["", "wav", "sndfile"]),
    encoding=st.text(max_size=10),
    sample_rate_hz=st.integers(0, 2**31 - 1),
    channels=st.integers(0, 65_535),
    frames=st.integers(0, 2**62),
    data_offset_bytes=st.integers(0, 2**62),
    segments=st.none() | SEGMENTS,
    start_time_us=st.none() | WHOLE,
    time_source=st.text(max_size=10),
    superseded=st.booleans(),
)
ABOUT = st.builds(
    About,
    detail=st.text(max_size=20),
    modified_us=st.none() | WHOLE,
    head_digest=st.text("0123456789abcdef", max_size=32),
    duplicate_of=st.none() | st.text(max_size=10),
    other_time_us=st.none() | WHOLE,
    utc_offset_min=st.none() | st.integers(-900, 900),
    gain=st.none() | st.text(max_size=10),
    battery_v=st.none() | st.floats(allow_nan=False),
    battery_limit=st.sampled_from(["", "below", "above"]),
    latitude_deg=st.none() | st.floats(-90, 90),
    stop_reason=st.text(max_size=10),
    comment=st.text(max_size=40),
    guano=st.text(max_size=40),
)


@settings(deadline=None)
@given(st.lists(st.builds(Scanned, RECORDINGS, ABOUT), max_size=5))
def test_rows_come_back_as_they_were(rows: list[Scanned]) -> None:
    content = scan_file(rows, "abc")
    assert read_scanned(content) == rows
    assert read_recordings(content) == [row.recording for row in rows]
    assert [(seen.path, seen.modified_us) for seen in read_seen(content)] == [
        (row.recording.path, row.about.modified_us) for row in rows
    ]
    assert read_rule_fingerprint(content) == "abc"


def test_the_table_has_the_columns_that_others_rely_on() -> None:
    recording = Recording(
        "marsh/a.wav",
        960_044,
        "usable",
        site="marsh",
        recorder="24F3",
        sample_rate_hz=48_000,
        channels=1,
        frames=480_000,
        start_time_us=1_746_242_000_000_000,
        time_source="name",
    )
    (row,) = pq.read_table(io.BytesIO(scan_file([Scanned(recording, About())], "abc"))).to_pylist()
    assert row["recording"] == "marsh/a.wav"
    assert row["start_time"].isoformat() == "2025-05-03T03:13:20+00:00"
    assert row["frames"] / row["sample_rate_hz"] == 10
    assert {"status", "reason", "size_bytes", "site", "recorder", "channels", "time_source"} <= set(row)
