"""The fsspec filesystem behind a URL, and the connection that it holds."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem

from birddask.errors import ConfigError
from birddask.safe_text import did_you_mean
from birddask.storage.options import Options, resolve

_NO_LISTINGS_CACHE = {"use_listings_cache": False}
_DEFAULTS: dict[str, dict[str, Any]] = {
    # The client's own retries are kept few: patience is ours.
    "s3": {**_NO_LISTINGS_CACHE, "config_kwargs": {"retries": {"mode": "standard", "max_attempts": 3}}},
    "gs": _NO_LISTINGS_CACHE,
    "gcs": _NO_LISTINGS_CACHE,
    "az": _NO_LISTINGS_CACHE,
    "abfs": _NO_LISTINGS_CACHE,
    # Several workers read one file; without this the first one locks it.
    "smb": {"share_access": "r", "auto_mkdir": True},
}

# The extra of birddask that brings the client of a protocol.
_EXTRAS = {"sftp": "sftp", "ssh": "sftp", "smb": "smb", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az"}
_BY_SSH = ("sftp", "ssh")
_UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")

# All other filesystems keep one connection: it does not come back by itself, and smbprotocol shows it to all threads
# before it is ready.
_WITHOUT_CONNECTION = (LocalFileSystem, AsyncFileSystem)
_connecting = threading.Lock()


def is_url(place: str) -> bool:
    """Whether a place is a URL rather than a path on this machine."""
    return "://" in place or "::" in place


def connect(url: str, options: Options) -> tuple[fsspec.AbstractFileSystem, str]:
    """The filesystem of this process for a URL or path, connected, and the path there.

    Raises:
        ConfigError: no filesystem is known for such a URL, its client is not installed, or the environment lacks a
            variable of the options.
    """
    protocol = _protocol(url)
    try:
        kind = fsspec.get_filesystem_class(protocol)
    except ValueError as error:
        raise ConfigError(f"the URL {url} can't be used: {error}") from error
    except ImportError as error:
        how = f"pip install 'birddask[{_EXTRAS[protocol]}]'" if protocol in _EXTRAS else str(error)
        raise ConfigError(f"the URL {url} needs a package more: {how}") from error
    with contextlib.nullcontext() if issubclass(kind, _WITHOUT_CONNECTION) else _connecting:
        filesystem, path = fsspec.core.url_to_fs(url, **_all_options(url, options))
    return filesystem, str(path)


@contextlib.contextmanager
def unknown_options_named(url: str, options: Options) -> Iterator[None]:
    """Raise ConfigError for an option of the user that a URL's client does not know; some say so only at first use."""
    try:
        yield
    except TypeError as error:
        unexpected = _UNEXPECTED.search(str(error))
        if unexpected is None or not options or unexpected[1] not in json.loads(options):
            raise
        kinds = fsspec.get_filesystem_class(_protocol(url)).__mro__
        known = [name for kind in kinds for name in inspect.signature(kind.__init__).parameters]
        hint = did_you_mean(unexpected[1], known)
        raise ConfigError(f"`storage_options`: {url} has no option `{unexpected[1]}`{hint}") from error


def forget_connection(filesystem: fsspec.AbstractFileSystem) -> None:
    """Let the next ``connect`` make a new connection, if the filesystem holds one."""
    if not isinstance(filesystem, _WITHOUT_CONNECTION):
        filesystem.clear_instance_cache()


def _all_options(url: str, options: Options) -> dict[str, Any]:
    """The options of a filesystem, ours with the user's above them, secrets filled in.

    Raises:
        ConfigError: the environment lacks a variable of the options, or there is no such policy for keys of servers.
    """
    protocol = _protocol(url)
    ours_and_users = {**_DEFAULTS.get(protocol, {}), **resolve(options)}
    return _with_policy(ours_and_users) if protocol in _BY_SSH else ours_and_users


def _with_policy(options: dict[str, Any]) -> dict[str, Any]:
    # paramiko comes with an extra.
    from birddask.storage.known_hosts import Known, KnownOrNew  # noqa: PLC0415

    policies = {"accept-new": KnownOrNew, "reject": Known}
    name = options.get("host_key_policy", "accept-new")
    if name not in policies:
        raise ConfigError(f"`storage_options`: `host_key_policy` is {name!r}, it can be {' or '.join(policies)}")
    return {**options, "host_key_policy": policies[name]}


def _protocol(url: str) -> str:
    return url.partition("::")[0].partition("://")[0] if is_url(url) else "file"
