"""One command on several processes: `--processes N` starts itself again under torchrun.

On one machine that is N processes. In a SLURM allocation of several nodes it is N on each of them, which
find each other on the first node.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

PORT = 29_500


def launch_command(
    argv: Sequence[str], processes: int, environment: Mapping[str, str]
) -> list[str] | None:
    """The command that runs `argv` on several processes, or None if this process is to do it itself."""
    nodes = int(environment.get("SLURM_JOB_NUM_NODES", "1"))
    if "RANK" in environment or processes * nodes <= 1:
        return None
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    if nodes == 1:
        return [*torchrun, "--standalone", "-m", "motionrft", *argv]
    first = subprocess.run(
        ["scontrol", "show", "hostnames", environment["SLURM_JOB_NODELIST"]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[0]
    port = PORT + int(environment["SLURM_JOB_ID"]) % 10_000
    meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint={first}:{port}"]
    return [
        *("srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"),
        *torchrun,
        f"--nnodes={nodes}",
        f"--rdzv-id={environment['SLURM_JOB_ID']}",
        *meeting,
        *("-m", "motionrft", *argv),
    ]


def relaunch(argv: Sequence[str], processes: int) -> int | None:
    """Runs `argv` on several processes and returns their exit status; None if there is nothing to launch."""
    command = launch_command(argv, processes, os.environ)
    return None if command is None else subprocess.run(command, check=False).returncode
