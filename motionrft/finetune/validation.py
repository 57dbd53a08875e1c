"""Judging a model while it trains: its own final samples, the same prompts and noise every time.

The validation split only; the test split is for the report. The reward here is the run's yardstick,
the same for all methods, whatever terms a method trains on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from motionrft.backbones.base import Backbone
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler
from motionrft.finetune.batch import Material
from motionrft.finetune.objective import Objective, Reward
from motionrft.finetune.reward_timestep import CLEAN
from motionrft.finetune.settings import Loss

# independent of the reward: metrics by name for the model as it stands
Judge = Callable[[], dict[str, float]]


class RewardValidation:
    """Mean reward by dimension of the clean final samples of fixed prompts, and what a judge adds."""

    def __init__(
        self,
        backbone: Backbone,
        sampler: Sampler,
        reward: Reward,
        batches: list[Material],
        judge: Judge | None = None,
    ):
        self.backbone, self.judge, self.batches = backbone, judge, batches
        # a plain sampler: validation is not part of a method's cost
        self.sampler = Sampler(backbone, sampler.table, sampler.guidance)
        self.objective = Objective(backbone, reward, [CLEAN], Loss())

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        modes = {module: module.training for module in self.backbone.modules()}
        self.backbone.eval()
        with torch.random.fork_rng(devices=[]):
            numbers = self._rewards()
            if self.judge is not None:
                numbers |= self.judge()
        for module, mode in modes.items():
            module.training = mode
        return numbers

    def _rewards(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        for batch in self.batches:
            z = self.sampler.sample(batch.condition, batch.noise())
            self.objective.begin(batch.prompts)
            values = self.objective.values(z, batch.prompts.lengths, self.objective.contexts[0])
            for name, value in values.items():
                name = "reward" if name == "total" else name
                sums[name] = sums.get(name, 0.0) + float(value.sum())
        return {name: total / sum(map(len, self.batches)) for name, total in sums.items()}


def spread(rows: int, count: int) -> np.ndarray:
    """`count` of `rows` row numbers (all if there are fewer), evenly spaced."""
    return np.unique(np.linspace(0, rows - 1, min(count, rows)).astype(int))


def set_training(backbone: nn.Module, trained: list[nn.Parameter], dropout: bool) -> None:
    """Eval mode throughout; with `dropout`, train mode for the modules that hold trained weights (frozen
    decoders stay in eval mode)."""
    backbone.eval()
    if not dropout:
        return
    ids = {id(parameter) for parameter in trained}

    def visit(module: nn.Module, inherited: bool) -> None:
        own = list(module.parameters())
        module.training = any(id(parameter) in ids for parameter in own) if own else inherited
        for child in module.children():
            visit(child, module.training)

    visit(backbone, False)


def fixed_batches(
    batch_of: Callable[[np.ndarray], Batch],
    rows: np.ndarray,
    size: int,
    material: Callable[[Batch, int], Material],
) -> list[Material]:
    """Validation prompts in batches."""
    parts = [rows[begin : begin + size] for begin in range(0, len(rows), size)]
    return [material(batch_of(part), number) for number, part in enumerate(parts)]
