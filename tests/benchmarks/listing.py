"""A million objects, listed page by page: time, and how the memory of the one who lists grows.

    pip install -e . --group servers
    python -m tests.benchmarks.listing [--objects 50000] [--listings 20]

The objects are put into a SeaweedFS on this machine by its own tool for bulk copies, which takes minutes; so that a
million entries are listed, the prefix is listed again and again in the same process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from birddask.storage import folder_at, to_options
from tests.support.servers import S3Server, s3_server

_FOLDERS = 100
_REPORT_EVERY = 100_000


def fill(server: S3Server, folder: Path, objects: int) -> None:
    """Put so many objects of one byte into the bucket, spread over folders."""
    for number in range(_FOLDERS):
        below = folder / f"cards/site{number:03d}"
        below.mkdir(parents=True)
        for each in range(objects // _FOLDERS):
            (below / f"{each:07d}.WAV").write_bytes(b"1")
    weed = Path(sys.executable).with_name("weed")
    copy = [str(weed), "filer.copy", "-c", "32", str(folder / "cards"), f"{server.filer}/buckets/{server.bucket}/"]
    subprocess.run(copy, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--objects", type=int, default=50_000)
    arguments.add_argument("--listings", type=int, default=20)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "server").mkdir()
        with s3_server(folder / "server") as server:
            fill(server, folder, options.objects)
            os.environ.update(BUCKET_KEY=server.key, BUCKET_SECRET=server.secret)
            access = {"key": "${BUCKET_KEY}", "secret": "${BUCKET_SECRET}", "endpoint_url": server.endpoint}
            bucket = folder_at(f"{server.url}/cards", to_options(access, "here"))
            began_s = time.perf_counter()
            entries = (file for _ in range(options.listings) for file in bucket.files())
            for count, _ in enumerate(entries, start=1):
                if count % _REPORT_EVERY == 0 or count == 1000:
                    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                    print(
                        f"{count} entries, {time.perf_counter() - began_s:.1f} s, peak memory {peak_mib:.0f} MiB",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
