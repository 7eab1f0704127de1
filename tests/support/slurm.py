"""A real SLURM on this machine: munged, slurmctld and two slurmd, all below one folder and on free ports."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import wait_until
from tests.support.servers import HOST, free_ports, root_program, server_process

_INSTALL = "apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge"
_NODES = ("n1", "n2")
_CORES, _MEMORY_MB = 4, 6000


@dataclass(frozen=True)
class Slurm:
    """A SLURM of two nodes.

    Attributes:
        settings: its slurm.conf.
        commands: folder of ``sbatch``, ``squeue`` and so on.
    """

    settings: Path
    commands: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """By which its commands find it, whoever starts them."""
        return {"SLURM_CONF": str(self.settings)}

    def call(self, command: str, *arguments: str) -> str:
        """What one of its commands says.

        Raises:
            CalledProcessError: it failed.
        """
        done = subprocess.run(
            [self.commands / command, *arguments],
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.strip()

    def jobs(self, name: str = "birddask") -> list[str]:
        """The numbers of the jobs of a name that run."""
        return self.call("squeue", "--noheader", "--name", name, "--states", "RUNNING", "--format", "%i").split()

    def end_all_jobs(self) -> None:
        """Cancel what runs or waits, and return when it is gone."""
        self.call("scancel", "--user", "root")
        wait_until(lambda: not self.call("squeue", "--noheader"), "the end of all jobs", patience_s=60)


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """Two idle nodes."""
    munged, slurmctld, slurmd, sinfo = (
        root_program(name, _INSTALL) for name in ("munged", "slurmctld", "slurmd", "sinfo")
    )
    for name in ("run", "state", *(f"spool/{node}" for node in _NODES)):
        (folder / name).mkdir(parents=True)
    key, socket = folder / "run/munge.key", folder / "run/munge.socket"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    settings = folder / "slurm.conf"
    settings.write_text("\n".join(_settings(folder, socket, free_ports(1 + len(_NODES)))) + "\n")
    made = Slurm(settings, Path(sinfo).parent)
    munge = [
        *(munged, "--foreground", "--force", "--num-threads=2", f"--key-file={key}", f"--socket={socket}"),
        *(f"--pid-file={folder / 'run/munged.pid'}", f"--log-file={folder / 'munged.log'}"),
        f"--seed-file={folder / 'run/munged.seed'}",
    ]
    with contextlib.ExitStack() as stack:
        stack.enter_context(server_process(munge, folder / "munged.out", socket.exists))
        control = [slurmctld, "-D", "-f", str(settings)]
        stack.enter_context(server_process(control, folder / "slurmctld.out", lambda: _answers(made)))
        for node in _NODES:
            daemon = [slurmd, "-D", "-f", str(settings), "-N", node]
            stack.enter_context(server_process(daemon, folder / f"{node}.out", lambda node=node: _is_idle(made, node)))
        # What a job has started outlives the daemons.
        stack.callback(made.end_all_jobs)
        yield made


def _settings(folder: Path, socket: Path, ports: Sequence[int]) -> Iterator[str]:
    control_port, *node_ports = ports
    yield "ClusterName=birds"
    yield f"SlurmctldHost=localhost({HOST})"
    yield f"SlurmctldPort={control_port}"
    yield "SlurmUser=root"
    yield "SlurmdUser=root"
    yield "AuthType=auth/munge"
    yield f"AuthInfo=socket={socket}"
    yield "ProctrackType=proctrack/linuxproc"
    yield "TaskPlugin=task/none"
    yield "JobAcctGatherType=jobacct_gather/none"
    yield "SelectType=select/cons_tres"
    yield "SelectTypeParameters=CR_CPU_Memory"
    yield "SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=1"
    yield "ReturnToService=2"
    yield "MailProg=/bin/true"
    yield "MpiDefault=none"
    yield f"StateSaveLocation={folder / 'state'}"
    yield f"SlurmdSpoolDir={folder / 'spool/%n'}"
    yield f"SlurmctldPidFile={folder / 'run/slurmctld.pid'}"
    yield f"SlurmdPidFile={folder / 'run/slurmd.%n.pid'}"
    yield f"SlurmctldLogFile={folder / 'slurmctld.log'}"
    yield f"SlurmdLogFile={folder / 'slurmd.%n.log'}"
    yield "SlurmctldTimeout=30"
    yield "SlurmdTimeout=30"
    yield "KillWait=5"
    yield "SlurmdParameters=config_overrides"  # more cores than this machine has
    for node, port in zip(_NODES, node_ports, strict=True):
        yield (
            f"NodeName={node} NodeHostname=localhost NodeAddr={HOST} Port={port} CPUs={_CORES} "
            f"RealMemory={_MEMORY_MB} State=UNKNOWN"
        )
    # Jobs go to the node with the least of them.
    yield f"PartitionName=main Nodes={','.join(_NODES)} Default=YES MaxTime=INFINITE State=UP LLN=YES"


def _answers(made: Slurm) -> bool:
    try:
        return "is UP" in made.call("scontrol", "ping")
    except subprocess.CalledProcessError:
        return False


def _is_idle(made: Slurm, node: str) -> bool:
    return made.call("sinfo", "--noheader", "--nodes", node, "--format", "%T") == "idle"
