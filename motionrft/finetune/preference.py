"""Preference optimisation of a denoiser: how much better it denoises the winner of a pair than the loser.

    d = |o*_t - o_theta(x_t)|^2 - |o*_t - o_ref(x_t)|^2            of the winner (w) and of the loser (l)
    loss = -log sigmoid(-(beta_w d_w - beta_l d_l))

x_t = s_t x0 + n_t eps at a drawn step of the sampler's own table, with the same eps for both of a pair; o* is what the
network ought to say there, in its own prediction. Squares are means over a motion's numbers, so that beta takes in the
factor T omega(lambda_t) of Diffusion-DPO (arXiv 2311.12908) eq. 14.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.diffusion.table import StepTable
from motionrft.finetune.cost import conditional_call
from motionrft.finetune.method import Asked, Method, require
from motionrft.finetune.objective import Objective, Score
from motionrft.finetune.policy_gradient import mean_over_motion, own_positions
from motionrft.finetune.trajectory import Walk


@dataclass(frozen=True)
class Pairs:
    """P pairs of clean samples in the backbone's space.

    winners, losers        [P, …]
    condition              of their captions
    beta_winner, beta_loser  [P]; a loser of weight 0 takes no part
    rewards                by dimension, of all that were scored for them
    """

    winners: Tensor
    losers: Tensor
    condition: Condition
    beta_winner: Tensor
    beta_loser: Tensor
    rewards: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.winners)


def preference_loss(
    winner: Tensor, loser: Tensor, beta_winner: Tensor | float, beta_loser: Tensor | float
) -> Tensor:
    """-log sigmoid(-(beta_w d_w - beta_l d_l)), [P]; winner, loser: d_w, d_l [P]."""
    return -F.logsigmoid(beta_loser * loser - beta_winner * winner)


def target(table: StepTable, i: int, x0: Tensor, noised: Tensor) -> Tensor:
    """The output o* whose clean estimate of `noised` is x0: x0 = P_i x + Q_i o*."""
    row = table[i]
    return (x0 - row.P * noised) / row.Q


@dataclass
class PairLesson:
    """One update: the loss of the pairs at each of the drawn `levels`, its graph gone before the next one's exists."""

    walk: Walk
    pairs_of: Callable[[Objective], Pairs]
    group: int
    levels: list[int]
    noises: list[int]
    step: int
    update: bool = True

    def learn(self, objective: Objective) -> Score:
        pairs = self.pairs_of(objective)
        total = torch.zeros((), dtype=torch.float64, device=pairs.winners.device)
        share = self.group / (objective.rows * len(self.levels))
        for i, number in zip(self.levels, self.noises, strict=True):
            loss = self.loss(pairs, i, self.walk.noise(number)[:: self.group]).sum() * share
            loss.backward()
            total += loss.detach()
        return Score.of(total, pairs.rewards)

    def loss(self, pairs: Pairs, i: int, eps: Tensor) -> Tensor:
        """[P] at step i of the sampler, with the network as it is conditioned, unguided. eps [P, …]."""
        walk, table = self.walk, self.walk.sampler.table
        assert walk.reference is not None
        x0 = torch.cat([pairs.winners, pairs.losers])
        both = pairs.condition.select(torch.arange(len(pairs), device=x0.device).repeat(2))
        x = float(table.signal[i]) * x0 + float(table.noise[i]) * torch.cat([eps, eps])
        wanted = target(table, i, x0, x)
        sampler = walk.sampler.conditional(rows=len(x0) / (len(pairs) * self.group))
        own = own_positions(walk, eps.repeat_interleave(self.group, 0))[:: self.group]
        own = torch.cat([own, own])
        with torch.enable_grad():
            error = mean_over_motion((wanted - sampler.output(i, x, both)).square(), own)
        with torch.no_grad(), walk.reference():
            before = mean_over_motion((wanted - sampler.output(i, x, both)).square(), own)
        with torch.enable_grad():
            winner, loser = (error - before).chunk(2)
            return preference_loss(winner, loser, pairs.beta_winner, pairs.beta_loser)


@dataclass(frozen=True)
class Preference(Method):
    """beta    how far the network may leave the pre-trained one
    group   samples of each prompt, of which pairs are made
    levels  steps at which an update denoises its pairs
    epochs  updates from each set of pairs, with levels and noise of their own
    """

    beta: float = 100.0
    group: int = 2
    levels: int = 4
    epochs: int = 1

    differentiates: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(self.beta > 0, f"{self.beta} prefers nothing", "beta", "use more than 0")
        require(self.group >= 2, f"{self.group} samples of a prompt", "group", "choose 2 or more")
        require(self.levels >= 1, f"{self.levels} steps", "levels", "choose 1 or more")
        require(self.epochs >= 1, f"{self.epochs} updates", "epochs", "choose 1 or more")

    def updates_per_trajectory(self) -> int:
        return self.epochs

    def most_live(self) -> int:
        return 1

    def asked(self, guided: bool) -> Asked:
        """The candidates; then winner and loser of each group at every level, by the model and by the pre-trained one."""
        call = 2 / self.group * conditional_call(guided)
        live = self.epochs * self.levels * call
        return Asked(self.steps + 2 * live, live, 1)

    @abstractmethod
    def candidates(self, walk: Walk) -> Tensor:
        """Clean samples [B, …], without gradient."""

    @abstractmethod
    def pairs(self, candidates: Tensor, walk: Walk, objective: Objective) -> Pairs:
        """Pairs from candidates that stand in groups, scored by the objective."""

    def samples(self, walk: Walk) -> Iterator[PairLesson]:
        candidates, found = self.candidates(walk), list[Pairs]()

        def pairs_of(objective: Objective) -> Pairs:
            if not found:
                with torch.no_grad():
                    found.append(self.pairs(candidates, walk, objective))
            return found[0]

        for epoch in range(self.epochs):
            levels = [walk.rng.randrange(self.steps) for _ in range(self.levels)]
            # beyond the numbers of the sampler's own noise
            noises = [self.steps + epoch * self.levels + n for n in range(self.levels)]
            yield PairLesson(walk, pairs_of, self.group, levels, noises, max(levels))
