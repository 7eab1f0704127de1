"""The output's disk gets full in mid-run: for a while, or for good."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deaths.work import BLOCKS, SHARD, Work
from tests.support.disks import Disk, disk

_SIZE_MIB = 48


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path / "disk", _SIZE_MIB) as small:
        yield small


@pytest.fixture
def work_on_disk(work: Work, small: Disk) -> Work:
    """The job with its output on a disk of its own."""
    shutil.copytree(work.output, small.folder / "out")
    return work.writing_to(small.folder / "out")


def test_a_disk_that_is_full_for_a_while_is_waited_for(work_on_disk: Work, small: Disk) -> None:
    work = work_on_disk
    wait = work.mishap("writing", "hold", SHARD)
    with work.driver(wait, workers=2) as run:
        work.wait_for(wait, run)
        small.fill()
        wait.release()
        done = work.parts()
        time.sleep(15)  # nothing is to happen meanwhile
        assert small.is_full
        assert not run.ended, run.said
        assert work.parts() == done < BLOCKS
        small.free()
        assert run.exit_code() == 0, run.said
        assert not run.broke_down, run.said
    work.require_done()


def test_a_disk_that_is_full_for_good_ends_the_run_with_a_message(work_on_disk: Work, small: Disk) -> None:
    work = work_on_disk
    wait = work.mishap("writing", "hold", SHARD)
    with work.driver(wait, workers=2, patience_s=2) as run:
        work.wait_for(wait, run)
        small.fill()
        wait.release()
        assert run.exit_code() == 1, run.said
        assert not run.broke_down, run.said
    (said,) = [line for line in run.said.splitlines() if line.startswith("error: ")]
    assert "start the same command again" in said
    assert "No space left on device" in said
    assert str(work.output / "mels") in said
    assert not list(work.output.rglob("*.partial"))
    small.free()
    work.require_undone(BLOCKS - work.parts())
    work.require_finishing()
