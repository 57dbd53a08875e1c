"""From a sample to the loss: decode once, score once, in micro-batches, and hand back dL/dz.

loss = -lambda * mean_b R_b (EasyTune eq. 1), or ImageReward's hinge, scale * mean relu(margin - R).
The gradient is taken at z, so that a micro-batch's activations are gone before the next one's exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
class Scored:
    """A `Score` as Python numbers: the loss, mean rewards by dimension, and whether loss and gradient are finite."""

    loss: float = 0.0
    rewards: dict[str, float] = field(default_factory=dict)
    finite: bool = True


@dataclass(frozen=True)
class Score:
    """What the reward said of rows of samples, left on their device. Scores of other rows or samples can be added.

    sums      float64, by name: "loss", each row already divided by the rows of the whole batch; the rewards by
              dimension, over rows; "unfinite", 1 where loss or gradient is not finite
    gradient  dL/dz of one sample; a sum has none
    """

    rows: int
    sums: Mapping[str, Tensor]
    gradient: Tensor | None = None

    def __add__(self, other: Score) -> Score:
        sums = {name: value + other.sums[name] for name, value in self.sums.items()}
        return Score(self.rows + other.rows, sums)

    @classmethod
    def of(cls, loss: Tensor, rewards: Mapping[str, Tensor]) -> Score:
        """Of a lesson that goes back by itself. loss []: of all its rows; rewards [B] by dimension."""
        sums = {name: value.detach().sum().double() for name, value in rewards.items()}
        total = loss.detach().double()
        return cls(
            len(rewards["total"]), {"loss": total, **sums, "unfinite": (~total.isfinite()).double()}
        )

    def read(self, device: torch.device | None = None) -> Scored:
        """One look at the device for everything. device: where the processes' sums are added up; None: this process's."""
        values = [float(self.rows), *torch.stack(list(self.sums.values())).tolist()]
        rows, *values = values if device is None else sum_numbers(values, device)
        sums = dict(zip(self.sums, values, strict=True))
        loss, unfinite = sums.pop("loss"), sums.pop("unfinite")
        return Scored(loss, {name: sums[name] / rows for name in sorted(sums)}, unfinite == 0.0)


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
        parts = rows_by_length(batch.frames, micro_batch or len(batch))
        self.parts = [torch.tensor(part, device=batch.lengths.device) for part in parts]
        self.frames = [max(batch.frames[row] for row in part) for part in parts]
        self.contexts = [
            self._context(part, frames)
            for part, frames in zip(self.parts, self.frames, strict=True)
        ]

    def _context(self, part: Tensor, frames: int) -> Any:
        lengths, references = self.batch.lengths[part], self.batch.references
        if references is not None:
            references = references[part, :frames]
        return self.reward.context(
            self.batch.captions.select(part), references, lengths, self.backbone.representation
        )

    def score(self, z: Tensor, level: Level = CLEAN, weight: float = 1.0) -> Score:
        """Decodes and scores z [B, …], told its noise level, and takes the gradient of weight * loss there."""
        self.scorings += 1
        gradient = torch.empty_like(z, memory_format=torch.contiguous_format)
        sums: dict[str, Tensor] = {}
        for number, part in enumerate(self.parts):
            with torch.enable_grad():
                z_part = z[part].detach().requires_grad_()
                values = self._values(number, z_part, level)
                loss = self.loss(values["total"]).sum() * (weight / self.rows)
                loss.backward()
            assert z_part.grad is not None
            gradient[part] = z_part.grad
            for name, value in {"loss": loss, **values}.items():
                part_sum = value.detach().sum().double()
                sums[name] = sums[name] + part_sum if name in sums else part_sum
        finite = torch.isfinite(gradient).all() & ~sums["loss"].isnan()
        return Score(len(self.batch), {**sums, "unfinite": (~finite).double()}, gradient)

    def itself(self, loss: Tensor) -> Score:
        """Of a loss [] that is the mean over the batch's rows already: its share in the whole batch's mean."""
        share = len(self.batch) / self.rows
        value = share * loss.detach().double()
        sums = {"loss": value, "unfinite": (~value.isfinite()).double()}
        return Score(len(self.batch), sums, torch.full_like(loss, share))

    @torch.no_grad()
    def rewards(self, z: Tensor, level: Level = CLEAN) -> dict[str, Tensor]:
        """Reward of each row [B] by dimension, without gradient."""
        self.scorings += 1
        values = [self._values(number, z[part], level) for number, part in enumerate(self.parts)]
        place = torch.cat(self.parts).argsort()
        return {name: torch.cat([value[name] for value in values])[place] for name in values[0]}

    def _values(self, number: int, z: Tensor, level: Level) -> dict[str, Tensor]:
        lengths, frames = self.batch.lengths[self.parts[number]], self.frames[number]
        t = level.timesteps(len(z), z.device)
        with autocast(self.precision, z.device):
            features = self.backbone.to_features(z, lengths, frames)
            confine = self.confine
            if confine is not None and features.requires_grad:
                features.register_hook(lambda gradient: confine(gradient, lengths))
            if level.scale != 1.0:
                features = features * level.scale
            scores = self.reward(features, lengths, self.contexts[number], t)
        return {name: score.to(z.dtype) for name, score in scores.items()}


def rows_by_length(frames: Sequence[int], width: int) -> list[list[int]]:
    """Rows of motions of B lengths, `width` at a time: as they come where they are one part, else from short to long."""
    rows = list(range(len(frames)))
    if width >= len(rows):
        return [rows]
    order = sorted(rows, key=frames.__getitem__)
    return [order[begin : begin + width] for begin in range(0, len(order), width)]
