"""The analyses on models whose answer is known in closed form."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.finetune.analysis.gradients import gradient_norms, pulled, pushed
from motionrft.finetune.analysis.memory import footprint
from motionrft.finetune.analysis.similarity import noised_similarity
from motionrft.finetune.batch import Material
from motionrft.finetune.objective import Objective
from motionrft.finetune.reward_timestep import Level, reward_levels
from motionrft.finetune.settings import Loss
from motionrft.text.features import TextBatch

from .toy_course import METHODS, Network, Reward, course, material

MLD = {
    "kind": "ddim",
    "steps": 50,
    "schedule": {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "steps_offset": 1,
        "set_alpha_to_one": False,
    },
}


class DoubleMaterial(Material):
    """Noise and captions in double precision."""

    @classmethod
    def of(cls, single: Material) -> DoubleMaterial:
        text = single.prompts.text
        double = TextBatch(text.pooled.double(), text.tokens, text.mask, text.eos)
        return cls(**vars(single) | {"prompts": replace(single.prompts, text=double)})

    def noise(self) -> Any:
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

    def to_features(self, x: Tensor, lengths: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(("s", "expected"), [(0.1, 0.086), (1.0, 0.974), (3.0, 2.87)])
def test_the_product_of_jacobians_of_exact_gaussian_denoisers(s, expected):
    table = step_table(MLD, "epsilon")
    network, reward = Gaussian(table, s).double(), Reward().double()
    batch, sampler = DoubleMaterial.of(material(0, 3)), Sampler(network, table, 1.0)
    objective = Objective(network, reward, [Level(0)] * 51, Loss())
    frame = gradient_norms(sampler, objective, batch, [network.bias], probes=2)
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


def test_pushed_and_pulled_are_the_jacobian_and_its_transpose():
    matrix = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        return torch.tanh(x @ matrix.T)

    x, u = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for row in range(2):
        jacobian = torch.autograd.functional.jacobian(function, x[row])
        torch.testing.assert_close(pushed(function, x, u)[row], jacobian @ u[row])
        torch.testing.assert_close(pulled(function, x, u)[row], jacobian.T @ u[row])


def test_noised_similarity_of_white_data_follows_the_signal():
    table = step_table({**MLD, "steps": 30}, "epsilon")
    network, reward = Network(), Reward()
    network.to_features = lambda x, lengths: x
    rows = 12
    batch = material(0, rows)
    features = torch.randn(rows, 600, 4, generator=torch.Generator().manual_seed(3))
    lengths = torch.full((rows,), 600)
    levels = reward_levels(table, reward.alphas, 500, rescale=True)

    class WithM2M(Reward):
        def forward(self, features, lengths, ctx, t):
            return {"m2m": t.float()}

    frame = noised_similarity(
        network,
        Sampler(network, table, 1.0),
        WithM2M(),
        levels,
        Batch(features, lengths, [""] * rows, [""] * rows),
        batch,
    )
    raw = (
        frame[(frame["what"] == "noised") & (frame["name"] == "cosine")]
        .groupby("step")["value"]
        .mean()
    )
    assert len(raw) == 16
    np.testing.assert_allclose(raw, [float(table.signal[i]) for i in raw.index], atol=0.02)
    half = (
        frame[(frame["what"] == "noised") & (frame["name"] == "half_cosine")]
        .groupby("step")["value"]
        .mean()
    )
    np.testing.assert_allclose(half, (1 + raw) / 2)
    told = (
        frame[(frame["what"] == "noised") & (frame["name"] == "embedding")]
        .groupby("step")["value"]
        .mean()
    )
    assert list(told) == [levels[i].t for i in told.index]
    assert (frame[frame["what"] == "one_step"]["step"] < 30).all()


def test_footprints_rise_for_draft_and_stay_level_for_easytune():
    held = {}
    for method in ("draft", "easytune"):
        frame = footprint(course(METHODS[method], {"updates": 1}))
        held[method] = frame[frame["phase"] == "denoise"].set_index("step")["bytes"]
        assert set(frame["phase"]) == {"denoise", "score", "pull"}
    live = list(held["draft"][[2, 3, 4]])
    assert held["draft"][[0, 1]].max() == 0
    assert live[0] > 0
    assert live[1] - live[0] == pytest.approx(live[0], rel=0.1)
    assert live[2] - live[1] == live[1] - live[0]
    assert held["easytune"][3] == held["easytune"][4]
