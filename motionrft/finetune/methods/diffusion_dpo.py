"""Diffusion-DPO (arXiv 2311.12908) on pairs of the pre-trained model's own samples, ranked by the reward."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motionrft.finetune.objective import Objective
from motionrft.finetune.preference import Pairs, Preference
from motionrft.finetune.trajectory import Walk


@dataclass(frozen=True)
class DiffusionDPO(Preference):
    """Offline: of `group` samples that the pre-trained model draws for a prompt, the best one and the worst."""

    def candidates(self, walk: Walk) -> Tensor:
        assert walk.reference is not None
        with walk.reference():
            return walk.sampler.sample(walk.condition, walk.noise)

    def pairs(self, candidates: Tensor, walk: Walk, objective: Objective) -> Pairs:
        rewards = objective.rewards(candidates)
        total = rewards["total"].view(-1, self.group)
        first = torch.arange(len(total), device=total.device) * self.group
        beta = torch.full_like(total[:, 0], self.beta)
        return Pairs(
            candidates[first + total.argmax(1)],
            candidates[first + total.argmin(1)],
            walk.condition.select(first),
            beta,
            # of equals none is better
            torch.where(total.amax(1) > total.amin(1), beta, 0.0),
            rewards,
        )


METHOD = DiffusionDPO
