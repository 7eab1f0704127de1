"""Files a second of a scan of many small recordings, and the memory it takes.

    python tests/benchmarks/scanning.py [--files 100000] [--workers 2]

The archive is made of AudioMoth-like files of 1 KB (header, 250 samples, GUANO) in folders of a thousand. Driver and
workers share the machine; start-up of the cluster is not counted.
"""

from __future__ import annotations

import argparse
import resource
import struct
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from birddask import Job, LocalSpec, scan
from birddask.clusters import connect
from birddask.engine import Control

_IN_A_FOLDER = 1000


def recording(number: int, begun: datetime) -> bytes:
    """A recording as firmware 1.11 writes it, with samples that differ from file to file."""
    comment = (
        f"Recorded at {begun:%H:%M:%S %d/%m/%Y} (UTC) by AudioMoth 242A2604603691DD at medium gain while battery was "
        "3.8V and temperature was 13.1C."
    )
    icmt = b"ICMT" + struct.pack("<I", 384) + comment.encode().ljust(384, b"\0")
    iart = b"IART" + struct.pack("<I", 32) + b"AudioMoth 242A2604603691DD".ljust(32, b"\0")
    info = b"LIST" + struct.pack("<I", 436) + b"INFO" + icmt + iart
    guano = (
        "GUANO|Version:1.0\nMake:Open Acoustic Devices\nModel:AudioMoth\nSerial:242A2604603691DD\n"
        f"Timestamp:{begun:%Y-%m-%dT%H:%M:%S}Z\nTemperature Int:13.1"
    ).encode()
    samples = struct.pack("<I", number) * 125
    fmt = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 48_000, 96_000, 2, 16)
    data = b"data" + struct.pack("<I", len(samples)) + samples
    body = b"WAVE" + fmt + info + data + b"guan" + struct.pack("<I", len(guano)) + guano
    return b"RIFF" + struct.pack("<I", len(body)) + body


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--files", type=int, default=100_000)
    arguments.add_argument("--workers", type=int, default=2)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        for number in range(options.files):
            begun = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
            path = archive / f"ridge/{number // _IN_A_FOLDER:04d}/{begun:%Y%m%d_%H%M%S}.WAV"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(recording(number, begun))
        job = Job(str(archive), f"{folder}/output", "birdnet-v2.4")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with connect(LocalSpec("local"), options.workers) as client:
            for name in ("first", "second"):
                began = time.perf_counter()
                growth = scan(job, Control(lambda: client))
                wall_s = time.perf_counter() - began
                print(f"{name} scan: {options.files / wall_s:.0f} files/s, {growth.new} new, {growth.changed} changed")
            workers = client.run(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak = max(workers.values())
        print(f"peak memory: driver {after / 1024:.0f} MiB ({before / 1024:.0f} before), worker {peak:.0f} MiB")


if __name__ == "__main__":
    main()
