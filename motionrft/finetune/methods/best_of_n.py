"""Best-of-n: of n samples of a prompt, the one that the reward scores highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from motionrft.diffusion.sampler import Sampler
from motionrft.finetune.batch import candidate_seed
from motionrft.finetune.method import Asked, require
from motionrft.finetune.objective import Objective
from motionrft.finetune.reward_timestep import Level
from motionrft.finetune.training_free import TrainingFree


@dataclass(frozen=True)
class BestOfN(TrainingFree):
    """n: samples of each prompt. The first is the base model's own, those of a smaller n are among those of a larger."""

    n: int = 4

    differentiates: ClassVar[bool] = False
    walks: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.n >= 1, f"{self.n} samples of a prompt", "n", "choose 1 or more")

    def asked(self, guided: bool) -> Asked:
        """n trajectories, and a scoring of each but where there is nothing to choose from."""
        del guided
        return Asked(self.n * self.steps, 0, self.n if self.n > 1 else 0)

    def sample(self, sampler: Sampler, levels: Sequence[Level], objective: Objective) -> Tensor:
        """argmax_k R(x^(k), c), k = 1 … n; of equals the first (Stiennon et al., 2020, section 4.3)."""
        del levels
        batch = objective.batch
        best, highest = sampler.sample(batch.condition, batch.noise()), None
        for k in range(1, self.n):
            highest = self._scored(objective, best) if highest is None else highest
            seeds = [candidate_seed(seed, k) for seed in batch.seeds]
            other = sampler.sample(batch.condition, replace(batch, seeds=seeds).noise())
            reward = self._scored(objective, other)
            better = reward > highest
            best = torch.where(better.view(-1, *[1] * (other.dim() - 1)), other, best)
            highest = torch.where(better, reward, highest)
        return best

    @staticmethod
    def _scored(objective: Objective, x: Tensor) -> Tensor:
        """[B]; a reward that is no number is never the best."""
        return objective.rewards(x)["total"].nan_to_num(nan=-torch.inf)


METHOD = BestOfN
