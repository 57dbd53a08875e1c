"""A fine-tuning run from configuration and files: base weights, reward, prompts, sampler, method."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.backbones import lora
from motionrft.backbones.base import Backbone
from motionrft.backbones.execution import Compiled
from motionrft.backbones.generate import sampler_of
from motionrft.backbones.io import load_backbone
from motionrft.configuration import merge, trains
from motionrft.corpus.dataset import Batch
from motionrft.counting.generator import generator_on
from motionrft.diffusion.flow import AdaptiveSampler
from motionrft.diffusion.reward_form import check_reward_form
from motionrft.diffusion.sampler import Denoiser, Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError
from motionrft.finetune import released, values
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.cells import check_groups
from motionrft.finetune.confinement import Confine, confinement
from motionrft.finetune.cost import Meter, MeteredSampler
from motionrft.finetune.hooks import Hooks
from motionrft.finetune.kl_penalty import KLPenalty
from motionrft.finetune.method import Method
from motionrft.finetune.method_options import read_method
from motionrft.finetune.method_reward import check_gradient, method_reward, validating
from motionrft.finetune.objective import Objective, Reward
from motionrft.finetune.optimizer import weights_of_now
from motionrft.finetune.policy_gradient import PolicyGradient
from motionrft.finetune.prompt_data import PromptData, Sources
from motionrft.finetune.reward_timestep import Level
from motionrft.finetune.settings import Settings, cell_settings
from motionrft.finetune.training_free import RewardedSampling, TrainingFree
from motionrft.finetune.trajectory import Lesson, Walk
from motionrft.finetune.validation import RewardValidation, Validation, recorded_reward
from motionrft.finetune.value_reward import Points, Scene, ValueReward
from motionrft.options import read_options
from motionrft.reward.files import stage_files
from motionrft.text.features import CaptionFeatures
from motionrft.training.prefetch import Prefetched


@dataclass
class FineTuning:
    """A prepared run: one backbone, one method, one seed.

    reward             what the method trains on
    levels             the reward's noise levels of the sampler's x_0 … x_T
    batch              the prompts of trajectory k
    trained            the parameters that learn
    validation         numbers by name of the model as it stands
    about, adapters, base    what the files say that the run ends in, and the file it began from
    data, common_reward    the prompts' files, and the reward that validates every method
    reference          inside it the network has its weights of now; None where nothing reads these
    confine            what of the reward's gradient is kept (None: all of it)
    """

    backbone: Backbone
    sampler: MeteredSampler
    reward: Reward
    levels: Sequence[Level]
    method: Method
    batch: Callable[[int], PromptBatch]
    trained: list[nn.Parameter]
    settings: Settings
    seed: int
    label: str = "finetune"
    hooks: Hooks = field(default_factory=Hooks)
    validation: Validation | None = None
    about: dict[str, Any] = field(default_factory=dict)
    adapters: lora.LoraSettings | None = None
    base: Path | None = None
    data: PromptData | None = None
    common_reward: Reward | None = None
    confine: Confine | None = None
    reference: Callable[[], AbstractContextManager[None]] | None = None

    def __post_init__(self) -> None:
        if self.reference is None and (self.settings.kl or self.method.needs_reference):
            self.reference = weights_of_now(self.trained)

    @property
    def device(self) -> torch.device:
        return self.trained[0].device

    @property
    def reads_motions(self) -> bool:
        """Whether it learns from the recorded motions of its prompts."""
        return self.method.reads_motions or self.settings.data_loss > 0

    @property
    def weights(self) -> list[Tensor]:
        """Tensors that stay in memory whatever the method does, frozen ones included."""
        parts = (self.backbone, self.reward)
        return [tensor for part in parts for tensor in (*part.parameters(), *part.buffers())]

    def objective(self, batch: PromptBatch, rows: int | None = None) -> Objective:
        """The loss of a batch, averaged over `rows` (its own by default)."""
        settings = self.settings
        return Objective(
            self.backbone,
            self.hooks.batch_reward(self.reward, batch),
            batch,
            settings.loss,
            rows=rows,
            micro_batch=settings.micro_batch,
            precision=settings.precision,
            confine=self.confine,
        )

    def learn_from_data(self, lesson: Lesson, objective: Objective, update: int) -> bool:
        """With the last lesson of an update adds the gradient of `data_loss` times the pre-training loss of the batch, or of its
        slice's share; False: there is none."""
        if not (self.settings.data_loss and lesson.update):
            return False
        batch = objective.batch
        share = self.settings.data_loss * len(batch) / objective.rows
        (share * self.pretraining_loss(batch, update)).backward()
        return True

    def scoring(self, objective: Objective) -> Callable[[Tensor], object]:
        """What the method asks of a reward: its value and gradient, or its value alone."""
        return objective.score if self.method.differentiates else objective.rewards

    def walk(
        self, batch: PromptBatch, k: int, progress: float = 1.0, kl: KLPenalty | None = None
    ) -> Walk:
        """Trajectory k of a batch; its draws depend on the seed and k alone."""
        return Walk(
            self.sampler,
            batch.condition,
            batch.noise(),
            self.levels,
            random.Random(f"{self.seed}/{k}"),
            progress,
            self.settings.activations,
            kl,
            self.reference,
            None if batch.references is None else partial(self.pretraining_loss, batch),
            batch.frames,
        )

    def pretraining_loss(self, batch: PromptBatch, update: int = 0) -> Tensor:
        """The loss of the backbone's last pre-training stage on the recorded motions of a batch; its noise is a function of
        the batch's first seed and the update."""
        assert batch.references is not None
        motions = Batch(batch.references, batch.lengths, [], list(batch.clips))
        generator = generator_on(self.device, batch.seeds[0] + update)
        stage = self.backbone.stages[-1]
        return self.backbone.pretrain_loss(motions, batch.condition, stage, generator)["loss"]


def prepare(
    run: dict[str, Any],
    backbone_name: str,
    method_name: str,
    seed: int,
    files: Sources,
    device: torch.device,
    evaluation_of: Callable[[Backbone], Validation] | None = None,
    points_of: Callable[[Backbone], Points] | None = None,
) -> FineTuning:
    """Loads, freezes and assembles everything.

    evaluation_of   for a backbone, what an evaluation independent of the reward adds to each validation
    points_of       for a backbone, the evaluator's space, opened where a value asks for it (`values: {retrieval_rank: 1}`)
    """
    section, where = run["methods"][method_name], f"config/methods/{method_name}.yaml"
    settings = cell_settings(run, backbone_name, method_name)
    family = run["backbones"][backbone_name]["family"]
    backbone, about = load_backbone(files.base, device, family=family)
    weights = run["reward"]["weights"]
    trained_on, common = method_reward(section, stage_files(files.rewards), weights, device, where)
    hooks = released.hooks(settings)
    hooks.reward_state(common)
    hooks.reward_state(trained_on)
    data = PromptData(
        backbone,
        files,
        device,
        references=settings.references,
        held_out=settings.validate_split,
    )
    reward: Reward = trained_on
    if section.get("values"):
        points = None if points_of is None else partial(points_of, backbone)
        scene = Scene.of(backbone.representation, data.training.store.about, points)
        named = {name: values.load(name)(scene) for name in section["values"]}
        reward = ValueReward(trained_on, named, section["values"], backbone.normaliser)
    tuning = assemble(run, backbone_name, method_name, seed, backbone, reward)
    sampler, group = tuning.sampler, tuning.method.group
    if "text_encoder" in about:  # an imported file has not met the encoder yet
        about["text_encoder"].setdefault("empty", data.text.empty().pooled[0].tolist())
    if tuning.reads_motions:  # what pre-training encodes once is encoded once here too
        backbone.start_stage(backbone.stages[-1], data.training_motions())
    validation = None
    if settings.validate_every:
        recorded, counted = None, validating(weights)
        if settings.reward_ceiling:
            motions, prompts = data.held_out_motions(settings.validate_prompts)
            summed = common.view(weights=counted)
            recorded = recorded_reward(summed, motions, prompts, backbone.representation)
        validation = RewardValidation(
            backbone,
            # a plain sampler: validation is not part of a method's cost
            Sampler(sampler.denoiser, sampler.table, sampler.guidance),
            common,
            counted,
            data.validation(settings.validate_prompts, settings.batch_size),
            None if evaluation_of is None else evaluation_of(backbone),
            recorded,
        )
    return replace(
        tuning,
        batch=Prefetched(
            lambda k: data.batch(k, settings.batch_size // group, seed).repeated(group), device
        ),
        validation=validation,
        about=about,
        base=files.base,
        data=data,
        common_reward=common,
        confine=confinement(settings.gradient, data.training, device, backbone.max_frames),
    )


def assemble(
    run: dict[str, Any],
    backbone_name: str,
    method_name: str,
    seed: int,
    backbone: Backbone,
    reward: Reward,
) -> FineTuning:
    """A run of one cell on a backbone and the method's reward, as its settings say. It has no prompts yet."""
    entry, section = run["backbones"][backbone_name], run["methods"][method_name]
    settings = cell_settings(run, backbone_name, method_name)
    hooks = released.hooks(settings)
    table = step_table(entry["sampler"], backbone.prediction)
    check_reward_form(
        entry["reward_form"],
        table,
        f"config/backbones/{backbone_name}.yaml",
        allow_on_sde=entry.get("allow_one_step_on_sde", False),
    )
    where = f"config/methods/{method_name}.yaml"
    method = read_method(section, len(table), entry["reward_form"])
    check_method(method, section, table, settings, where)
    check_gradient(method, reward, where)
    trained, adapters = open_weights(backbone, settings, seed)
    hooks.network_mode(backbone, trained)
    levels = hooks.levels(table, reward.alphas.cpu(), reward.max_t, in_motion_space(backbone))
    guidance = float(entry["sampler"].get("guidance", 1.0))
    denoiser: Denoiser = Compiled(backbone) if settings.compile else backbone
    sampler = MeteredSampler(
        denoiser, table, guidance, Meter.of(trained[0].device), settings.denoiser_precision
    )
    return FineTuning(
        backbone,
        sampler,
        reward,
        levels,
        method,
        _no_prompts,
        trained,
        settings,
        seed,
        label=f"{backbone_name} {method_name} seed {seed}",
        hooks=hooks,
        adapters=adapters,
    )


def _no_prompts(k: int) -> PromptBatch:
    raise ValueError(f"no prompts for trajectory {k}")


def check_method(
    method: Method, section: dict[str, Any], table: StepTable, settings: Settings, where: str
) -> None:
    """Raises `InputError` where a method does not go with its sampler, its batch, or what its file says of it."""
    method.check(table)
    if method.trains != trains(section):
        raise InputError(
            f"the family {section['family']} {'trains' if method.trains else 'trains nothing'}",
            where=where,
            field="training",
            fix=f"set training: {str(method.trains).lower()}",
        )
    if settings.train_dropout and isinstance(method, PolicyGradient):
        raise InputError(
            "dropout leaves no likelihood ratio: samples are drawn by one network and learnt from by another",
            where=where,
            field="finetune.train_dropout",
            fix="set it to false",
        )
    check_groups(method.group, settings, where, "options.group")


def prepare_sampling(
    run: dict[str, Any],
    backbone_name: str,
    method_name: str,
    backbone: Backbone,
    rewards: Sequence[Path],
    reward_captions: CaptionFeatures,
) -> RewardedSampling:
    """How a backbone samples under a method that trains nothing. rewards: the stages' files."""
    entry, section = run["backbones"][backbone_name], run["methods"][method_name]
    where = f"config/methods/{method_name}.yaml"
    sampler = sampler_of(backbone, entry["sampler"])
    method = read_method(section, len(sampler), entry["reward_form"])
    if not isinstance(method, TrainingFree):
        raise InputError(
            "trains weights: there is nothing to steer",
            where=where,
            field="family",
            fix="evaluate its fine-tuned model instead, without --method",
        )
    settings = cell_settings(run, backbone_name, method_name)
    check_method(method, section, sampler.table, settings, where)
    if method.walks and isinstance(sampler, AdaptiveSampler):
        raise InputError(
            "dopri5 chooses its own steps: there are none to steer",
            where=f"config/backbones/{backbone_name}.yaml",
            field="sampler.solver",
            fix="set it to euler or heun",
        )
    device = next(backbone.parameters()).device
    stages, weights = stage_files(rewards), run["reward"]["weights"]
    reward, _ = method_reward(section, stages, weights, device, where)
    check_gradient(method, reward, where)
    backbone.eval().requires_grad_(False)
    levels = released.hooks(settings).levels(
        sampler.table, reward.alphas.cpu(), reward.max_t, in_motion_space(backbone)
    )
    return RewardedSampling(method, backbone, sampler, reward, levels, reward_captions)


def without_validation(run: dict[str, Any], method: str, rows: int) -> dict[str, Any]:
    """The run for an analysis of `method`: batches of `rows` prompts in one piece, no validation."""
    changes = {
        "batch_size": rows,
        "slices": 1,
        "validate_every": 0,
        "select": "last",
        "patience": 0,
        "reward_ceiling": 0,
    }
    cells = {cell: changes for cell in run.get("cells", {}) if cell.endswith(f"/{method}")}
    return merge(run, {"finetune": changes, "methods": {method: changes}, "cells": cells})


def open_weights(
    backbone: Backbone, settings: Settings, seed: int
) -> tuple[list[nn.Parameter], lora.LoraSettings | None]:
    """Freezes all but what is tuned: the denoiser, or fresh adapters in it."""
    if settings.tune == "lora":
        adapters = read_options(lora.LoraSettings, settings.lora, field="finetune.lora")
        torch.manual_seed(seed)
        lora.inject(backbone, adapters)
        return [entry for entry in backbone.parameters() if entry.requires_grad], adapters
    trained = [parameter for parameter in backbone.trainable() if parameter.is_floating_point()]
    backbone.requires_grad_(False)
    for parameter in trained:
        parameter.requires_grad_(True)
    return trained, None


def in_motion_space(backbone: Backbone) -> bool:
    """Whether x is frames of features, so that a level's amplitude can be matched by scaling."""
    return backbone.width(backbone.max_frames) == backbone.max_frames
