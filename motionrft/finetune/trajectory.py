"""One walk, its scored point, and the way back from dL/dz to the parameters, in three exact forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from motionrft.finetune.method import Rollout


@dataclass(frozen=True)
class Plan:
    """Steps `start … last`; the outputs of `live` steps carry gradient.

    clean      score the clean estimate of the last step instead of x_{last+1}
    cut_input  the network reads sg(x_i) (DRTune)
    """

    live: frozenset[int]
    last: int
    clean: bool = False
    cut_input: bool = False
    start: int = 0


@dataclass(frozen=True)
class Point:
    """z: the scored sample; following: x_{last+1}, constant; pull: dL/dz -> parameter gradients."""

    z: Tensor
    following: Tensor
    pull: Callable[[Tensor], None]


def follow(rollout: Rollout, plan: Plan, x: Tensor | None = None) -> Point:
    """Walks the plan from x (x_start; the noise's start when None)."""
    if rollout.activations == "exact":
        return _recomputing(rollout, plan, x)
    walk = rollout.sampler.walk(
        rollout.condition,
        rollout.noise,
        start=plan.start,
        stop=plan.last + 1,
        x=x,
        live=plan.live,
        cut_input=plan.cut_input,
        recompute=rollout.activations == "checkpoint",
    )
    penalties = []
    with torch.enable_grad():
        for step in walk:
            if rollout.anchor is not None and step.i in plan.live:
                penalties.append(
                    rollout.anchor.penalty(step.i, step.x, step.output, rollout.condition)
                )
    z = step.clean if plan.clean else step.next

    def pull(gradient: Tensor) -> None:
        if z.requires_grad:
            ends = [z, *penalties]
            torch.autograd.backward(ends, [gradient, *(torch.ones_like(end) for end in penalties)])

    return Point(z, step.next.detach(), pull)


def _recomputing(rollout: Rollout, plan: Plan, x: Tensor | None) -> Point:
    """No graph on the way there; on the way back one vector-Jacobian product a live step.

    a_i = dL/dx_i obeys a_i = A_i a_{i+1} + J_i^T B_i a_{i+1}, the second term for live steps whose input
    is not cut; the parameters receive VJP_theta(o_i; B_i a_{i+1}). A clean end at j has P_j, Q_j for A, B.
    """
    sampler, condition, table = rollout.sampler, rollout.condition, rollout.sampler.table
    kept: dict[int, Tensor] = {}
    with torch.no_grad():
        for step in sampler.walk(
            condition, rollout.noise, start=plan.start, stop=plan.last + 1, x=x
        ):
            if step.i in plan.live:
                kept[step.i] = step.x
    z = step.clean if plan.clean else step.next
    following = step.next

    def pull(gradient: Tensor) -> None:
        first = min(kept, default=plan.last + 1)
        adjoint = gradient
        for i in range(plan.last, first - 1, -1):
            end = plan.clean and i == plan.last
            direct = float(table.P[i] if end else table.A[i]) * adjoint
            if i in kept:
                inner = i > first and not plan.cut_input
                read = kept[i].detach().requires_grad_(inner)
                with torch.enable_grad():
                    output = sampler.output(i, read, condition)
                    ends = [output]
                    if rollout.anchor is not None:
                        ends.append(rollout.anchor.penalty(i, read, output, condition))
                through = float(table.Q[i] if end else table.B[i]) * adjoint
                torch.autograd.backward(
                    ends, [through, *(torch.ones_like(end) for end in ends[1:])]
                )
                if read.grad is not None:
                    direct = direct + read.grad
            adjoint = direct

    return Point(z, following, pull)
