"""Policy gradients on a sampler that draws noise: denoising is a decision process, each step a Gaussian policy.

    x_{i+1} ~ N(A_i x_i + B_i o_i, C_i^2)      ratio_i = p_theta(x_{i+1} | x_i) / p_old(x_{i+1} | x_i)
    loss = -mean over rows and steps of w_i min(ratio_i A, clip(ratio_i, 1 - c, 1 + c) A)

A is the row's advantage within the group of samples of its prompt; a reward is asked for its value alone. Every step
must draw noise: a step without any has no term, although the network that it asks is the one that learns, so that what
is left is not the gradient of the expected reward (`motionrft.diffusion.noised.at_least`). DDPO (arXiv 2305.13301)
section 4.3; Flow-GRPO (arXiv 2505.05470) eq. 4 and 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from motionrft.diffusion.casts import copied_once
from motionrft.diffusion.noised import at_least
from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError
from motionrft.finetune.method import Asked, Method, require, require_one_of
from motionrft.finetune.objective import Objective, Score
from motionrft.finetune.trajectory import Walk

LEAST_DEVIATION = 1e-4  # of a group's rewards, as in both released codes
WEIGHTS = ("equal", "noise")


def advantages(rewards: Tensor, group: int) -> Tensor:
    """(r - mean) / (deviation + 1e-4) within each group of `group` rows in a row, [B] -> [B].

    Flow-GRPO eq. 4; DDPO's normalisation of rewards by prompt (section 4.3).
    """
    grouped = rewards.view(-1, group)
    centred = grouped - grouped.mean(1, keepdim=True)
    deviation = grouped.std(1, correction=0, keepdim=True)
    return (centred / (deviation + LEAST_DEVIATION)).flatten()


def step_weights(table: StepTable, kind: str) -> list[float]:
    """w_i with a mean of 1 over the steps of a table whose every step draws noise.

    equal  the gradient of the expected reward
    noise  in proportion to C_i / |B_i|: with respect to the network's output every step's term then has the same
           variance, as it nearly has where the network predicts the noise. Where it predicts the clean sample,
           |B_i| / C_i grows from 0.3 to 20 and more along the way, and the sum is all noise of the last steps. Weights
           by noise level: TempFlow-GRPO (arXiv 2508.04324), there C_i
    """
    if kind == "equal":
        return [1.0] * len(table)
    weights = table.C / table.B.abs()
    return [float(weight) for weight in weights / weights.mean()]


def own_positions(walk: Walk, x: Tensor) -> Tensor:
    """1 where x [B, n, …] belongs to the motion, 0 in the padding after it; shape [B, n, 1, …]."""
    if x.dim() < 3:
        return x.new_ones(len(x), 1)
    frames = walk.frames or walk.condition.lengths.tolist()
    widths = torch.tensor([walk.sampler.denoiser.width(count) for count in frames], device=x.device)
    places = torch.arange(x.shape[1], device=x.device)
    return (places[None] < widths[:, None]).to(x.dtype).view(*x.shape[:2], *[1] * (x.dim() - 2))


def mean_over_motion(values: Tensor, own: Tensor) -> Tensor:
    """Of values [B, n, …] the mean over the places that belong to each motion, [B]."""
    own = own.expand_as(values).flatten(1)
    return (values.flatten(1) * own).sum(1) / own.sum(1)


@dataclass
class Rollout:
    """One trajectory of a batch, walked without gradient, as a sequence of decisions.

    states    x_0 … x_T, each [B, …]
    log_probs by step, [B]: log p(x_{i+1} | x_i) of the weights it was walked with, up to a constant and divided by
              the numbers that a motion has (as both released codes have it: the ratio of a whole motion would
              leave every clipping range)
    """

    walk: Walk
    states: list[Tensor]
    log_probs: dict[int, Tensor]
    rewards: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    @torch.no_grad()
    def of(cls, walk: Walk) -> Rollout:
        rollout = cls(walk, [walk.noise.start], {})
        with copied_once(walk.noise.start.device):
            for step in walk.sampler.walk(walk.condition, walk.noise):
                rollout.states.append(step.next)
                rollout.log_probs[step.i] = rollout.log_prob(step.i, step.output)
        return rollout

    def log_prob(self, i: int, output: Tensor) -> Tensor:
        """[B], differentiable in the network's output at step i."""
        row, x = self.walk.sampler.table[i], self.states[i]
        residual = (self.states[i + 1] - row.A * x - row.B * output) / row.C
        return mean_over_motion(-0.5 * residual.square(), own_positions(self.walk, x))

    def scored(self, objective: Objective) -> dict[str, Tensor]:
        """The final sample's reward [B] by dimension; it is asked for once."""
        if not self.rewards:
            self.rewards = objective.rewards(self.states[-1])
        return self.rewards

    def divergence(self, i: int, output: Tensor) -> Tensor:
        """KL(p_theta || p_ref) of step i, [B]: B_i^2 |o - o_ref|^2 / (2 C_i^2), a mean as `log_prob` (Flow-GRPO section 4.2)."""
        walk, x = self.walk, self.states[i]
        assert walk.kl is not None
        row = walk.sampler.table[i]
        shift = row.B / row.C * (output - walk.kl.pretrained(i, x, walk.condition))
        return mean_over_motion(0.5 * shift.square(), own_positions(walk, x))


@dataclass(frozen=True)
class PolicyLesson:
    """One update from a rollout: every step's term, its graph gone before the next one's exists."""

    rollout: Rollout
    group: int
    clip: float
    step: int
    weights: str = "equal"
    update: bool = True

    def learn(self, objective: Objective) -> Score:
        values = self.rollout.scored(objective)
        loss = self.backward(advantages(values["total"], self.group), objective.rows)
        return Score.of(loss, values)

    def backward(self, advantage: Tensor, rows: int) -> Tensor:
        """The loss []; its gradient is added to the parameters'. advantage [B]; rows: of the whole batch."""
        rollout, walk = self.rollout, self.rollout.walk
        total = advantage.new_zeros((), dtype=torch.float64)
        share = 1 / (rows * len(rollout.log_probs))
        weights = step_weights(walk.sampler.table, self.weights)
        for i, old in rollout.log_probs.items():
            with torch.enable_grad():
                output = walk.sampler.output(i, rollout.states[i], walk.condition)
                ratio = (rollout.log_prob(i, output) - old).exp()
                clipped = ratio.clamp(1 - self.clip, 1 + self.clip)
                gain = torch.minimum(ratio * advantage, clipped * advantage).sum()
                loss = -weights[i] * share * gain
                if walk.kl is not None:
                    # the walk's weight is its slice's share already
                    divergence = rollout.divergence(i, output).mean()
                    loss = loss + walk.kl.weight * divergence / len(rollout.log_probs)
                loss.backward()
            total += loss.detach()
        return total


@dataclass(frozen=True)
class PolicyGradient(Method):
    """group        samples of each prompt, which are compared with each other
    clip         c: an update leaves alone what is already that much likelier or less likely
    epochs       updates from each trajectory
    least_noise  deviation that every step of a training trajectory draws at least, the last one too
    weights      of the steps: equal | noise (`step_weights`)
    """

    group: int = 8
    clip: float = 1e-4
    epochs: int = 1
    least_noise: float = 0.1
    weights: str = "equal"

    differentiates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.group >= 2, f"{self.group} samples of a prompt", "group", "choose 2 or more")
        require(self.clip > 0, f"{self.clip} lets nothing be learnt", "clip", "use more than 0")
        require(self.epochs >= 1, f"{self.epochs} updates", "epochs", "choose 1 or more")
        problem = f"{self.least_noise} leaves steps that decide nothing"
        require(self.least_noise > 0, problem, "least_noise", "use more than 0")
        require_one_of(WEIGHTS, self.weights, "weights")

    def stochastic(self, table: StepTable) -> StepTable:
        """The table with noise at its steps, of the same marginals."""
        return table

    def explored(self, table: StepTable) -> StepTable:
        """The table that trajectories of training are walked on: every step decides."""
        return at_least(self.stochastic(table), self.least_noise)

    def check(self, table: StepTable) -> None:
        if not self.stochastic(table).stochastic:
            raise InputError(
                "the sampler draws no noise at any step: there is no decision to learn",
                where="method",
                field="family",
                fix="use flow-grpo on ddim and flow samplers, or sample in more than one step",
            )

    def updates_per_trajectory(self) -> int:
        return self.epochs

    def most_live(self) -> int:
        return 1

    def asked(self, guided: bool) -> Asked:
        """The rollout, then every step of it once an update."""
        del guided
        live = self.epochs * self.steps
        return Asked(self.steps + live, live, 1, states=self.steps + 1)

    def samples(self, walk: Walk) -> Iterator[PolicyLesson]:
        table = self.explored(walk.sampler.table)
        rollout = Rollout.of(replace(walk, sampler=walk.sampler.on(table)))
        for _ in range(self.epochs):
            yield PolicyLesson(rollout, self.group, self.clip, self.steps - 1, self.weights)
