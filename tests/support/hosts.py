"""Hosts with a network between them: namespaces on one bridge, so that cables can be pulled."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.servers import unavailable

# What a host calls its own network card.
CARD = "eth0"
_NETWORK = "10.77.0"


@dataclass(frozen=True)
class Host:
    """A network namespace with one card.

    Attributes:
        name: of the namespace.
        address: in the network of all hosts of a test.
    """

    name: str
    address: str
    _hub: str
    _port: str

    @property
    def inside(self) -> list[str]:
        """What goes before a command that is to run on this host."""
        return ["ip", "netns", "exec", self.name]

    def unplug(self) -> None:
        """Pull the cable: packets get lost without a word."""
        _ip("-n", self._hub, "link", "set", self._port, "down")

    def plug_in(self) -> None:
        """Put the cable back."""
        _ip("-n", self._hub, "link", "set", self._port, "up")


@contextlib.contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Hosts that reach each other and nothing else; whatever still runs on them afterwards is killed."""
    if os.geteuid() != 0:
        unavailable("network namespaces can be made by root only")
    if shutil.which("ip") is None:
        unavailable("ip is not installed: apt-get install -y --no-install-recommends iproute2")
    prefix = f"bd-{os.getpid()}"
    hub = f"{prefix}-hub"
    made = [Host(f"{prefix}-h{number}", f"{_NETWORK}.{number}", hub, f"port{number}") for number in range(1, count + 1)]
    try:
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        for host in made:
            _add(host)
        yield made
    finally:
        for name in (*(host.name for host in made), hub):
            _remove(name)


def _add(host: Host) -> None:
    _ip("netns", "add", host.name)
    _ip("-n", host._hub, "link", "add", host._port, "type", "veth", "peer", "name", CARD, "netns", host.name)  # noqa: SLF001
    _ip("-n", host._hub, "link", "set", host._port, "master", "bridge")  # noqa: SLF001
    host.plug_in()
    _ip("-n", host.name, "link", "set", "lo", "up")
    _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", CARD)
    _ip("-n", host.name, "link", "set", CARD, "up")


def _remove(name: str) -> None:
    """End what runs in a namespace and delete it; its card goes with it."""
    if not os.path.exists(f"/run/netns/{name}"):
        return
    for pid in subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=True).stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
