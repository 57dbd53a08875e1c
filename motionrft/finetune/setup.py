"""A fine-tuning run from files: base weights, reward stages, features, text features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.io import load_backbone
from motionrft.corpus.dataset import Batch, MotionDataset
from motionrft.diffusion.reward_form import check_reward_form
from motionrft.diffusion.schedules import step_table
from motionrft.errors import InputError
from motionrft.finetune.batch import Material, noise_seeds
from motionrft.finetune.cost import Meter, MeteredSampler
from motionrft.finetune.loop import Course
from motionrft.finetune.method import read_method
from motionrft.finetune.objective import Objective, Prompts
from motionrft.finetune.reward_timestep import reward_levels
from motionrft.finetune.settings import Settings, cell_settings
from motionrft.finetune.validation import (
    Judge,
    RewardValidation,
    fixed_batches,
    set_training,
    spread,
)
from motionrft.reward import terms
from motionrft.reward.files import stage_files
from motionrft.reward.latent import draws as latent_draws
from motionrft.reward.motion_reward import MotionReward
from motionrft.text.features import TextCache

if TYPE_CHECKING:
    from motionrft.backbones import lora

VALIDATION_NOISE = 2**31  # apart from every training batch


@dataclass(frozen=True)
class Sources:
    """The files of a run. rewards: any of the stages, in any order; each says in its header which it is."""

    base: Path
    rewards: Sequence[Path]
    features: Path
    text: Path
    reward_text: Path | None = None


@dataclass
class Job:
    """A prepared run: what `Training` needs, and what belongs into the files it ends in."""

    course: Course
    backbone: Backbone
    about: dict[str, Any]
    adapters: lora.LoraSettings | None
    data: Data
    yardstick: MotionReward


def prepare(
    run: dict[str, Any],
    backbone_name: str,
    method_name: str,
    seed: int,
    files: Sources,
    device: torch.device,
    judge_of: Any = None,
) -> Job:
    """Loads, freezes and assembles everything. judge_of(backbone): the independent judge, if any."""
    settings, section = cell_settings(run, backbone_name, method_name), run["methods"][method_name]
    entry = run["backbones"][backbone_name]
    backbone, about = load_backbone(files.base, device)
    table = step_table(entry["sampler"], backbone.prediction)
    where = f"config/backbones/{backbone_name}.yaml"
    check_reward_form(
        entry["reward_form"], table, where, allow_on_sde=entry.get("allow_one_step_on_sde", False)
    )
    method = read_method(section, len(table), entry["reward_form"])
    trained, adapters = open_weights(backbone, settings, seed)
    stages = stage_files(files.rewards)
    yardstick = load_reward(stages, run["reward"]["weights"], settings, device)
    own = f"config/methods/{method_name}.yaml"
    scorer = yardstick
    if section.get("semantic_stage") == "spl":
        stages = refined(stages, own)
        scorer = load_reward(stages, run["reward"]["weights"], settings, device)
    reward = weighted(scorer, section.get("reward_weights"), set(stages), own)
    draws = torch.Generator()
    if settings.sampled:
        reward = reward.view(read=latent_draws(draws))
    levels = reward_levels(
        table,
        reward.alphas.to(device),
        reward.max_t,
        matching=settings.levels,
        rescale=in_motion_space(backbone),
    )
    sampler = MeteredSampler(
        backbone, table, float(entry["sampler"].get("guidance", 1.0)), Meter(), settings.precision
    )
    if settings.compile:
        backbone.predict = torch.compile(backbone.predict, dynamic=True)  # type: ignore[method-assign]
    data = Data(backbone, files, settings, device)

    def material(k: int) -> Material:
        draws.manual_seed(noise_seeds(seed, k, 1)[0])
        return data.material(k, seed)

    course = Course(
        sampler,
        method,
        lambda: Objective(backbone, reward, levels, settings.loss, settings.micro_batch),
        material,
        trained,
        settings,
        seed,
        permanent=[
            *backbone.parameters(),
            *backbone.buffers(),
            *reward.parameters(),
            *reward.buffers(),
        ],
        device=device,
        label=f"{backbone_name} {method_name} seed {seed}",
    )
    if settings.validate_every:
        judge: Judge | None = judge_of(backbone) if judge_of is not None else None
        course.validation = RewardValidation(
            backbone, sampler, yardstick, data.validation(seed), judge
        )
    return Job(course, backbone, about, adapters, data, yardstick)


def open_weights(
    backbone: Backbone, settings: Settings, seed: int
) -> tuple[list[nn.Parameter], lora.LoraSettings | None]:
    """Freezes all but what is tuned: the denoiser, or fresh adapters in it."""
    if settings.tune == "lora":
        from motionrft.backbones import lora  # peft takes seconds to load: only where it is used

        adapters = lora.LoraSettings(**settings.lora)
        torch.manual_seed(seed)
        lora.inject(backbone, adapters)
        trained = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    else:
        adapters, trained = (
            None,
            [parameter for parameter in backbone.trainable() if parameter.is_floating_point()],
        )
        backbone.requires_grad_(False)
        for parameter in trained:
            parameter.requires_grad_(True)
    set_training(backbone, trained, settings.train_dropout)
    return trained, adapters


def refined(stages: dict[str, Path], where: str) -> dict[str, Path]:
    """The self-refined network alone: the judged stages' adapters stand on the one before it."""
    if "spl" not in stages:
        raise InputError(
            "its file is not among the reward files",
            where=where,
            field="semantic_stage",
            fix="pass spl.safetensors with --reward, or set it to semantic",
        )
    return {"semantic": stages["spl"]}


def load_reward(
    stages: dict[str, Path], weights: dict[str, float], settings: Settings, device: torch.device
) -> MotionReward:
    """The reward of the given stages; dimensions whose stage is not among the files count nothing here."""
    known = {
        name: weight for name, weight in weights.items() if terms.branch_of(name) in (None, *stages)
    }
    reward = MotionReward.load(stages, known, device=device)
    if settings.reward_state == "official":
        reward.requires_grad_(True)
        # its own `train` refuses, for good reason: this is the released behaviour, to be measured
        nn.Module.train(reward, True)
    return reward


def weighted(
    reward: MotionReward, weights: dict[str, float] | None, stages: set[str], where: str
) -> MotionReward:
    """The same networks with a method's own weights."""
    if weights is None:
        return reward
    missing = sorted(
        name
        for name, weight in weights.items()
        if weight > 0 and terms.branch_of(name) not in {None, *stages}
    )
    if missing:
        raise InputError(
            "a weight, but its stage is not among the reward files",
            where=where,
            field=f"reward_weights.{missing[0]}",
            fix="pass that stage's file with --reward, or set the weight to 0",
        )
    return reward.view(weights=weights)


def in_motion_space(backbone: Backbone) -> bool:
    """Whether x is frames of features, so that a level's amplitude can be matched by scaling."""
    return backbone.width(backbone.max_frames) == backbone.max_frames


class Data:
    """Prompts, their features for backbone and reward, true motions, noise."""

    def __init__(
        self, backbone: Backbone, files: Sources, settings: Settings, device: torch.device
    ):
        self.backbone, self.settings, self.device = backbone, settings, device
        self.text = TextCache(files.text)
        self.reward_text = TextCache(files.reward_text) if files.reward_text else self.text
        kind = backbone.representation
        self.training = MotionDataset(files.features, kind, "train", max_frames=backbone.max_frames)
        self.held_out = MotionDataset(files.features, kind, "val", max_frames=backbone.max_frames)
        self.empty = self.text.empty().to(device)

    def material(self, k: int, seed: int) -> Material:
        """Training batch k."""
        return self.wrap(
            self.training.batch_at(k, self.settings.batch_size, seed),
            noise_seeds(seed, k, self.settings.batch_size),
        )

    def validation(self, seed: int) -> list[Material]:
        rows = spread(len(self.held_out), self.settings.validate_prompts)
        return fixed_batches(
            self.held_out.rows,
            rows,
            self.settings.batch_size,
            lambda batch, number: self.wrap(
                batch, noise_seeds(0, VALIDATION_NOISE + number, len(batch))
            ),
        )

    def wrap(self, batch: Batch, seeds: list[int]) -> Material:
        batch, backbone = batch.to(self.device), self.backbone
        condition = Condition.of(
            self.text(batch.captions).to(self.device), self.empty, batch.lengths
        )
        references = batch.features if self.settings.references else None
        prompts = Prompts(
            self.reward_text(batch.captions).to(self.device), references, batch.lengths
        )
        shape = backbone.sample_shape(batch.features.shape[1])
        return Material(
            condition,
            prompts,
            seeds[: len(batch)],
            shape,
            backbone.width(backbone.max_frames),
            self.device,
        )
