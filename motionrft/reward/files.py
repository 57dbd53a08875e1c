"""Reward files of this suite: the semantic network whole; task stages as LoRA and head only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft.checkpoints import check_tensors, load_into
from motionrft.errors import InputError
from motionrft.files import read_tensors, write_tensors
from motionrft.reward.branch import TaskBranch, new_branch
from motionrft.reward.lora import LoraSettings
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings


def save_network(path: str | Path, network: RewardNetwork, about: dict[str, Any]) -> None:
    """Writes the semantic network; `about` goes into the header."""
    about = {"kind": "reward-semantic", "network": network.settings.about(), **about}
    write_tensors(path, network.state_dict(), about)


def load_network(
    path: str | Path, device: torch.device | str = "cpu"
) -> tuple[RewardNetwork, dict[str, Any]]:
    """The semantic network in eval mode and the file's `about`."""
    tensors, about = read_tensors(path)
    if about.get("kind") != "reward-semantic":
        raise InputError(
            "not a semantic reward file",
            where=path,
            fix="pass the file of `train-reward --stage semantic`",
        )
    network = RewardNetwork(NetworkSettings(**about["network"]))
    load_into(network, tensors, path)
    return network.to(device).eval(), about


def save_branch(path: str | Path, branch: TaskBranch, about: dict[str, Any]) -> None:
    """Writes what a task stage trained; `about` goes into the header."""
    lora = branch.adapter.lora
    about = {
        "kind": f"reward-{branch.task}",
        "lora": {"rank": lora.rank, "alpha": lora.alpha, "dropout": lora.dropout},
        **about,
    }
    write_tensors(path, branch.tensors(), about)


def load_branch(
    path: str | Path, network: RewardNetwork, task: str
) -> tuple[TaskBranch, dict[str, Any]]:
    """The branch around `network`, in eval mode and frozen, and the file's `about`."""
    tensors, about = read_tensors(path)
    if about.get("kind") != f"reward-{task}":
        raise InputError(
            f"not a {task} reward file",
            where=path,
            fix=f"pass the file of `train-reward --stage {task}`",
        )
    return branch_from(network, task, LoraSettings(**about["lora"]), tensors, path), about


def branch_from(
    network: RewardNetwork,
    task: str,
    lora: LoraSettings,
    tensors: Mapping[str, Tensor],
    where: str | Path,
) -> TaskBranch:
    """The branch that `tensors` (`lora.*`, `head.*`) hold, strictly, frozen and in eval mode."""
    last = tensors.get("head.fc4.weight")
    branch = new_branch(network, task, 1 if last is None else len(last), lora)
    expected = branch.tensors()
    check_tensors(expected, tensors, where)
    with torch.no_grad():
        for name, value in expected.items():
            value.copy_(tensors[name])
    return branch.freeze()


def stage_files(files: Sequence[Path]) -> dict[str, Path]:
    """The files of a reward by the stage that their headers name; `semantic` is always among them.

    A stage that trained the semantic network further is saved as one; where it stands alone, it is the
    semantic stage too.
    """
    stages: dict[str, Path] = {}
    refined: list[str] = []
    for file in files:
        about = read_tensors(file)[1]
        kind, stage = str(about.get("kind", "")), about.get("stage")
        if not kind.startswith("reward-"):
            raise InputError(
                "not a reward file of this suite", where=file, fix="pass the files of train-reward"
            )
        name = kind.removeprefix("reward-")
        if name == "semantic" and stage not in (None, "semantic", "official"):
            refined.append(stage)
            name = stage
        stages[name] = file
    for name in refined:
        stages.setdefault("semantic", stages[name])
    if "semantic" not in stages:
        raise InputError(
            "no semantic stage among the reward files", where="--reward", fix="pass it first"
        )
    return stages
