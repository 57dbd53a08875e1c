"""From a sample to the loss: decode once, score once, in micro-batches, and hand back dL/dz.

loss = -lambda * mean_b R_b, or ImageReward's hinge scale * mean relu(margin - R).
The gradient is taken at z, so that a micro-batch's activations are gone before the next one's exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from motionrft.backbones.base import Backbone
from motionrft.errors import InputError
from motionrft.finetune.method import Event
from motionrft.finetune.reward_timestep import CLEAN, Level, level_tensor
from motionrft.finetune.settings import Loss
from motionrft.text.features import TextBatch


class Reward(Protocol):
    """What a fine-tuner knows of a reward; its dimensions come by name, "total" is what counts.

    alphas [N]: its noise schedule; max_t: the levels below which it was trained.
    """

    alphas: Tensor
    max_t: int

    def context(
        self, text: TextBatch, references: Tensor | None, lengths: Tensor, representation: str
    ) -> Any: ...

    def __call__(
        self, features: Tensor, lengths: Tensor, ctx: Any, t: Tensor | None
    ) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Prompts:
    """What the reward is asked about: captions as it reads them, true motions (or None), lengths [B]."""

    text: TextBatch
    references: Tensor | None
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class Scored:
    """dL/dz of one event, its loss, and the batch mean of every reward dimension."""

    gradient: Tensor
    loss: float
    rewards: dict[str, float]

    @property
    def finite(self) -> bool:
        return bool(torch.isfinite(self.gradient).all()) and self.loss == self.loss


class Objective:
    """A frozen decoder and reward around the samples of one backbone.

    micro_batch  rows decoded and scored at once (0: all)
    rows         the batch that the loss averages over, when the prompts are only a slice of it
    """

    def __init__(
        self,
        backbone: Backbone,
        reward: Reward,
        levels: Sequence[Level],
        loss: Loss,
        micro_batch: int = 0,
    ):
        if micro_batch < 0:
            raise InputError(
                f"{micro_batch} rows", field="finetune.micro_batch", fix="0 for all, or a count"
            )
        self.backbone, self.reward, self.levels = backbone, reward, levels
        self.loss, self.micro_batch = loss, micro_batch

    def trusted(self, i: int) -> bool:
        return self.levels[i].trusted

    @torch.no_grad()
    def begin(self, prompts: Prompts, rows: int | None = None) -> None:
        """The reward's text and reference branches of these prompts, once for all their events."""
        self.prompts, self.rows = prompts, rows or len(prompts)
        width = self.micro_batch or len(prompts)
        self.slices = [
            slice(begin, min(begin + width, len(prompts)))
            for begin in range(0, len(prompts), width)
        ]
        self.contexts = [
            self.reward.context(
                prompts.text.select(part),
                None if prompts.references is None else prompts.references[part],
                prompts.lengths[part],
                self.backbone.representation,
            )
            for part in self.slices
        ]

    def score(self, event: Event) -> Scored:
        """Decodes and scores z, and takes the loss's gradient with respect to it."""
        level = CLEAN if event.level is None else self.levels[event.level]
        gradients: list[Tensor] = []
        loss = 0.0
        sums: dict[str, float] = {}
        for part, context in zip(self.slices, self.contexts, strict=True):
            with torch.enable_grad():
                z = event.z[part].detach().requires_grad_()
                values = self.values(z, self.prompts.lengths[part], context, level)
                share = self.loss(values["total"]).sum() * (event.weight / self.rows)
                share.backward()
            assert z.grad is not None
            gradients.append(z.grad)
            loss += float(share.detach())
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach().sum())
        return Scored(
            torch.cat(gradients),
            loss,
            {name: total / len(self.prompts) for name, total in sums.items()},
        )

    def values(
        self, z: Tensor, lengths: Tensor, context: Any, level: Level = CLEAN
    ) -> dict[str, Tensor]:
        """Reward of each row by dimension."""
        features = self.backbone.to_features(z, lengths)
        if level.scale != 1.0:
            features = features * level.scale
        return self.reward(features, lengths, context, level_tensor([level], len(z), z))
