"""What the released code does otherwise, one override of one hook each, so that its effect can be measured.

A run switches them on in its `finetune:` section (`hooks`) or in the options of a method (`method`). ET is
the EasyTune repository, RM MotionRFT/RFT_MLD; steps count from 0, the noisiest.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from motionrft.diffusion.table import StepTable
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.hooks import Hooks
from motionrft.finetune.method import Method, require, require_one_of
from motionrft.finetune.methods.drtune import DRTune
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.methods.refl import Refl
from motionrft.finetune.objective import Reward
from motionrft.finetune.reward_timestep import CLEAN, Level
from motionrft.finetune.settings import Settings
from motionrft.finetune.trajectory import Walk
from motionrft.reward.latent import draws
from motionrft.reward.motion_reward import MotionReward

# of a run


def hooks(settings: Settings) -> Hooks:
    """This suite's hooks, those that the run's switches name replaced."""
    chosen = Hooks()
    if settings.train_dropout:
        chosen = replace(chosen, network_mode=training_mode)
    if settings.reward_state == "official":
        chosen = replace(chosen, reward_state=trainable_reward)
    if settings.sampled:
        chosen = replace(chosen, batch_reward=sampled_embeddings)
    if settings.levels == "official":
        chosen = replace(chosen, levels=sampler_timesteps)
    return chosen


def training_mode(backbone: nn.Module, trained: Sequence[Tensor]) -> None:
    """`train_dropout: true`: dropout while the network samples and learns (ET and RM set the denoiser to train
    mode and never back). Modules that hold no trained weight (frozen decoders) stay in eval mode."""
    ids = {id(parameter) for parameter in trained}

    def visit(module: nn.Module, inherited: bool) -> None:
        parameters = list(module.parameters())
        holds = any(id(parameter) in ids for parameter in parameters)
        module.training = holds if parameters else inherited
        for child in module.children():
            visit(child, module.training)

    visit(backbone, False)


def trainable_reward(reward: MotionReward) -> None:
    """`reward_state: official`: the reward in train mode, its weights gathering gradients that nobody reads
    (ET spm.py; 14.5 GB instead of 5.7 GB at batch 256)."""
    reward.requires_grad_(True)
    # past MotionReward.train, which stays in eval mode
    nn.Module.train(reward, True)


def sampled_embeddings(reward: Reward, batch: PromptBatch) -> Reward:
    """`sampled: true`: embeddings are drawn instead of being means (rsample of text and motion, ET
    spm.py:372-373), here with noise that depends on the batch only."""
    generator = torch.Generator().manual_seed(batch.seeds[0])
    return cast(MotionReward, reward).view(read=draws(generator))


def sampler_timesteps(table: StepTable, alphas: Tensor, max_t: int, rescale: bool) -> list[Level]:
    """`levels: official`: the reward is told the sampler's own time-step, that of x_i where x_{i+1} is scored,
    capped below max_t, on whatever schedule the sampler has, and no level is refused or rescaled
    (RM mld.py:1016-1023)."""
    t_model, count = table.t_model, len(alphas)
    # flow times run from 0 (noise) to 1
    flow = bool((t_model.diff() > 0).all()) if len(t_model) > 1 else float(t_model.max()) <= 1.0
    index = [round((1 - float(t)) * (count - 1)) if flow else int(t) for t in t_model]
    return [CLEAN, *(Level(min(t, max_t - 1)) for t in index)]


# of a method


@dataclass(frozen=True)
class ReleasedEasyTune(EasyTune):
    """`one_step_before: n` (RM's `reward_t_switch`, mld.py): steps before n score the clean estimate whatever
    the form. Its launcher sets 0, its parser's default is 50."""

    one_step_before: int = 0

    counts: ClassVar[tuple[str, ...]] = ("k", "one_step_before")

    def __post_init__(self) -> None:
        super().__post_init__()
        inside = 0 <= self.one_step_before <= self.steps
        require(inside, f"{self.one_step_before}", "one_step_before", "choose 0 to T")

    def level(self, walk: Walk, i: int) -> Level | None:
        return None if i < self.one_step_before else super().level(walk, i)


@dataclass(frozen=True)
class ReleasedRefl(Refl):
    """`draw: easytune`: the first of the last m steps is never drawn (ET finetune_config.py:21: randint from
    T - M + 1), nine steps for "ReFL-10"."""

    draw: str = "easytune"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_of(("all", "easytune"), self.draw, "draw")
        require(self.m > 1, "no step to draw from", "m", "choose m >= 2, or draw: all")

    def stop(self, rng: random.Random) -> int:
        return rng.randint(self.steps - self.m + 1, self.steps - 1)


@dataclass(frozen=True)
class ReleasedDRTune(DRTune):
    """`grid: easytune`: stride T // k over the whole trajectory, whatever the stop (ET
    finetune_config.py:55-60; with T = 50, k = 10 always {0, 5, …, 45}; most stops are then untrained)."""

    grid: str = "easytune"

    def check_grid(self) -> None:
        require_one_of(("prefix", "easytune"), self.grid, "grid")
        require(
            self.steps - self.k * (self.steps // self.k) <= self.steps - self.m,
            "a stop before the first trained step is possible",
            "m",
            "lower m, or grid: prefix",
        )

    def trained(self, stop: int, rng: random.Random) -> set[int]:
        stride = self.steps // self.k
        start = rng.randint(0, self.steps - self.k * stride)
        return {start + index * stride for index in range(self.k)}


@dataclass(frozen=True)
class Variant:
    """A method's option, its value in this suite, and the method that any other value makes."""

    option: str
    sound: Any
    method: type[Method]


VARIANTS: dict[str, Variant] = {
    "easytune": Variant("one_step_before", 0, ReleasedEasyTune),
    "refl": Variant("draw", "all", ReleasedRefl),
    "drtune": Variant("grid", "prefix", ReleasedDRTune),
}


def method(family: str, kind: type[Method], options: dict[str, Any]) -> type[Method]:
    """`kind`, or the family's released variant where `options` ask for it; of `options` remain those of the
    returned method."""
    variant = VARIANTS.get(family)
    if variant is None:
        return kind
    if options.get(variant.option, variant.sound) == variant.sound:
        options.pop(variant.option, None)
        return kind
    return variant.method
