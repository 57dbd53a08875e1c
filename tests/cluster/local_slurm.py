"""A two-node SLURM on this host for the tests: loopback, root, two countable GPUs that are device nodes only."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ETC = Path("/etc/slurm")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire={requeue_delay}
CredType=cred/munge
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=1000
KillWait=2
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=n0 NodeHostname={host} NodeAddr=127.0.0.1 Port={port0} CPUs=4 RealMemory=8000 Gres=gpu:2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={port1} CPUs=4 RealMemory=8000
PartitionName=cpu Nodes=n0,n1 Default=YES MaxTime=60 State=UP
PartitionName=gpu Nodes=n0 MaxTime=60 State=UP
"""


def reason_to_skip() -> str:
    """Why no cluster can be started here, or an empty text."""
    if os.geteuid() != 0:
        return "starting SLURM daemons needs root"
    if (ETC / "slurm.conf").exists():
        return "this host belongs to a SLURM cluster already"
    if not installed() and shutil.which("apt-get") is None:
        return "no slurm-wlm, and no apt-get to install it with"
    return ""


def installed() -> bool:
    return all(shutil.which(name) for name in ("slurmctld", "slurmd", "munged"))


def install() -> None:
    """Debian's slurm-wlm and munge, if absent."""
    if installed():
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "slurm-wlm", "munge"]):
        subprocess.run(["apt-get", "-qq", *command], check=True, env=quiet, capture_output=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LocalSlurm:
    """`with LocalSlurm(folder) as cluster:` runs the daemons and takes them down again."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.own_munge = False

    def __enter__(self) -> LocalSlurm:
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool-n0", "spool-n1"):
            (self.folder / name).mkdir(parents=True)
        for index in range(2):
            os.mknod(self.folder / f"gpu{index}", 0o020666, os.makedev(1, 3))
        ports = {"port": _free_port(), "port0": _free_port(), "port1": _free_port()}
        text = CONFIGURATION.format(host=host, folder=self.folder, requeue_delay=5, **ports)
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text(
            f"NodeName=n0 Name=gpu File={self.folder}/gpu[0-1]\n"
        )
        # in /etc/slurm, since jobs lose SLURM_CONF on their way to a node
        ETC.mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf"):
            # left by a run that was killed, and leading nowhere: reason_to_skip saw no file
            (ETC / name).unlink(missing_ok=True)
            (ETC / name).symlink_to(self.folder / name)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode != 0:
            own = ["install", "-d", "-o", "munge", "-g", "munge", "/run/munge"]
            subprocess.run(own, check=True)
            munged = ["runuser", "-u", "munge", "--", "/usr/sbin/munged", "--force"]
            subprocess.run(munged, check=True)
            self.own_munge = True
        subprocess.run(["slurmctld", "-c"], check=True)
        for node in ("n0", "n1"):
            self.start_node(node)
        deadline = time.monotonic() + 30
        while self.idle_nodes() < 2:
            if time.monotonic() > deadline:
                raise RuntimeError(f"nodes not idle: {self.call('sinfo', '-R')}")
            time.sleep(0.1)

    def start_node(self, node: str) -> None:
        subprocess.run(["slurmd", "-N", node], check=True)

    def lose_node(self, node: str) -> None:
        """The node goes down with all that runs on it, and comes back at once."""
        self.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")
        self._kill_tasks(f"SLURMD_NODENAME={node}")
        self.call("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def _kill_tasks(self, mark: str) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError, PermissionError):
                continue  # ended by itself, or not ours

    def idle_nodes(self) -> int:
        return len(self.call("sinfo", "-h", "-N", "-p", "cpu", "-t", "idle", "-o", "%N").split())

    def call(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def jobs(self) -> list[dict[str, str]]:
        """Every job the controller remembers, as `scontrol show jobs` has it."""
        lines = self.call("scontrol", "show", "jobs", "-d", "-o").splitlines()
        return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if "JobId=" in line]

    def _kill(self, pid_file: Path) -> None:
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text())
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)

    def __exit__(self, *exception: object) -> None:
        self.call("scancel", "-u", "root")
        for node in ("n0", "n1"):
            self._kill_tasks(f"SLURMD_NODENAME={node}")
        for name in ("slurmd-n0", "slurmd-n1", "slurmctld"):
            self._kill(self.folder / f"{name}.pid")
        if self.own_munge:
            self._kill(Path("/run/munge/munged.pid"))
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).unlink(missing_ok=True)
