"""Methods that train nothing: the reward picks or steers what the base model samples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from motionrft.backbones.base import Backbone, Condition
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.errors import InputError
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.method import Method
from motionrft.finetune.objective import Objective, Reward
from motionrft.finetune.reward_timestep import Level
from motionrft.finetune.settings import Loss
from motionrft.finetune.trajectory import Lesson, Walk
from motionrft.text.features import CaptionFeatures


class TrainingFree(Method):
    """A method that changes how a model samples, and none of its weights.

    walks   whether it walks the sampler's table itself
    """

    trains: ClassVar[bool] = False
    walks: ClassVar[bool] = True

    @abstractmethod
    def sample(self, sampler: Sampler, levels: Sequence[Level], objective: Objective) -> Tensor:
        """Final samples x [B, …] for the prompts of `objective.batch`, in the backbone's space.

        levels: the reward's noise levels of x_0 … x_T.
        """

    def samples(self, walk: Walk) -> Iterator[Lesson]:
        raise InputError(
            f"{type(self).__name__} trains nothing",
            where="method",
            fix="sample with it: motionrft evaluate --method …",
        )


@dataclass(frozen=True)
class RewardedSampling:
    """How a backbone samples under such a method; `generate_with` draws through it.

    reward_captions   features of captions as the reward reads them
    """

    method: TrainingFree
    backbone: Backbone
    sampler: Sampler
    reward: Reward
    levels: Sequence[Level]
    reward_captions: CaptionFeatures

    def __call__(self, condition: Condition, noise: SeededNoise, captions: Sequence[str]) -> Tensor:
        """Final samples x [B, …] of B captions."""
        read = self.reward_captions(list(captions)).to(condition.lengths.device)
        batch = PromptBatch(
            condition,
            read,
            None,
            condition.lengths.tolist(),
            noise.seeds.tolist(),
            noise.shape,
        )
        with torch.no_grad():
            objective = Objective(self.backbone, self.reward, batch, Loss())
            return self.method.sample(self.sampler, self.levels, objective)
