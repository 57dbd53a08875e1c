"""SoPo (arXiv 2412.05095): semi-online pairs, recorded motions as winners and the model's own worst samples as losers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.corpus.dataset import Batch
from motionrft.counting.generator import generator_on
from motionrft.errors import InputError
from motionrft.finetune.method import require
from motionrft.finetune.objective import Objective
from motionrft.finetune.preference import Pairs, Preference
from motionrft.finetune.trajectory import Walk


@dataclass(frozen=True)
class SoPo(Preference):
    """threshold  reward below which the worst of `group` samples is a loser; above it the winner alone is learnt
    weight     C: a winner counts C - S times beta, S its least cosine similarity to the samples of its prompt
    """

    threshold: float = 0.45
    weight: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight >= 1, f"{self.weight} is below 1", "weight", "use 1 or more")

    def candidates(self, walk: Walk) -> Tensor:
        return walk.sampler.sample(walk.condition, walk.noise)

    def pairs(self, candidates: Tensor, walk: Walk, objective: Objective) -> Pairs:
        rewards = objective.rewards(candidates)
        total = rewards["total"].view(-1, self.group)
        first = torch.arange(len(total), device=total.device) * self.group
        condition = walk.condition.select(first)
        winners = recorded(objective, first, walk)
        likeness = F.cosine_similarity(
            candidates.flatten(1), winners.flatten(1).repeat_interleave(self.group, 0)
        )
        closest = likeness.view(-1, self.group).amin(1)
        beta = torch.full_like(total[:, 0], self.beta)
        return Pairs(
            winners,
            candidates[first + total.argmin(1)],
            condition,
            beta * (self.weight - closest),
            torch.where(total.amin(1) < self.threshold, beta, 0.0),
            rewards,
        )


def recorded(objective: Objective, rows: Tensor, walk: Walk) -> Tensor:
    """The recorded motions of the prompts in these rows as clean samples, [P, …]."""
    batch = objective.batch
    if batch.references is None:
        raise InputError(
            "its winners are the recorded motions, and the run hides them",
            where="method",
            field="finetune.references",
            fix="set it to true",
        )
    motions = Batch(batch.references[rows], batch.lengths[rows], [], [])
    generator = generator_on(rows.device, walk.rng.getrandbits(62))
    return objective.backbone.encode(motions, generator)


METHOD = SoPo
