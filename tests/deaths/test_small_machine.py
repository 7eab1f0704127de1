"""A machine with one core and a gigabyte of memory, such as a Raspberry Pi, does the same job."""

from __future__ import annotations

from pathlib import Path

from birddask.access import open_probabilities
from birddask.storage import Folder
from tests.support.groups import small_machine
from tests.support.program import write_job
from tests.support.sounds import noise, write_wav

GIGABYTE = 1 << 30
RATE_HZ, FILE_S, FILES = 48_000, 60, 5
CLUSTER = Path(__file__).parents[2] / "cluster/none.yaml"


def test_birdnet_runs_on_one_core_with_a_gigabyte(birdnet: Folder, tmp_path: Path) -> None:
    for number in range(FILES):
        write_wav(tmp_path / f"cards/pond/20250511_04{number:02d}00.WAV", noise(FILE_S, RATE_HZ, number), RATE_HZ)
    job = write_job(tmp_path / "job.yaml", tmp_path / "cards", tmp_path / "out", "birdnet-v2.4", block_mib=8)
    with small_machine(GIGABYTE) as machine:
        ended, seconds = machine.run("-m", "birddask", "run", job, "--cluster", CLUSTER)
        peak_bytes = machine.peak_bytes
    assert ended.returncode == 0, ended.stderr
    assert len(open_probabilities(str(tmp_path / "out")).to_table(columns=["clip"]).column("clip").unique()) == 100
    assert peak_bytes <= GIGABYTE
    assert seconds < FILE_S * FILES, f"slower than real time: {seconds:.0f} s"
