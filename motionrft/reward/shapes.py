"""The reward of a run and its training stages as shapes, on the meta device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from motionrft.counting.generator import MetaGenerator
from motionrft.motion.representation import representation
from motionrft.reward import stages
from motionrft.reward.branch_stage import BranchObjective, BranchStage
from motionrft.reward.data.views import MAX_FRAMES
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.network import OFFICIAL_NAMES, RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.semantic_objective import SemanticObjective
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stages.semantic import SemanticStage
from motionrft.reward.stages.spl import Mined, SplObjective, SplSettings, SplStage
from motionrft.text.shapes import text_shapes, widths_of


def widths(run: dict[str, Any]) -> dict[str, int]:
    """Features a frame of each representation."""
    skeleton = "kit21" if run["corpus"]["kind"] == "kit" else "smpl22"
    return {name: representation(name, skeleton).dim for name in OFFICIAL_NAMES}


def network_shapes(run: dict[str, Any]) -> RewardNetwork:
    """The semantic network of a resolved run."""
    section = run["reward"]
    tokens = widths_of(run["text"][section["text"]])["tokens"]
    with torch.device("meta"):
        network = RewardNetwork(NetworkSettings.read(section["network"], widths(run), tokens))
    return network.to("meta")  # `backbone_shapes` says why


def reward_shapes(run: dict[str, Any], weights: dict[str, float]) -> MotionReward:
    """What fine-tuning is told by, under `weights`; of the branches those that a weight reads."""
    from motionrft.reward import terms

    network, settings = network_shapes(run), RewardSettings.read(run["reward"])
    read = {terms.branch_of(name) for name, weight in weights.items() if weight > 0} - {None}
    branches = {}
    for name in sorted(map(str, read)):
        stage = stages.load(name)
        assert isinstance(stage, BranchStage)
        with torch.device("meta"):
            branches[name] = stage.new_branch(network, settings.lora).freeze()
    return MotionReward(network, branches, weights)


def stage_shapes(run: dict[str, Any], name: str) -> nn.Module | None:
    """The loss of a stage of the reward's training, in train mode; None of a stage of a kind of its own."""
    settings, network = RewardSettings.read(run["reward"]), network_shapes(run)
    stage = stages.load(name)
    if isinstance(stage, BranchStage):
        with torch.device("meta"):
            branch = stage.new_branch(network, settings.lora)
        return BranchObjective(stage, network, branch, settings.rules).train()
    if not isinstance(stage, (SemanticStage, SplStage)):
        return None
    objective = SemanticObjective(settings.semantic_loss(network), settings.noise).to("meta")
    if isinstance(stage, SplStage):
        return SplObjective(objective, SplSettings.read(settings), settings.rules).train()
    return objective.train()


def stage_losses(
    run: dict[str, Any], objective: nn.Module, rows: int, frames: int = MAX_FRAMES
) -> dict[str, Tensor]:
    """The losses of one update of a stage, of `rows` motions of `frames` frames."""
    generator = MetaGenerator()
    text = text_shapes(run["text"][run["reward"]["text"]], rows)
    with torch.device("meta"):
        lengths = torch.full((rows,), frames)
        features = {name: torch.empty(rows, frames, dim) for name, dim in widths(run).items()}
        solved = torch.ones(rows, dtype=torch.bool)
    widest = max(features, key=lambda name: features[name].shape[2])
    losses: dict[str, Tensor]
    if isinstance(objective, BranchObjective):
        settings = RewardSettings.read(run["reward"])
        columns = 2 if objective.stage.pairs else 1
        views = settings.rules.pair_views.noised(
            [(features[widest], lengths)] * columns, settings.noise, generator
        )
        losses = objective(views, torch.zeros_like(lengths), widest, generator)
    elif isinstance(objective, SplObjective):
        mined = Mined(features[widest], lengths, solved)
        losses = objective(features, lengths, text, widest, mined, generator)
    else:
        losses = objective(features, lengths, text, generator)
    return losses
