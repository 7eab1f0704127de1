"""What networks and busy servers do to a run: nothing that can be seen in its tables."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import get_args

import pytest

from tests.buckets.places import Place, archive_files, job_on, place_of
from tests.support.program import birddask, start
from tests.support.proxy import Fault, FaultProxy, Rule
from tests.support.servers import S3Server

# A request that is refused for good is believed: that is how a file that went away or is forbidden looks.
PASSING = [fault for fault in get_args(Fault) if fault not in ("403", "404")]


@pytest.fixture
def proxied_bucket(proxied: S3Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    return place_of(proxied, monkeypatch).below(uuid.uuid4().hex)


def test_one_request_in_twenty_fails_in_each_way_and_no_table_differs(
    proxy: FaultProxy, proxied_bucket: Place, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    archive, output = proxied_bucket.below("cards"), proxied_bucket.below("results")
    archive.put(archive_files())
    proxy.set_rules(*(Rule(fault, share=0.05, seconds=1) for fault in PASSING), seed=1)
    ran = birddask("run", job_on(tmp_path, archive, output, tiny_bundle))
    counts = proxy.counts()
    proxy.set_rules()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert set(counts.faults) >= {"500", "503", "reset", "lose_answer", "cut_short"}
    assert sum(counts.faults.values()) >= 20
    assert output.blocks() == undisturbed


def test_a_server_that_is_away_for_a_minute_is_waited_for(
    proxy: FaultProxy, proxied_bucket: Place, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    archive, output = proxied_bucket.below("cards"), proxied_bucket.below("results")
    archive.put(archive_files())
    process = start("run", job_on(tmp_path, archive, output, tiny_bundle))
    while process.poll() is None and not output.count("/c/"):
        time.sleep(0.01)
    proxy.go_away()
    time.sleep(60)
    proxy.come_back()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    assert output.blocks() == undisturbed


def test_a_server_that_is_away_for_good_ends_the_run_which_can_be_resumed(
    proxy: FaultProxy, proxied_bucket: Place, tiny_bundle: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    archive, output = proxied_bucket.below("cards"), proxied_bucket.below("results")
    archive.put(archive_files())
    job = job_on(tmp_path, archive, output, tiny_bundle)
    process = start("run", job)
    while process.poll() is None and not output.count("/c/"):
        time.sleep(0.01)
    proxy.go_away()
    _, err = process.communicate(timeout=280)
    proxy.come_back()
    assert process.returncode == 1
    assert "error: storage is away; start the same command again to go on" in err
    assert birddask("run", job).returncode == 0
    assert output.blocks() == undisturbed
