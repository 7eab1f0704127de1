"""Hosts with a network between them: namespaces on one bridge, so that cables can be pulled."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import root_program

# What a host calls its own network card.
CARD = "eth0"
_NETWORK = "10.77.0"


_NAMESPACES = Path("/run/netns")


@dataclass(frozen=True)
class _Hub:
    """The namespace of the bridge, and the program that makes all of this."""

    ip: str
    name: str

    def do(self, *arguments: str) -> str:
        return subprocess.run([self.ip, *arguments], check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Host:
    """A network namespace with one card.

    Attributes:
        name: of the namespace.
        address: in the network of all hosts of a test.
        port: the other end of its cable.
    """

    name: str
    address: str
    port: str
    hub: _Hub

    @property
    def inside(self) -> list[str]:
        """What goes before a command that is to run on this host."""
        return [self.hub.ip, "netns", "exec", self.name]

    def unplug(self) -> None:
        """Pull the cable: packets get lost without a word."""
        self.hub.do("-n", self.hub.name, "link", "set", self.port, "down")

    def plug_in(self) -> None:
        """Put the cable back."""
        self.hub.do("-n", self.hub.name, "link", "set", self.port, "up")


@contextlib.contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Hosts that reach each other and nothing else; whatever still runs on them afterwards is killed."""
    ip = root_program("ip", "apt-get install -y --no-install-recommends iproute2")
    # Two test runs at the same time have networks of their own.
    prefix = f"bd-{os.getpid()}"
    hub = _Hub(ip, f"{prefix}-hub")
    made = [Host(f"{prefix}-h{number}", f"{_NETWORK}.{number}", f"port{number}", hub) for number in range(1, count + 1)]
    try:
        hub.do("netns", "add", hub.name)
        hub.do("-n", hub.name, "link", "add", "bridge", "type", "bridge")
        hub.do("-n", hub.name, "link", "set", "bridge", "up")
        for host in made:
            _add(host)
        yield made
    finally:
        for name in (*(host.name for host in made), hub.name):
            _remove(hub, name)


def _add(host: Host) -> None:
    hub = host.hub
    hub.do("netns", "add", host.name)
    hub.do("-n", hub.name, "link", "add", host.port, "type", "veth", "peer", "name", CARD, "netns", host.name)
    hub.do("-n", hub.name, "link", "set", host.port, "master", "bridge")
    host.plug_in()
    hub.do("-n", host.name, "link", "set", "lo", "up")
    hub.do("-n", host.name, "address", "add", f"{host.address}/24", "dev", CARD)
    hub.do("-n", host.name, "link", "set", CARD, "up")


def _remove(hub: _Hub, name: str) -> None:
    """End what runs in a namespace and delete it; its card goes with it."""
    if not (_NAMESPACES / name).exists():
        return
    for pid in hub.do("netns", "pids", name).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    hub.do("netns", "delete", name)
