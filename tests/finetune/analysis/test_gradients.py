"""Gradient norms of models whose Jacobians are known in closed form."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.finetune.analysis.gradients import (
    Jacobian,
    gradient_norms,
)
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.objective import Objective
from motionrft.finetune.settings import Loss
from motionrft.text.features import TextBatch

from ..toy_run import MLD, Network, Reward, prompts


class DoublePrompts(PromptBatch):
    """Noise and captions in double precision."""

    @classmethod
    def of(cls, single: PromptBatch) -> DoublePrompts:
        text = single.captions
        double = TextBatch(text.pooled.double(), text.tokens, text.mask, text.eos)
        return cls(**vars(single) | {"captions": double})

    def noise(self, device: Any = None) -> Any:
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(len(self), *self.shape, generator=generator, dtype=torch.float64)
        return SimpleNamespace(start=start)


class Gaussian(Network):
    """The exact noise prediction for data N(0, s^2): eps = sigma x / (abar s^2 + sigma^2)."""

    def __init__(self, table: Any, s: float):
        super().__init__()
        self.table, self.s = table, s
        self.bias = nn.Parameter(torch.zeros(4, dtype=torch.float64))

    def factor(self, i: int) -> float:
        abar, noise = float(self.table.signal[i]) ** 2, float(self.table.noise[i])
        return noise / (abar * self.s**2 + noise**2)

    def predict(self, x: Tensor, t: Tensor, condition: Any) -> Tensor:
        i = int((self.table.t_model - t[0]).abs().argmin())
        return self.factor(i) * x + self.bias

    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        return x


@pytest.mark.parametrize(("s", "expected"), [(0.1, 0.086), (1.0, 0.974), (3.0, 2.87)])
def test_the_product_of_jacobians_of_exact_gaussian_denoisers(s, expected):
    table = step_table(MLD, "epsilon")
    network, reward = Gaussian(table, s).double(), Reward().double()
    batch, sampler = DoublePrompts.of(prompts(0, 3)), Sampler(network, table, 1.0)
    objective = Objective(network, reward, batch, Loss())
    frame = gradient_norms(sampler, objective, [network.bias], probes=2)
    factors = np.array(
        [float(table.A[i]) + float(table.B[i]) * network.factor(i) for i in range(50)]
    )
    assert factors.prod() == pytest.approx(expected, rel=0.01)
    assert (factors.max() < 1.001) == (s <= 1.0)
    for name in ("product_reward", "product_random"):
        own = frame[frame["name"] == name].groupby("step")["value"].mean()
        np.testing.assert_allclose(own[0] * factors[0], factors.prod(), rtol=1e-9)
        np.testing.assert_allclose(own[48], factors[49], rtol=1e-9)
    spectral = frame[frame["name"] == "spectral"].groupby("step")["value"].mean()
    np.testing.assert_allclose(spectral, factors, rtol=1e-9)
    # dividing each factor by d makes the same product vanish
    shrunk = frame[(frame["name"] == "product_over_d") & (frame["step"] == 0)]["value"].max()
    assert shrunk < 1e-60
    # of a bias shared by all steps, the chain's terms and the last noise-aware gradient are known
    direct = frame[frame["name"] == "direct"].set_index("step")["value"].sort_index()
    tail = np.append(np.cumprod(factors[::-1])[::-1][1:], 1.0)
    np.testing.assert_allclose(
        direct / direct[49], np.abs(table.B.numpy() * tail) / abs(float(table.B[49])), rtol=1e-9
    )
    assert frame[frame["name"] == "cosine_direct"]["value"].abs().min() == pytest.approx(1.0)


def test_jacobian_vector_products_and_their_transpose():
    matrix = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        return torch.tanh(x @ matrix.T)

    x, u = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    products = Jacobian(function, x)
    for _ in range(2):  # of one evaluation, as many as are asked for
        times, transposed = products.times(u), products.transposed(u)
    for row in range(2):
        jacobian = torch.autograd.functional.jacobian(function, x[row])
        torch.testing.assert_close(times[row], jacobian @ u[row])
        torch.testing.assert_close(transposed[row], jacobian.T @ u[row])
