"""The page docs/buckets.md, done as it says, with servers in the places of those that it names."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import pytest

from birddask.commands.demo import lay_out_cards
from birddask.models.cache import CACHE_VARIABLE, models_folder
from birddask.storage import Folder
from tests.support.pages import User
from tests.support.servers import NasServer, S3Server

PAGE = Path(__file__).parents[2] / "docs/buckets.md"


@pytest.mark.timeout(1800)
def test_the_page_does_what_it_says(
    s3: S3Server, sftp: NasServer, smb: NasServer, birdnet: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home/me"
    for cards in (tmp_path / "mnt/nas/cards", sftp.folder / "volume1/cards", smb.folder / "page/cards"):
        lay_out_cards(Folder(str(cards)), None)
    keys = {"AWS_ACCESS_KEY_ID": s3.key, "AWS_SECRET_ACCESS_KEY": s3.secret, "AWS_ENDPOINT_URL": s3.endpoint}
    store = fsspec.filesystem("s3", **s3.options)
    store.put(str(tmp_path / "mnt/nas/cards"), f"{s3.bucket}/page/cards", recursive=True)
    (home / ".ssh").mkdir(parents=True)
    shutil.copy(str(sftp.options["key_filename"]), home / ".ssh/id_ed25519")
    monkeypatch.setenv("NAS_PASSWORD", str(smb.options["password"]))
    server = urlsplit(sftp.url)
    user = User(
        tmp_path,
        home,
        servers={
            "sftp://wren@nas/volume1": f"{server.scheme}://{server.netloc}{sftp.folder}/volume1",
            "smb://nas/recordings": f"{smb.url}/page",
            "username: wren": f"username: {smb.options['username']}",
            "s3://forest": f"{s3.url}/page",
            "https://minio.example.org": s3.endpoint,
        },
        variables={
            **keys,
            "HOME": str(home),
            CACHE_VARIABLE: models_folder().url.removesuffix("/models"),
            "ARCHIVE_KEY": s3.key,
            "ARCHIVE_SECRET": s3.secret,
        },
    )
    user.follow(PAGE)
