"""Files for encrypted connections, made as the guide to clusters says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from birddask.clusters import Tls

GUIDE = Path(__file__).parents[2] / "docs/clusters/index.md"


def certificate(folder: Path) -> Tls:
    """A certificate that is its own authority."""
    (command,) = re.findall(r"^openssl req (?:.+\\\n)*.+$", GUIDE.read_text(), re.MULTILINE)
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)  # noqa: S607
    own = str(folder / "certificate.pem")
    return Tls(own, own, str(folder / "key.pem"))
