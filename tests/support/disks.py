"""Disks that get full."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import root_program, unavailable

_AT_ONCE_BYTES = 1 << 16


@dataclass(frozen=True)
class Disk:
    """A small filesystem of its own.

    Attributes:
        folder: where it is mounted.
    """

    folder: Path

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size_bytes in (_AT_ONCE_BYTES, 1):
                with _until_full():
                    while True:
                        ballast.write(b"\1" * size_bytes)

    def free(self) -> None:
        """Give back what ``fill`` took."""
        self._ballast.unlink()

    @property
    def is_full(self) -> bool:
        return os.statvfs(self.folder).f_bavail == 0

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


@contextlib.contextmanager
def disk(folder: Path, size_mib: int) -> Iterator[Disk]:
    """An empty disk in memory."""
    mount, umount = (root_program(name, "apt-get install mount") for name in ("mount", "umount"))
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", folder]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        unavailable(f"no disk can be mounted here: {mounted.stderr}")
    try:
        yield Disk(folder)
    finally:
        # Lazily: a process that is about to end may still have a file open.
        subprocess.run([umount, "--lazy", folder], check=True)


@contextlib.contextmanager
def _until_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
