from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deaths.conftest import archive, scanned, undisturbed, work
from tests.support.ssh import SshHosts, ssh_hosts

__all__ = ["archive", "scanned", "undisturbed", "work"]


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHosts]:
    """Three hosts shared by the tests, which leave nothing running on them."""
    with ssh_hosts(tmp_path_factory.mktemp("hosts")) as hosts:
        yield hosts
