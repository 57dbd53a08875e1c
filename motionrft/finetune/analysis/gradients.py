"""Gradient norm per denoising step, a single Jacobian against the product (the paper's Fig. 4).

J_i = A_i I + B_i do_i/dx is the Jacobian of step i. The chain's gradient at step i carries the product
J_{i+1}^T … J_{T-1}^T, the per-step gradient (EasyTune) does not. Norms are not normalised; the same with
each factor divided by sqrt(d) and by d stands beside them, since dividing alone makes a product vanish.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import Sampler
from motionrft.finetune.objective import Objective
from motionrft.finetune.setup import FineTuning

POWER_ITERATIONS = 10


def step_of(sampler: Sampler, i: int, condition: Condition, x: Tensor) -> Tensor:
    """x_{i+1} as a function of x_i, its noise left out (a constant)."""
    return sampler.table.advance(i, x, sampler.output(i, x, condition), None)


class Jacobian:
    """J of a function at x, a row of the batch each its own: products with it, of one evaluation."""

    def __init__(self, function: Callable[[Tensor], Tensor], x: Tensor) -> None:
        self.read = x.detach().requires_grad_()
        # fused attention has no second derivative
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            self.output = function(self.read)
            self.v = torch.zeros_like(self.output, requires_grad=True)
            (self.back,) = torch.autograd.grad(self.output, self.read, self.v, create_graph=True)

    def transposed(self, v: Tensor) -> Tensor:
        """J^T v."""
        product: Tensor = torch.autograd.grad(self.output, self.read, v, retain_graph=True)[0]
        return product

    def times(self, u: Tensor) -> Tensor:
        """J u, by differentiating J^T v with respect to v."""
        product: Tensor = torch.autograd.grad(self.back, self.v, u, retain_graph=True)[0]
        return product.detach()


def rows_norm(x: Tensor) -> Tensor:
    """Euclidean norm of each row [B]."""
    norms: Tensor = x.flatten(1).norm(dim=1)
    return norms


def unit(x: Tensor) -> Tensor:
    return x / rows_norm(x).clamp_min(1e-30).reshape(-1, *[1] * (x.dim() - 1))


def jacobian_norms(
    jacobian: Jacobian, probes: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """||J||_F / sqrt(d) by random probes, and the spectral norm by power iterations; [B] each."""
    x = jacobian.read.detach()
    squares = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for _ in range(probes):
        squares += rows_norm(jacobian.transposed(_normal(x, generator))) ** 2
    u = unit(_normal(x, generator))
    for _ in range(POWER_ITERATIONS):
        u = unit(jacobian.transposed(unit(jacobian.times(u))))
    return (squares / probes / x[0].numel()).sqrt(), rows_norm(jacobian.times(u))


@torch.no_grad()
def gradient_norms(
    sampler: Sampler,
    objective: Objective,
    parameters: Sequence[Tensor],
    *,
    probes: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Of the objective's batch. Tidy: step, name, row (-1: the whole batch), value.

    jacobian, spectral            of one step's Jacobian
    product_reward, product_random   norm of the running product from the clean end, started from the
                                  normalised reward gradient and from a random unit vector: the factor that
                                  step i's own term carries in the chain
    product_over_sqrt_d, product_over_d   the same with every factor so divided
    direct                        ||J_theta(x_{i+1})^T dL/dx_{i+1}|| inside the full chain
    easytune_x0, easytune_next    the per-step gradients; cosine_* with the full chain's gradient
    """
    condition, noise = objective.batch.condition, objective.batch.noise()
    generator = torch.Generator().manual_seed(seed)
    steps = list(sampler.walk(condition, noise))
    records: list[tuple[int, str, int, float]] = []

    def note(i: int, name: str, values: Tensor) -> None:
        values = values.reshape(-1)
        row = -1 if len(values) == 1 else 0
        records.extend((i, name, row + n, float(value)) for n, value in enumerate(values))

    def reward_gradient(z: Tensor) -> Tensor:
        gradient = objective.score(z).gradient
        assert gradient is not None
        return gradient

    final = reward_gradient(steps[-1].next)
    adjoint, random_unit = final, unit(_normal(final, generator))
    size = rows_norm(final).clamp_min(1e-30)
    direct: list[Tensor] = [torch.empty(0)] * len(steps)
    dimension = final[0].numel()
    for step in reversed(steps):
        i, after = step.i, len(steps) - 1 - step.i
        ratio = rows_norm(adjoint) / size
        note(i, "product_reward", ratio)
        note(i, "product_random", rows_norm(random_unit))
        note(i, "product_over_sqrt_d", ratio / dimension ** (after / 2))
        note(i, "product_over_d", ratio / float(dimension) ** after)
        direct[i] = _parameter_gradient(
            sampler, i, condition, step.x, sampler.table[i].B * adjoint, parameters
        )
        note(i, "direct", direct[i].norm())
        jacobian = Jacobian(partial(step_of, sampler, i, condition), step.x)
        single, spectral = jacobian_norms(jacobian, probes, generator)
        note(i, "jacobian", single)
        note(i, "spectral", spectral)
        adjoint = jacobian.transposed(adjoint)
        random_unit = jacobian.transposed(random_unit)
        del jacobian  # its graph, before there is the next
    chain = torch.stack(direct).sum(0)
    for step in steps:
        i, row = step.i, sampler.table[step.i]
        for name, factor, z in (("x0", row.Q, step.clean), ("next", row.B, step.next)):
            v = factor * reward_gradient(z)
            alone = _parameter_gradient(sampler, i, condition, step.x, v, parameters)
            note(i, f"easytune_{name}", alone.norm())
            note(i, f"cosine_{name}", F.cosine_similarity(alone, chain, dim=0))
        note(i, "cosine_direct", F.cosine_similarity(direct[i], chain, dim=0))
    return pd.DataFrame(records, columns=["step", "name", "row", "value"])


def _parameter_gradient(
    sampler: Sampler,
    i: int,
    condition: Condition,
    x: Tensor,
    v: Tensor,
    parameters: Sequence[Tensor],
) -> Tensor:
    """VJP_theta(o_i; v), flat."""
    with torch.enable_grad():
        output = sampler.output(i, x.detach(), condition)
        gradients = torch.autograd.grad(
            output, parameters, v, allow_unused=True, materialize_grads=True
        )
    return torch.cat([gradient.flatten() for gradient in gradients])


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


def gradients(tuning: FineTuning) -> pd.DataFrame:
    """On the first batch, with the configured guidance and without: column `guidance`."""
    objective = tuning.objective(tuning.batch(0))
    frames = []
    for guidance in sorted({1.0, tuning.sampler.guidance}):
        sampler = copy.copy(tuning.sampler)
        sampler.guidance = guidance
        frame = gradient_norms(sampler, objective, tuning.trained)
        frames.append(frame.assign(guidance=guidance))
    return pd.concat(frames, ignore_index=True)


ANALYSIS = gradients
