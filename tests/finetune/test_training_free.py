"""Best-of-n and reward guidance: nothing trained, and nothing else changed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError
from motionrft.finetune.batch import candidate_seed
from motionrft.finetune.method_options import read_method
from motionrft.finetune.methods.best_of_n import BestOfN
from motionrft.finetune.methods.reward_guidance import RewardGuidance, step_weights
from motionrft.finetune.reward_timestep import CLEAN
from tests.same import assert_same

from .toy_run import METHODS, SAMPLERS, prompts, toy_run


def ready(sampler="ddpm"):
    run = toy_run(METHODS["draft"], {"updates": 1}, sampler=sampler)
    return run, prompts(0)


def sampled(run, method, batch):
    objective = run.objective(batch)
    with torch.no_grad():
        return method.sample(run.sampler, run.levels, objective), objective


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_best_of_one_is_the_base(sampler):
    run, batch = ready(sampler)
    z, objective = sampled(run, BestOfN(5, n=1), batch)
    assert torch.equal(z, run.sampler.sample(batch.condition, batch.noise()))
    assert objective.scorings == 0


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("form", ["one_step", "noise_aware"])
def test_guidance_of_strength_zero_is_plain_sampling(sampler, form):
    run, batch = ready(sampler)
    z, _ = sampled(run, RewardGuidance(5, strength=0.0, form=form), batch)
    assert_same(z, run.sampler.sample(batch.condition, batch.noise()).detach())
    steered, _ = sampled(run, RewardGuidance(5, strength=0.5, form=form), batch)
    assert not torch.equal(z, steered)


def test_the_best_of_n_is_the_best_of_the_n_that_can_be_drawn_alone():
    run, batch = ready()
    z, objective = sampled(run, BestOfN(5, n=4), batch)
    assert objective.scorings == 4
    drawn = []
    for k in range(4):
        seeds = [candidate_seed(seed, k) for seed in batch.seeds]
        drawn.append(run.sampler.sample(batch.condition, replace(batch, seeds=seeds).noise()))
    rewards = torch.stack([run.objective(batch).rewards(x)["total"] for x in drawn])
    picked = rewards.argmax(0)
    assert len(picked.unique()) > 1
    for row, k in enumerate(picked):
        assert torch.equal(z[row], drawn[k][row])


def test_a_larger_n_is_never_worse():
    run, batch = ready()
    rewards = [
        run.objective(batch).rewards(sampled(run, BestOfN(5, n=n), batch)[0])["total"]
        for n in (1, 2, 4, 8)
    ]
    for fewer, more in itertools.pairwise(rewards):
        assert (more >= fewer).all()
    assert (rewards[-1] > rewards[0]).any()


def test_a_reward_that_is_no_number_is_never_the_best():
    run, batch = ready()
    poisoned = run.reward

    class Sometimes(type(poisoned)):
        def forward(self, *args):
            values = super().forward(*args)
            if len(self.seen) == 1:
                values["total"] = values["total"] * float("nan")
            return values

    poisoned.__class__ = Sometimes
    z, _ = sampled(run, BestOfN(5, n=2), batch)
    seeds = [candidate_seed(seed, 1) for seed in batch.seeds]
    assert torch.equal(z, run.sampler.sample(batch.condition, replace(batch, seeds=seeds).noise()))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("form", ["one_step", "noise_aware"])
def test_guidance_raises_the_reward(sampler, form):
    run, batch = ready(sampler)
    plain, _ = sampled(run, RewardGuidance(5, strength=0.0, form=form), batch)
    steered, _ = sampled(run, RewardGuidance(5, strength=0.3, form=form), batch)
    before, after = (run.objective(batch).rewards(z)["total"].mean() for z in (plain, steered))
    assert after > before


def test_guidance_counts_what_it_calls():
    run, batch = ready("ddim")
    _, objective = sampled(run, RewardGuidance(5, strength=0.3), batch)
    meter = run.sampler.meter
    assert (meter.forwards, meter.backwards, objective.scorings) == (5, 5, 5)


def test_the_weight_of_a_step_is_the_variance_of_the_forward_process():
    """Fresh noise of variance w_i turns x_{i+1} = s_{i+1} x0 + n_{i+1} eps, scaled, into x_i."""
    for prediction, settings in SAMPLERS.values():
        table = step_table(settings, prediction)
        full = replace_noise(table)
        for i, weight in enumerate(step_weights(full)):
            ratio = float(table.signal[i] / table.signal[i + 1])
            later = ratio * float(table.noise[i + 1])
            assert later**2 + weight == pytest.approx(float(table.noise[i]) ** 2, abs=1e-12)
            assert weight >= 0
        halved = step_weights(StepTable(**{**vars_of(full), "C": torch.zeros_like(full.C)}))
        assert halved == pytest.approx([weight / 2 for weight in step_weights(full)])


def vars_of(table: StepTable) -> dict:
    names = ("A", "B", "C", "P", "Q", "E", "t_model", "signal", "noise")
    return {name: getattr(table, name) for name in names}


def replace_noise(table: StepTable) -> StepTable:
    return StepTable(**{**vars_of(table), "C": torch.ones_like(table.C)})


def test_guided_samples_of_a_gaussian_are_those_of_the_tilted_one():
    """x0 ~ N(0, 1), R = b x0: exp(R) tilts p(x0) to N(b, 1). The exact denoiser, guided, moves its samples by b as
    the steps of the ODE get smaller (Euler's first order, and a logarithm at the noisy end)."""
    errors = [1.5 - tilted_by(1.5, steps) for steps in (250, 500, 1000)]
    for coarse, fine in itertools.pairwise(errors):
        assert 1.6 < coarse / fine < 2.0
    assert 0 < errors[-1] < 0.02 * 1.5


def tilted_by(b, steps, rows=16):
    """How far guidance moves the samples of an exact model."""
    table = step_table(
        {"kind": "ddim", "steps": steps, "schedule": {"beta_schedule": "squaredcos_cap_v2"}},
        "epsilon",
    )

    class Exact:
        """E[eps | x] of x = s x0 + n eps with s^2 + n^2 = 1."""

        def guided(self, x, t, condition, scale):
            return table.noise[self.level] * x

        def parameters(self):
            return iter(())

    class Counted(Sampler):
        def output(self, i, x, condition):
            self.denoiser.level = i
            return super().output(i, x, condition)

    class Linear:
        rows = 1
        scorings = 0

        def __init__(self, batch):
            self.batch = batch

        def score(self, z, level):
            class Found:
                gradient = torch.full_like(z, -b)

            return Found

    class Batch:
        condition = None

        def noise(self):
            class Fixed:
                start = torch.linspace(-2, 2, rows, dtype=torch.float64)[:, None]

            return Fixed()

    sampler = Counted(Exact(), table, 1.0)
    method = RewardGuidance(steps, strength=1.0)
    steered = method.sample(sampler, [CLEAN] * (steps + 1), Linear(Batch()))
    plain = RewardGuidance(steps, strength=0.0).sample(
        sampler, [CLEAN] * (steps + 1), Linear(Batch())
    )
    assert (steered - plain).std().item() < 1e-9
    return (steered - plain).mean().item()


def test_they_train_nothing():
    run, batch = ready()
    with pytest.raises(InputError, match="evaluate"):
        next(iter(BestOfN(5).samples(run.walk(batch, 0))), None)


def test_they_are_read_from_their_files():
    method = read_method(
        {"family": "reward_guidance", "options": {"strength": 2}}, 5, "noise_aware"
    )
    assert (method.strength, method.form, method.trains) == (2, "noise_aware", False)
    for bad in (lambda: BestOfN(5, n=0), lambda: RewardGuidance(5, strength=-1.0)):
        with pytest.raises(InputError):
            bad()
