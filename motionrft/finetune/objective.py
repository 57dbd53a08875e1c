"""From a sample to the loss: decode once, score once, in micro-batches, and hand back dL/dz.

loss = -lambda * mean_b R_b (EasyTune eq. 1), or ImageReward's hinge, scale * mean relu(margin - R).
The gradient is taken at z, so that a micro-batch's activations are gone before the next one's exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from motionrft.backbones.base import Backbone
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.confinement import Confine
from motionrft.finetune.reward_timestep import CLEAN, Level
from motionrft.finetune.settings import Loss
from motionrft.text.features import TextBatch
from motionrft.training.distributed import sum_numbers
from motionrft.training.loop import autocast


class Reward(Protocol):
    """What a fine-tuner knows of a reward; its dimensions come by name, "total" is what counts.

    alphas [N]: its noise schedule; max_t: the levels below which it was trained. One without a gradient says so with an
    attribute `differentiable`, which is then False (`motionrft.finetune.method_reward.check_gradient`).
    """

    alphas: Tensor
    max_t: int

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def buffers(self) -> Iterator[Tensor]: ...

    def context(
        self, text: TextBatch, references: Tensor | None, lengths: Tensor, representation: str
    ) -> Any:
        """What motions of these captions are scored against, computed once."""

    def __call__(
        self, features: Tensor, lengths: Tensor, context: Any, t: Tensor | None
    ) -> dict[str, Tensor]:
        """[B] by name."""


@dataclass(frozen=True)
class Score:
    """What the reward said of rows of samples. Scores of other rows or samples can be added.

    loss      its sum, each row already divided by the rows of the whole batch
    rewards   sums over rows, by dimension
    finite    whether loss and gradient are
    gradient  dL/dz of one sample; a sum has none
    """

    rows: int = 0
    loss: float = 0.0
    rewards: dict[str, float] = field(default_factory=dict)
    finite: bool = True
    gradient: Tensor | None = None

    def __add__(self, other: Score) -> Score:
        names = self.rewards | other.rewards
        rewards = {
            name: self.rewards.get(name, 0.0) + other.rewards.get(name, 0.0) for name in names
        }
        return Score(
            self.rows + other.rows, self.loss + other.loss, rewards, self.finite and other.finite
        )

    def means(self) -> dict[str, float]:
        return {name: self.rewards[name] / self.rows for name in sorted(self.rewards)}

    def of_all_processes(self, device: torch.device) -> Score:
        names = sorted(self.rewards)
        sums = [self.rewards[name] for name in names]
        rows, loss, bad, *sums = sum_numbers(
            [float(self.rows), self.loss, float(not self.finite), *sums], device
        )
        return Score(int(rows), loss, dict(zip(names, sums, strict=True)), finite=bad == 0.0)


class Objective:
    """A frozen decoder and reward around the samples of one batch.

    rows         the rows that the loss averages over, where the batch is only a slice of them
    micro_batch  rows decoded and scored at once (0: all); rows of like length together, each part without padding beyond
                 its longest motion
    scorings     how often samples were scored: what it has cost so far
    precision    fp32, or bf16 of decoder and reward; scores and loss are fp32
    confine      what of the gradient at the decoded motion goes on to the sample (None: all of it)
    """

    @torch.no_grad()
    def __init__(
        self,
        backbone: Backbone,
        reward: Reward,
        batch: PromptBatch,
        loss: Loss,
        *,
        rows: int | None = None,
        micro_batch: int = 0,
        precision: str = "fp32",
        confine: Confine | None = None,
    ):
        self.precision, self.confine = precision, confine
        self.backbone, self.reward, self.batch, self.loss = backbone, reward, batch, loss
        self.rows, self.scorings = rows or len(batch), 0
        self.parts = rows_by_length(batch.lengths, micro_batch or len(batch))
        self.contexts = [self._context(part) for part in self.parts]

    def _context(self, part: Tensor) -> Any:
        lengths, references = self.batch.lengths[part], self.batch.references
        if references is not None:
            references = references[part, : int(lengths.max())]
        return self.reward.context(
            self.batch.captions.select(part), references, lengths, self.backbone.representation
        )

    def score(self, z: Tensor, level: Level = CLEAN, weight: float = 1.0) -> Score:
        """Decodes and scores z [B, …], told its noise level, and takes the gradient of weight * loss there."""
        self.scorings += 1
        gradient = torch.empty_like(z, memory_format=torch.contiguous_format)
        sums: dict[str, float] = {}
        total_loss = 0.0
        for number, part in enumerate(self.parts):
            with torch.enable_grad():
                z_part = z[part].detach().requires_grad_()
                values = self._values(number, z_part, level)
                loss = self.loss(values["total"]).sum() * (weight / self.rows)
                loss.backward()
            assert z_part.grad is not None
            gradient[part] = z_part.grad
            total_loss += float(loss.detach())
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach().sum())
        finite = bool(torch.isfinite(gradient).all()) and total_loss == total_loss
        return Score(len(self.batch), total_loss, sums, finite, gradient)

    def itself(self, loss: Tensor) -> Score:
        """Of a loss [] that is the mean over the batch's rows already: its share in the whole batch's mean."""
        share = len(self.batch) / self.rows
        value = float(loss.detach())
        gradient = torch.full_like(loss, share)
        return Score(len(self.batch), share * value, {}, math.isfinite(value), gradient)

    @torch.no_grad()
    def rewards(self, z: Tensor, level: Level = CLEAN) -> dict[str, Tensor]:
        """Reward of each row [B] by dimension, without gradient."""
        self.scorings += 1
        values = [self._values(number, z[part], level) for number, part in enumerate(self.parts)]
        place = torch.cat(self.parts).argsort()
        return {name: torch.cat([value[name] for value in values])[place] for name in values[0]}

    def _values(self, number: int, z: Tensor, level: Level) -> dict[str, Tensor]:
        lengths = self.batch.lengths[self.parts[number]]
        t = level.timesteps(len(z), z.device)
        with autocast(self.precision, z.device):
            features = self.backbone.to_features(z, lengths)
            confine = self.confine
            if confine is not None and features.requires_grad:
                features.register_hook(lambda gradient: confine(gradient, lengths))
            if level.scale != 1.0:
                features = features * level.scale
            scores = self.reward(features, lengths, self.contexts[number], t)
        return {name: score.to(z.dtype) for name, score in scores.items()}


def rows_by_length(lengths: Tensor, width: int) -> list[Tensor]:
    """Rows of motions of lengths [B], `width` at a time: as they come where they are one part, else from short to long."""
    rows = torch.arange(len(lengths), device=lengths.device)
    if width >= len(rows):
        return [rows]
    return list(lengths.argsort(stable=True).split(width))
