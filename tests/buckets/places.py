"""A server's folder as a job file names it: URL, options, and secrets by the names of variables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from birddask.storage import Folder, to_options
from tests.support.models import TINY_RATE
from tests.support.program import write_job
from tests.support.servers import NasServer, S3Server
from tests.support.sounds import noise, wav_bytes

SITES = 6

_SECRETS = ("key", "secret", "password")


@dataclass(frozen=True)
class Place:
    """A folder on a server.

    Attributes:
        options: for the job file.
        secrets: what must not be seen anywhere.
    """

    url: str
    options: Mapping[str, str | bool]
    secrets: tuple[str, ...]

    def below(self, name: str) -> Place:
        return Place(f"{self.url}/{name}", self.options, self.secrets)

    @property
    def folder(self) -> Folder:
        return Folder(self.url, to_options(self.options, "test"))

    def put(self, files: Mapping[str, bytes]) -> None:
        for key, content in files.items():
            self.folder.publish(key, content)

    def blocks(self) -> dict[str, str]:
        """The hash of every clip table and every part, by key."""
        return {
            file.key: hashlib.sha256(self.folder.read(file.key)).hexdigest()
            for file in self.folder.files()
            if file.key.endswith(".parquet") and not file.key.startswith("recordings/")
        }

    def count(self, part_of_key: str) -> int:
        return sum(part_of_key in file.key for file in self.folder.files())


def archive_files() -> dict[str, bytes]:
    """Recordings of several sites and rates, one that was never closed, and what is no recording."""
    files = {
        f"site{site}/20250{number + 1}01_040000.WAV": wav_bytes(noise(6, rate, seed=3 * site + number), rate)
        for site in range(SITES)
        for number, rate in enumerate((TINY_RATE, 16_000, 22_050))
    }
    return {**files, "site0/20250401_040000.WAV": b"", "site1/notes.txt": b"rain"}


def job_on(folder: Path, archive: Place, output: Place, model: Path) -> Path:
    """A job file that reads from one place and writes to another."""
    options = {"archive": dict(archive.options), "output": dict(output.options)}
    return write_job(folder / "job.yaml", archive.url, output.url, model, storage_options=options)


def place_of(server: S3Server | NasServer, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The top of a server; its secrets are in the environment until the test ends."""
    options = dict(server.options)
    secrets = []
    for name in _SECRETS:
        value = options.get(name)
        if isinstance(value, str):
            variable = f"BIRDDASK_TEST_{name.upper()}"
            monkeypatch.setenv(variable, value)
            options[name] = f"${{{variable}}}"
            secrets.append(value)
    return Place(server.url, options, tuple(secrets))
