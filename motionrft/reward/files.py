"""Reward files of this suite: the semantic network whole; task stages as LoRA and head only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.checkpoints import load_into
from motionrft.errors import InputError
from motionrft.files import read_tensors, write_tensors
from motionrft.reward.heads import Head
from motionrft.reward.lora import LoraSettings, MotionAdapter
from motionrft.reward.network import NetworkSettings, RewardNetwork

OUTPUTS = {"preference": 1, "authenticity": 2}


@dataclass
class TaskBranch:
    """A frozen backbone's LoRA view and the head on its embeddings, for one task."""

    task: str
    adapter: MotionAdapter
    head: Head

    def freeze(self) -> TaskBranch:
        """In eval mode, without gradients."""
        for module in (self.adapter, self.head):
            module.requires_grad_(False).eval()
        return self

    def trained(self) -> list[nn.Parameter]:
        """Exactly what a task stage trains, and what its file holds."""
        return [*self.adapter.adapter_tensors().values(), *self.head.parameters()]

    def tensors(self) -> dict[str, Tensor]:
        lora = {f"lora.{name}": value for name, value in self.adapter.adapter_tensors().items()}
        return lora | {f"head.{name}": value for name, value in self.head.state_dict().items()}


def new_branch(network: RewardNetwork, task: str, lora: LoraSettings) -> TaskBranch:
    device = next(network.parameters()).device
    head = Head(network.settings.latent_dim, OUTPUTS[task], lora.dropout)
    return TaskBranch(task, MotionAdapter(network, lora).to(device), head.to(device))


def save_network(path: str | Path, network: RewardNetwork, about: dict[str, Any]) -> None:
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
    branch = new_branch(network, task, LoraSettings(**about["lora"]))
    fill_branch(branch, tensors, path)
    return branch, about


def fill_branch(branch: TaskBranch, tensors: dict[str, Tensor], where: str | Path) -> None:
    """Copies `lora.*` and `head.*` tensors into the branch, strictly, and freezes it in eval mode."""
    own = branch.tensors()
    missing, unknown = sorted(set(own) - set(tensors)), sorted(set(tensors) - set(own))
    if missing or unknown:
        raise InputError(
            f"{len(missing)} tensors missing from the file, {len(unknown)} unknown to the branch",
            where=where, field=(missing + unknown)[0],
            fix="use the branch trained on this semantic network",
        )  # fmt: skip
    with torch.no_grad():
        for name, value in own.items():
            if value.shape != tensors[name].shape:
                raise InputError(
                    f"shape {tuple(tensors[name].shape)} in the file, {tuple(value.shape)} in the branch",
                    where=where, field=name, fix="use the branch trained on this semantic network",
                )  # fmt: skip
            value.copy_(tensors[name])
    branch.freeze()


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
