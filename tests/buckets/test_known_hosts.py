from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from birddask.errors import ConfigError
from birddask.fingerprint import canonical_json
from birddask.storage import Folder
from tests.support.servers import NasServer

UNKNOWN = r"is not in ~/\.ssh/known_hosts"
ANOTHER = r"shows another key than ~/\.ssh/known_hosts has"


@pytest.mark.parametrize(
    ("known", "policy", "problem"),
    [
        ("host_key.pub", "reject", None),
        ("host_key.pub", "accept-new", None),
        (None, "accept-new", None),
        (None, "reject", UNKNOWN),
        ("user_key.pub", "accept-new", ANOTHER),
        ("user_key.pub", "reject", ANOTHER),
        (None, "auto_add", "it can be accept-new or reject"),
    ],
)
def test_a_server_with_another_key_than_the_known_one_is_refused(
    known: str | None,
    policy: str,
    problem: str | None,
    sftp: NasServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    if known is not None:
        server = urlsplit(sftp.url)
        key = (sftp.folder.parent / known).read_text()
        (tmp_path / ".ssh/known_hosts").write_text(f"[{server.hostname}]:{server.port} {key}")
    folder = Folder(sftp.url, canonical_json({**sftp.options, "host_key_policy": policy}))
    pytest.importorskip("fsspec.implementations.sftp").SFTPFileSystem.clear_instance_cache()
    if problem is None:
        folder.publish("greeting", b"hello")
        assert folder.read("greeting") == b"hello"
    else:
        with pytest.raises(ConfigError, match=problem):
            folder.read("greeting")
