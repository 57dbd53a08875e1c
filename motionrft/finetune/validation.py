"""Scores of a model while it trains: its own final samples, the same prompts and noise every time.

The validation split only; the test split is for the report. The reward here has the same terms and weights
for all methods, whatever terms a method trains on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import torch

from motionrft.backbones.base import Backbone
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.objective import Objective, Reward
from motionrft.finetune.reward_timestep import CLEAN
from motionrft.finetune.selection import standard_errors
from motionrft.finetune.settings import Loss

# numbers by name for the model as it stands: this room's own validation, or one independent of the reward
Validation = Callable[[], dict[str, float]]
RECORDED = "recorded reward"


class RewardValidation:
    """Mean of each of the reward's terms over the clean final samples of fixed prompts; "reward", their sum under
    `weights` (by term); their standard errors; what an independent evaluation adds; and `recorded`, the reward of the recorded motions, to
    compare with."""

    def __init__(
        self,
        backbone: Backbone,
        sampler: Sampler,
        reward: Reward,
        weights: Mapping[str, float],
        batches: Sequence[PromptBatch],
        evaluation: Validation | None = None,
        recorded: float | None = None,
    ):
        self.backbone, self.sampler, self.reward = backbone, sampler, reward
        self.weights, self.batches = weights, batches
        self.evaluation, self.recorded = evaluation, recorded

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        modes = {module: module.training for module in self.backbone.modules()}
        self.backbone.eval()
        with torch.random.fork_rng(devices=[]):
            numbers = self._rewards()
            if self.recorded is not None:
                numbers[RECORDED] = self.recorded
            if self.evaluation is not None:
                numbers |= self.evaluation()
        for module, mode in modes.items():
            module.training = mode
        return numbers

    def _rewards(self) -> dict[str, float]:
        prompts: dict[str, list[float]] = {}
        for batch in self.batches:
            z = self.sampler.sample(batch.condition, batch.noise())
            objective = Objective(self.backbone, self.reward, batch, Loss())
            for name, value in objective.rewards(z).items():
                prompts.setdefault(name, []).extend(value.tolist())
        del prompts["total"]  # of the terms that this method's files hold
        counted = {name: weight for name, weight in self.weights.items() if weight > 0}
        terms = zip(*(prompts[name] for name in counted), strict=True)
        weights = counted.values()
        prompts["reward"] = [
            sum(weight * value for weight, value in zip(weights, values, strict=True))
            for values in terms
        ]
        return {name: fmean(rows) for name, rows in prompts.items()} | standard_errors(prompts)


@torch.no_grad()
def recorded_reward(
    reward: Reward, motions: Batch, prompts: PromptBatch, representation: str
) -> float:
    """Mean reward of recorded motions under their own captions."""
    context = reward.context(prompts.captions, prompts.references, motions.lengths, representation)
    t = CLEAN.timesteps(len(motions), motions.features.device)
    return float(reward(motions.features, motions.lengths, context, t)["total"].mean())
