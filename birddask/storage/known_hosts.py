"""SFTP servers are who they were: their keys are compared with those in the user's ``known_hosts``."""

from __future__ import annotations

from pathlib import Path

import paramiko

from birddask.errors import ConfigError


class KnownOrNew(paramiko.MissingHostKeyPolicy):
    """A server of which nothing is known is let in, as by OpenSSH's ``accept-new``; one with another key is not."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Compare a key with ``~/.ssh/known_hosts``; ``client`` has looked into no such file.

        Raises:
            ConfigError: the file has other keys of this server.
        """
        del client
        known = _known_keys(hostname)
        if known and key not in known:
            raise ConfigError(
                f"the SFTP server {hostname} shows another key than ~/.ssh/known_hosts has: it is another machine, or "
                f"its key was changed; if you know why, remove the old one with `ssh-keygen -R '{hostname}'`"
            )


class Known(KnownOrNew):
    """Only a server whose key is known is let in."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """As above.

        Raises:
            ConfigError: the file has no keys of this server, or other ones.
        """
        if not _known_keys(hostname):
            raise ConfigError(
                f"the key of the SFTP server {hostname} is not in ~/.ssh/known_hosts; log in there once with `ssh`, or "
                "leave out `host_key_policy`"
            )
        super().missing_host_key(client, hostname, key)


def _known_keys(hostname: str) -> list[paramiko.PKey]:
    file = Path.home() / ".ssh/known_hosts"
    found = paramiko.HostKeys(str(file) if file.exists() else None).lookup(hostname)
    return list(found.values()) if found else []
