"""`--processes N`: the command that is started, and two processes that share a batch on the CPU."""

import sys

from motionrft.files import read_tensors
from motionrft.training import launch
from tests.workflow.snakemake_run import TEXT, motionrft

ARGV = ["finetune", "--processes", "4"]


def test_one_process_is_no_launch():
    assert launch.launch_command(ARGV, 1, {}) is None
    assert launch.launch_command(ARGV, 0, {}) is None
    # what torchrun started does the work itself
    assert launch.launch_command(ARGV, 4, {"RANK": "2", "WORLD_SIZE": "4"}) is None


def test_several_processes_on_one_machine():
    command = launch.launch_command(ARGV, 4, {})
    assert command[:3] == [sys.executable, "-m", "torch.distributed.run"]
    assert "--nproc-per-node=4" in command
    assert command[-5:] == ["-m", "motionrft", *ARGV]


def test_several_nodes_meet_on_the_first(monkeypatch):
    class Shown:
        stdout = "node7\nnode9\n"

    monkeypatch.setattr(launch.subprocess, "run", lambda *_, **__: Shown())
    allocation = {
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_NODELIST": "node[7,9]",
        "SLURM_JOB_ID": "12345",
    }
    command = launch.launch_command(ARGV, 4, allocation)
    assert command[0] == "srun"
    assert "--nnodes=2" in command
    assert "--rdzv-endpoint=node7:31845" in command


def test_two_processes_train_a_stage_of_the_reward(run):
    out = "results/ci/reward/semantic.safetensors"
    changes = {"steps": 4, "batch_size": 8, "validate_every": 2, "checkpoint_every": 2}
    sets = [f"reward.stages.semantic.train.{key}={value}" for key, value in changes.items()]
    done = motionrft(
        run,
        *("train-reward", "--config", "results/ci/config.yaml", "--stage", "semantic"),
        *(part for entry in sets for part in ("--set", entry)),
        *("--features", "results/ci/features", "--text", TEXT, "--out", out, "--processes", "2"),
    )
    assert done.returncode == 0, done.stderr
    tensors, about = read_tensors(run / out)
    assert tensors
    assert about["stage"] == "semantic"
