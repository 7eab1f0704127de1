"""Hosts that birddask can log in to: OpenSSH on three addresses of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import ServerProcess, sshd


@dataclass(frozen=True)
class SshHosts:
    """Hosts, and what whoever logs in to them has at home.

    Attributes:
        server: all of the hosts at once.
        names: of the hosts.
        home: with settings and keys for them in ``.ssh``; to be the HOME of the program that logs in.
        scratch: where Dask's workers on them put things aside.
    """

    server: ServerProcess
    names: tuple[str, ...]
    home: Path
    scratch: Path


@contextlib.contextmanager
def ssh_hosts(folder: Path) -> Iterator[SshHosts]:
    """Three hosts; what their workers put aside lies in the folder, too."""
    names = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    settings, scratch = folder / "home/.ssh", folder / "scratch"
    settings.mkdir(parents=True)
    with sshd(folder, names, f"SetEnv DASK_TEMPORARY_DIRECTORY={scratch}") as (server, port):
        host_key = (folder / "host_key.pub").read_text()
        (settings / "known_hosts").write_text("".join(f"[{name}]:{port} {host_key}" for name in names))
        (settings / "config").write_text(
            f"Host 127.0.0.*\n  Port {port}\n  User root\n  IdentityFile {folder / 'user_key'}\n"
        )
        yield SshHosts(server, names, folder / "home", scratch)
