"""A small archive with names that break what does not take care, scored by a model whose labels do the same."""

from __future__ import annotations

import contextlib
import re
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from birddask.models.library import seal_bundle
from birddask.storage import Folder
from tests.support.models import TINY_RATE, linear_network, tiny_card, write_unsealed_bundle
from tests.support.program import birddask, start, write_job
from tests.support.sounds import noise, write_wav

HOSTILE_LABELS = (
    "Strix aluco_Tawny Owl",
    "=cmd|' /C calc'!A0",
    "<script>document.title='broken'</script>",
    '"; DROP TABLE labels; --, \U0001f426\u202e',
)
HOSTILE_RECORDINGS = (
    "ridge \U0001f989/<img src=x onerror=\"document.title='broken'\">.wav",
    "ridge \U0001f989/a,b\n=c'd\"e&amp;f.wav",
    "</script><b>/20240501_120000.wav",
)
_CLIPS = 12


def scored_archive(folder: Path) -> Path:
    """Write the archive and the model, and score it; the job file."""
    bundle = folder / "tiny"
    network = linear_network(len(HOSTILE_LABELS), tiny_card().mels.shape)
    write_unsealed_bundle(bundle, tiny_card(), HOSTILE_LABELS, network)
    seal_bundle(Folder(str(bundle)))
    for number, name in enumerate(HOSTILE_RECORDINGS):
        write_wav(folder / "archive" / name, noise(_CLIPS, TINY_RATE, number), TINY_RATE)
    job = write_job(folder / "job.yaml", folder / "archive", folder / "out", bundle)
    (folder / "none.yaml").write_text("kind: none\n")
    done = birddask("run", job, "--cluster", folder / "none.yaml")
    assert done.returncode == 0, done.stderr
    return job


def copy_of(job: Path, folder: Path) -> Path:
    """The same job with a copy of its output, to be worked in."""
    shutil.copytree(job.parent / "out", folder / "out")
    return write_job(folder / "job.yaml", job.parent / "archive", folder / "out", job.parent / "tiny")


@dataclass(frozen=True)
class Served:
    """A review that is being served.

    Attributes:
        address: of the page, with the token.
    """

    process: Popen[str]
    address: str

    @property
    def base(self) -> str:
        """The address without the token."""
        return self.address.partition("?")[0]


@contextlib.contextmanager
def served(job: Path, *arguments: str) -> Iterator[Served]:
    """``birddask review`` as a user starts it; ended afterwards, if it lives."""
    process = start("review", job, *arguments)
    try:
        assert process.stdout is not None
        match = None
        for line in process.stdout:
            match = re.search(r"open (http://127\.0\.0\.1:\d+/\?token=\S+)", line)
            if match:
                break
        assert match is not None, process.stderr and process.stderr.read()
        yield Served(process, match[1])
    finally:
        process.terminate()
        process.communicate()


def opener_with_cookie(page: Served) -> urllib.request.OpenerDirector:
    """A browser's cookie jar, after the printed address was opened."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(page.address) as reply:
        assert reply.url == page.base
    return opener
