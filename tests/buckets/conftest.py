from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.buckets.places import Place, archive_files, job_on, place_of
from tests.support.program import birddask
from tests.support.proxy import FaultProxy, fault_proxy
from tests.support.servers import NasServer, S3Server, s3_server, sftp_server, smb_server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An object store shared by the tests, each of which writes below a name of its own."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NasServer]:
    with sftp_server(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture(scope="session")
def smb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NasServer]:
    with smb_server(tmp_path_factory.mktemp("smb")) as server:
        yield server


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    """Between the tests and the object store; it does no harm before it is told to."""
    with fault_proxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def proxied(s3: S3Server, proxy: FaultProxy) -> S3Server:
    """The object store as it is seen through the proxy."""
    return dataclasses.replace(s3, endpoint=proxy.endpoint)


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A prefix of its own in the object store."""
    return place_of(s3, monkeypatch).below(uuid.uuid4().hex)


@pytest.fixture(scope="session")
def undisturbed(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tables of a run on this machine's disk."""
    folder = tmp_path_factory.mktemp("undisturbed")
    archive, output = (Place(str(folder / name), {}, ()) for name in ("archive", "out"))
    archive.put(archive_files())
    assert birddask("run", job_on(folder, archive, output, tiny_bundle)).returncode == 0
    return output.blocks()
