"""A trajectory walked on the one sampler, and the way from dL/dz of a sample back to the parameters.

    x_{i+1} = A_i x_i + B_i o_i + C_i n_i      x̂0_i = P_i x_i + Q_i o_i      o_i = network(x_i)

Methods differ in which outputs o_i carry gradient (live steps), in whether the network's input is cut,
and in which sample is scored. i = 0 is the noisiest step. Where an output has no gradient in x_i, its noise estimate
is what is held (`StepTable.hold_noise`): x_{i+1} and x̂0_i move with x_i as under DDPM's ε, whatever the network predicts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import Noise, Sampler
from motionrft.finetune.kl_penalty import KLPenalty
from motionrft.finetune.objective import Objective, Score
from motionrft.finetune.reward_timestep import CLEAN, Level

HELD = ("noise", "output")  # what a step without gradient keeps constant in x: `Walk.holding`


class Lesson(Protocol):
    """What the loop learns from: scored, and its gradient added to the parameters'.

    step    the denoising step it is recorded under
    update  whether the optimiser steps after it
    """

    @property
    def step(self) -> int: ...

    @property
    def update(self) -> bool: ...

    def learn(self, objective: Objective) -> Score: ...


@dataclass(frozen=True)
class Sample:
    """One sample for the reward to score.

    z         [B, …] in the backbone's space
    step      the denoising step it came from
    next      [B, …] x_{step+1}, constant: where the trajectory goes on
    backward  takes dL/dz and adds dL/dtheta to the parameters' gradients
    level     the noise level the reward is told
    weight    factor on its loss
    update    whether the optimiser steps after it
    scored    False: z is a loss itself, the mean over the batch's rows, and no reward is asked
    """

    z: Tensor
    step: int
    next: Tensor
    backward: Callable[[Tensor], None]
    level: Level = CLEAN
    weight: float = 1.0
    update: bool = True
    scored: bool = True

    def learn(self, objective: Objective) -> Score:
        if self.scored:
            score = objective.score(self.z, self.level, self.weight)
        else:
            score = objective.itself(self.z)
        assert score.gradient is not None
        self.backward(score.gradient)
        return score


@dataclass(frozen=True)
class Walk:
    """One trajectory of a batch.

    levels       the reward's noise levels of x_0 … x_T
    rng          the draws of the method itself, apart from the noise's
    progress     how far training is, 0 to 1 (curriculum)
    activations  plain: the graph is kept; checkpoint: each live step is computed again on the way
                 back; exact: nothing is kept but x_i, and the gradient is walked back by hand
    reference    inside it the network has the weights that training began with (methods that need them)
    pretraining  the backbone's own loss on the batch's recorded motions; None where it has none
    frames       lengths of the motions as Python numbers, for methods that ask where a motion ends; empty: the condition's
    """

    sampler: Sampler
    condition: Condition
    noise: Noise
    levels: Sequence[Level]
    rng: random.Random
    progress: float = 0.0
    activations: str = "plain"
    kl: KLPenalty | None = None
    reference: Callable[[], AbstractContextManager[None]] | None = None
    pretraining: Callable[[], Tensor] | None = None
    frames: Sequence[int] = ()

    def holding(self, what: str) -> Walk:
        """This walk; with "output" its steps without gradient hold what the network says, be it x_0 or a velocity,
        instead of the noise estimate, as the released loops do."""
        if what == "noise":
            return self
        table = self.sampler.table
        return replace(self, sampler=self.sampler.on(replace(table, E=torch.zeros_like(table.E))))

    def run(
        self,
        last: int,
        live: Iterable[int],
        *,
        start: int = 0,
        x: Tensor | None = None,
        clean: bool = False,
        level: Level = CLEAN,
        cut_input: bool = False,
    ) -> Sample:
        """Steps `start … last` from x = x_start (x_T when None); the outputs of `live` steps carry gradient.

        clean      the sample is the clean estimate of step `last` instead of x_{last+1}
        level      the noise level of the sample
        cut_input  the network reads sg(x_i) (DRTune)
        """
        live, exact = frozenset(live), self.activations == "exact"
        inputs: dict[int, Tensor] = {}
        penalties: list[Tensor] = []
        steps = self.sampler.walk(
            self.condition,
            self.noise,
            start=start,
            stop=last + 1,
            x=x,
            live=live,
            cut_input=cut_input,
            recompute=self.activations == "checkpoint",
        )
        with torch.set_grad_enabled(not exact):
            for step in steps:
                if exact and step.i in live:
                    inputs[step.i] = step.x
                elif self.kl is not None and step.i in live:
                    penalties.append(self.kl(step.i, step.x, step.output, self.condition))
        z = step.clean if clean else step.next

        def backward(gradient: Tensor) -> None:
            if exact:
                self._walk_back(gradient, inputs, last, clean=clean, cut_input=cut_input)
            elif z.requires_grad:
                ones = [torch.ones_like(penalty) for penalty in penalties]
                torch.autograd.backward([z, *penalties], [gradient, *ones])

        return Sample(z, last, step.next.detach(), backward, level)

    def _walk_back(
        self,
        adjoint: Tensor,
        inputs: Mapping[int, Tensor],
        last: int,
        *,
        clean: bool,
        cut_input: bool,
    ) -> None:
        """EasyTune eq. 5 without a graph: one vector-Jacobian product for each live step i, at its input x_i.

        a_i = dL/dx_i obeys a_i = A_i a_{i+1} + J_i^T B_i a_{i+1}, with the network's J_i at live steps whose input
        is not cut, E_i (the noise estimate held) at the others; the parameters receive VJP_theta(o_i; B_i a_{i+1}).
        A clean end at j has P_j, Q_j for A, B.
        """
        table = self.sampler.table
        first = min(inputs, default=last + 1)
        for i in range(last, first - 1, -1):
            row = table[i]
            own, through = (row.P, row.Q) if clean and i == last else (row.A, row.B)
            held = cut_input or i not in inputs
            direct = (own + through * row.E if held else own) * adjoint
            if i in inputs:
                x = inputs[i].detach().requires_grad_(i > first and not cut_input)
                with torch.enable_grad():
                    output = self.sampler.output(i, x, self.condition)
                    ends = [output]
                    if self.kl is not None:
                        ends.append(self.kl(i, x, output, self.condition))
                torch.autograd.backward(
                    ends, [through * adjoint, *(torch.ones_like(penalty) for penalty in ends[1:])]
                )
                if x.grad is not None:
                    direct = direct + x.grad
            adjoint = direct
