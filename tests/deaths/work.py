"""A job that is disturbed, and what must be true of it afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.support.mishaps import Act, Mishap, Moment, environment
from tests.support.processes import Running, driver, wait_until
from tests.support.program import birddask, tables

SITES = 8
BLOCKS = SITES * 3
CLIPS_A_BLOCK = 8

# Paths below an output.
SHARD = r"/mels\.zarr/mel/c/"
CLIP_TABLE = r"/clips/block-"
PART = r"/probabilities/.*/block-"


@dataclass(frozen=True)
class Work:
    """A job in a folder of its own, whose archive was scanned.

    Attributes:
        expected: the tables of a run that nothing happened to.
    """

    folder: Path
    job: Path
    output: Path
    expected: Mapping[str, str]

    def mishap(self, moment: Moment, act: Act, file: str = "", times: int | None = 1) -> Mishap:
        """Something that is to happen to workers of this job."""
        traces = self.folder / f"traces-{len(list(self.folder.glob('traces-*')))}"
        traces.mkdir()
        return Mishap(str(traces), moment, act, file, times)

    def driver(
        self,
        *mishaps: Mishap,
        cluster: Path | None = None,
        workers: int | None = None,
        variables: Mapping[str, str] | None = None,
        patience_s: float | None = None,
        inside: Sequence[str] = (),
    ) -> AbstractContextManager[Running]:
        """``birddask run``, with workers of its own, to which mishaps happen, or on a cluster."""
        options = [*(["--cluster", str(cluster)] if cluster else []), *(["--workers", str(workers)] if workers else [])]
        log = self.folder / f"driver-{len(list(self.folder.glob('driver-*')))}.log"
        variables = {**environment(*mishaps, patience_s=patience_s), **(variables or {})}
        return driver("run", self.job, *options, log=log, environment=variables, inside=inside)

    def wait_for(self, mishap: Mishap, run: Running, processes: int = 1) -> None:
        """Return when something has happened to so many processes.

        Raises:
            AssertionError: the run ended without it.
        """
        wait_until(lambda: len(set(mishap.victims)) >= processes or run.ended, f"{mishap}, where {run.log} says more")
        assert not run.ended, f"{mishap} never came to pass:\n{run.said}"

    def on_archive(self, archive: Path) -> Work:
        """The same job on a copy of its archive."""
        self._set("archive", archive)
        return self

    def writing_to(self, output: Path) -> Work:
        """The same job with a copy of its output."""
        self._set("output", output)
        return replace(self, output=output)

    def parts(self) -> int:
        """How many blocks are committed."""
        return len(list(self.output.glob("probabilities/*/*/*/block-*.parquet")))

    def status(self) -> dict[str, Any]:
        """What ``birddask status`` says."""
        ran = birddask("status", self.job, "--json")
        assert ran.returncode == 0, ran.stderr
        status: dict[str, Any] = json.loads(ran.stdout)
        return status

    def require_undone(self, blocks: int) -> None:
        """So many blocks are not committed, and ``birddask status`` says so."""
        scores = self.status()["scores"]
        assert scores["blocks_planned"] - scores["blocks_done"] == blocks == BLOCKS - self.parts()
        assert (scores["clips_pending"] > 0) == (blocks > 0)

    def require_done(self) -> None:
        """Nothing shows that the run was disturbed."""
        assert tables(self.output) == self.expected
        self.require_undone(0)

    def require_finishing(self) -> None:
        """The same command, undisturbed, does the rest."""
        ran = birddask("run", self.job)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        self.require_done()

    def _set(self, key: str, place: Path) -> None:
        settings = yaml.safe_load(self.job.read_text())
        self.job.write_text(yaml.safe_dump({**settings, key: str(place)}))
