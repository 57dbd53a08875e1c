"""Policy gradients: their expectation is the gradient of the expected reward, exactly and by Monte Carlo."""

from __future__ import annotations

import itertools
import random
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError
from motionrft.finetune.kl_penalty import kl_to
from motionrft.finetune.loop import Training
from motionrft.finetune.methods.ddpo import DDPO
from motionrft.finetune.methods.flow_grpo import FlowGRPO
from motionrft.finetune.optimizer import weights_of_now
from motionrft.finetune.policy_gradient import (
    PolicyLesson,
    Rollout,
    advantages,
    own_positions,
    step_weights,
)
from motionrft.finetune.setup import check_method
from motionrft.finetune.trajectory import Walk
from motionrft.text.features import TextBatch
from reference.closed_form import ClosedForm
from reference.noise import RecordedNoise

from .toy_run import BY_VALUE, prompts, toy_run

DIM, STEPS, TIMES = 2, 2, (0.8, 0.3)


pytestmark = pytest.mark.usefixtures("float64")


def linear_gaussian():
    """A linear network on a two-step sampler that draws noise at both steps, and a quadratic reward (E, h)."""
    generator = torch.Generator().manual_seed(11)

    def draw(*shape):
        return 0.4 * torch.randn(*shape, generator=generator)

    weights = {name: draw(DIM, DIM) for name in ("W", "S", "U")} | {
        n: draw(DIM) for n in ("b", "v")
    }
    decode = (torch.eye(DIM), torch.zeros(DIM))
    backbone = ClosedForm(weights, torch.zeros(DIM), decode, 1.0)
    numbers = {"A": [0.7, 0.9], "B": [0.5, -0.6], "C": [0.6, 0.3], "P": [1.0, 1.0], "Q": [1.0, 1.0]}
    columns = {name: torch.tensor(values) for name, values in numbers.items()}
    columns["E"] = torch.zeros(STEPS)
    level = torch.full((STEPS + 1,), float("nan"))
    table = StepTable(**columns, t_model=torch.tensor(TIMES), signal=level, noise=level)
    return backbone, table, draw(DIM, DIM) + torch.eye(DIM), draw(DIM), draw(DIM)


def condition(c, rows):
    nothing = torch.zeros(rows, 1, 1)
    text = TextBatch(c.expand(rows, -1), nothing, nothing[..., 0].bool(), torch.zeros(rows).long())
    return Condition(text, torch.ones(rows).long(), torch.zeros(rows, dtype=torch.bool))


def expected_reward(backbone, table, E, h, c):
    """E[-1/2 |E x_T - h|^2] from the mean and covariance of x_T, differentiable in the weights."""
    w = backbone.weights
    mean, covariance = torch.zeros(DIM), torch.eye(DIM)
    for i, tau in enumerate(TIMES):
        slope = w["W"] + torch.diag(w["S"] @ c)
        offset = w["U"] @ c + w["b"] + tau * w["v"]
        M = table.A[i] * torch.eye(DIM) + table.B[i] * slope
        mean = M @ mean + table.B[i] * offset
        covariance = M @ covariance @ M.T + table.C[i] ** 2 * torch.eye(DIM)
    return -0.5 * ((E @ mean - h).square().sum() + (E @ covariance @ E.T).trace())


def analytic(backbone, *model):
    return flat(torch.autograd.grad(expected_reward(backbone, *model), list(backbone.parameters())))


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def walked(backbone, table, c, noises):
    """noises [rows, STEPS + 1, DIM]: x_0 and the noise of each step."""
    noise = RecordedNoise(noises[:, 0], noises[:, 1:].transpose(0, 1))
    sampler = Sampler(backbone, table, 1.0)
    return Walk(sampler, condition(c, len(noises)), noise, [], random.Random(0))


def rewards_of(E, h, x):
    return -0.5 * (x @ E.T - h).square().sum(1)


def score_gradient(backbone, table, E, h, c, noises, weights):
    """The method's own gradient for rewards that are no advantages yet, in units of the reward."""
    rollout = Rollout.of(walked(backbone, table, c, noises))
    lesson = PolicyLesson(rollout, 1, 0.1, STEPS - 1)
    for parameter in backbone.parameters():
        parameter.grad = None
    lesson.backward(weights * rewards_of(E, h, rollout.states[-1]), 1)
    # the loss is minus the mean over steps; log-probabilities are means over a motion's numbers
    return -STEPS * DIM * flat([parameter.grad for parameter in backbone.parameters()])


def quadrature():
    """Gauss-Hermite nodes [3^6, STEPS + 1, DIM] and weights: exact for polynomials of degree 5 in each number."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    number = (STEPS + 1) * DIM
    grid = torch.tensor(list(itertools.product(nodes, repeat=number)))
    mass = torch.tensor(list(itertools.product(weights / weights.sum(), repeat=number))).prod(1)
    return grid.view(-1, STEPS + 1, DIM), mass


def test_the_expected_policy_gradient_is_the_gradient_of_the_expected_reward():
    """Exactly: the integrand is a polynomial of degree 4 in each normal number, which the quadrature integrates."""
    backbone, table, *model = linear_gaussian()
    nodes, mass = quadrature()
    exact = analytic(backbone, table, *model)
    found = score_gradient(backbone, table, *model, nodes, mass)
    torch.testing.assert_close(found, exact, rtol=1e-10, atol=1e-12)


def test_so_is_the_reparameterised_gradient_and_a_baseline_changes_nothing():
    backbone, table, E, h, c = linear_gaussian()
    nodes, mass = quadrature()
    walk = walked(backbone, table, c, nodes)
    sample = walk.run(STEPS - 1, range(STEPS))
    pathwise = flat(
        torch.autograd.grad((mass * rewards_of(E, h, sample.z)).sum(), list(backbone.parameters()))
    )
    exact = analytic(backbone, table, E, h, c)
    torch.testing.assert_close(pathwise, exact, rtol=1e-10, atol=1e-12)
    # rewards less the expected one: the control variate, whose own gradient is zero
    rollout = Rollout.of(walk)
    baseline = float(expected_reward(backbone, table, E, h, c).detach())
    for parameter in backbone.parameters():
        parameter.grad = None
    centred = mass * (rewards_of(E, h, rollout.states[-1]) - baseline)
    PolicyLesson(rollout, 1, 0.1, STEPS - 1).backward(centred, 1)
    found = -STEPS * DIM * flat([parameter.grad for parameter in backbone.parameters()])
    torch.testing.assert_close(found, exact, rtol=1e-10, atol=1e-12)


def test_monte_carlo_is_within_its_interval_and_the_pathwise_control_variate_narrows_it():
    backbone, table, E, h, c = linear_gaussian()
    exact = analytic(backbone, table, E, h, c)
    generator = torch.Generator().manual_seed(2)
    estimates, differences = [], []
    for _ in range(60):
        noises = torch.randn(512, STEPS + 1, DIM, generator=generator)
        estimates.append(
            score_gradient(backbone, table, E, h, c, noises, torch.full((512,), 1 / 512))
        )
        sample = walked(backbone, table, c, noises).run(STEPS - 1, range(STEPS))
        mean = rewards_of(E, h, sample.z).mean()
        differences.append(flat(torch.autograd.grad(mean, list(backbone.parameters()))))
    estimates, pathwise = torch.stack(estimates), torch.stack(differences)
    error = estimates.std(0) / 60**0.5
    # 16 parameters: the largest of so many standard normal numbers is below 4 in 999 of 1000 draws
    assert ((estimates.mean(0) - exact).abs() < 4 * error).all()
    assert (error / exact.abs().max()).max() < 0.1
    assert ((pathwise.mean(0) - exact).abs() < 4 * pathwise.std(0) / 60**0.5).all()
    assert pathwise.std(0).mean() < 0.5 * estimates.std(0).mean()


def test_ratios_and_clipping_are_those_of_normal_distributions():
    backbone, table, _, _, c = linear_gaussian()
    noises = torch.randn(8, STEPS + 1, DIM, generator=torch.Generator().manual_seed(5))
    rollout = Rollout.of(walked(backbone, table, c, noises))
    old = {
        i: gaussian(backbone, table, rollout, i).log_prob(rollout.states[i + 1]).mean(1).detach()
        for i in range(STEPS)
    }
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.05)
    advantage = torch.linspace(-1, 1, 8)
    loss = 0.0
    for i in range(STEPS):
        new = gaussian(backbone, table, rollout, i).log_prob(rollout.states[i + 1]).mean(1)
        ratio = (new - old[i]).exp()
        assert (ratio > 1.02).any()
        assert (ratio < 0.98).any()
        unclipped, clipped = ratio * advantage, ratio.clamp(0.98, 1.02) * advantage
        loss = loss - torch.where(unclipped < clipped, unclipped, clipped).sum() / (8 * STEPS)
    expected = flat(torch.autograd.grad(loss, list(backbone.parameters())))
    for parameter in backbone.parameters():
        parameter.grad = None
    found = PolicyLesson(rollout, 1, 0.02, STEPS - 1).backward(advantage, 8)
    assert found == pytest.approx(loss.item())
    gradient = flat([parameter.grad for parameter in backbone.parameters()])
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-12)


def gaussian(backbone, table, rollout, i):
    walk, x = rollout.walk, rollout.states[i]
    row = table[i]
    mean = row.A * x + row.B * walk.sampler.output(i, x, walk.condition)
    return torch.distributions.Normal(mean, row.C)


def test_the_divergence_is_that_of_two_normal_distributions():
    backbone, table, _, _, c = linear_gaussian()
    noises = torch.randn(4, STEPS + 1, DIM, generator=torch.Generator().manual_seed(6))
    walk = walked(backbone, table, c, noises)
    reference = weights_of_now(list(backbone.parameters()))
    rollout = Rollout.of(replace(walk, kl=kl_to(1.0, walk.sampler, reference)))
    before = [gaussian(backbone, table, rollout, i) for i in range(STEPS)]
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.1)
    for i in range(STEPS):
        now = gaussian(backbone, table, rollout, i)
        expected = torch.distributions.kl_divergence(now, before[i]).mean(1)
        output = walk.sampler.output(i, rollout.states[i], walk.condition)
        torch.testing.assert_close(rollout.divergence(i, output), expected)


def test_advantages_are_relative_to_the_group():
    found = advantages(torch.tensor([1.0, 3.0, 5.0, 5.0]), 2)
    expected = torch.tensor([-1 / 1.0001, 1 / 1.0001, 0.0, 0.0])
    torch.testing.assert_close(found, expected)


def test_the_last_step_decides_too():
    """A sampler whose last step draws no noise. Its network's call has a term all the same: the policy gradient is the
    gradient of the sampler as it is, since noise at the end moves a quadratic reward by a constant. Without that term it
    is another vector."""
    backbone, table, *model = linear_gaussian()
    table = replace(table, C=torch.tensor([0.6, 0.0]))
    exact = analytic(backbone, table, *model)
    nodes, mass = quadrature()
    method = DDPO(STEPS, group=3, least_noise=0.3)
    rollout = next(method.samples(walked(backbone, table, model[-1], nodes))).rollout
    assert rollout.walk.sampler.table.C.tolist() == [0.6, 0.3]

    def found():
        for parameter in backbone.parameters():
            parameter.grad = None
        lesson = PolicyLesson(rollout, 1, 0.1, STEPS - 1)
        lesson.backward(mass * rewards_of(*model[:2], rollout.states[-1]), 1)
        steps = len(rollout.log_probs)
        return -steps * DIM * flat([parameter.grad for parameter in backbone.parameters()])

    torch.testing.assert_close(found(), exact, rtol=1e-10, atol=1e-12)
    del rollout.log_probs[1]
    assert torch.cosine_similarity(found(), exact, 0) < 0.9


@pytest.mark.parametrize(
    ("name", "sampler"),
    [("ddpo", "ddpm"), ("flow-grpo", "ddim"), ("flow-grpo", "flow")],
)
def test_every_step_of_every_sampler_decides(name, sampler):
    torch.set_default_dtype(torch.float32)
    run = toy_run(BY_VALUE[name][0], {"updates": 1}, sampler=sampler)
    rollout = next(run.method.samples(run.walk(run.batch(0), 0))).rollout
    assert list(rollout.log_probs) == list(range(len(run.sampler)))
    assert float(rollout.walk.sampler.table.C.min()) >= run.method.least_noise


@pytest.mark.parametrize("sampler", ["ddpm", "flow"])
def test_the_first_update_has_a_ratio_of_one(sampler):
    """To the bit, with guidance, so that no clipping range cuts it."""
    torch.set_default_dtype(torch.float32)
    run = toy_run(
        BY_VALUE["ddpo" if sampler == "ddpm" else "flow-grpo"][0], {"updates": 1}, sampler
    )
    rollout = next(run.method.samples(run.walk(run.batch(0), 0))).rollout
    for i, before in rollout.log_probs.items():
        output = rollout.walk.sampler.output(i, rollout.states[i], rollout.walk.condition)
        assert output.requires_grad
        assert torch.equal(rollout.log_prob(i, output), before)


def test_weights_by_noise_even_out_the_terms():
    """The gradient of step i with respect to the output is w_i B_i / C_i times standard normal numbers."""
    _, table, *_ = linear_gaussian()
    assert step_weights(table, "equal") == [1.0, 1.0]
    weights = step_weights(table, "noise")
    assert sum(weights) == pytest.approx(STEPS)
    scales = [w * abs(float(b / c)) for w, b, c in zip(weights, table.B, table.C, strict=True)]
    assert scales[0] == pytest.approx(scales[1])


def test_weights_count_the_terms_of_their_steps():
    backbone, table, *model = linear_gaussian()
    nodes, mass = quadrature()
    rollout = Rollout.of(walked(backbone, table, model[-1], nodes))
    values = mass * rewards_of(*model[:2], rollout.states[-1])

    def found(chosen, weights):
        for parameter in backbone.parameters():
            parameter.grad = None
        part = Rollout(rollout.walk, rollout.states, {i: rollout.log_probs[i] for i in chosen})
        PolicyLesson(part, 1, 0.1, STEPS - 1, weights).backward(values, 1)
        return len(chosen) * flat([parameter.grad for parameter in backbone.parameters()])

    by_noise = step_weights(table, "noise")
    summed = sum(weight * found([i], "equal") for i, weight in enumerate(by_noise))
    torch.testing.assert_close(found(range(STEPS), "noise"), summed, rtol=1e-12, atol=1e-14)


def test_dropout_would_make_another_policy():
    torch.set_default_dtype(torch.float32)
    for name in ("ddpo", "dpo"):
        run = toy_run(BY_VALUE[name][0], {"updates": 1}, sampler="ddpm")
        dropout = replace(run.settings, train_dropout=True)
        refused = pytest.raises(InputError, match="dropout") if name == "ddpo" else nullcontext()
        with refused:
            check_method(run.method, {"family": name}, run.sampler.table, dropout, "a.yaml")
        check_method(run.method, {"family": name}, run.sampler.table, run.settings, "a.yaml")


def test_padding_has_no_say():
    run = toy_run(BY_VALUE["ddpo"][0], {"updates": 1}, sampler="ddpm")
    batch = run.batch(0)
    rollout = next(run.method.samples(run.walk(batch, 0))).rollout
    own = own_positions(rollout.walk, rollout.states[0])
    assert own.flatten(1).sum(1).tolist() == batch.lengths.tolist()
    before = {i: value.clone() for i, value in rollout.log_probs.items()}
    for i in before:
        output = run.sampler.output(i, rollout.states[i], batch.condition)
        rollout.states[i + 1] = rollout.states[i + 1] + 100 * (1 - own)
        torch.testing.assert_close(rollout.log_prob(i, output), before[i])
        rollout.states[i + 1] = rollout.states[i + 1] - 100 * (1 - own)


def test_a_group_is_one_prompt_with_noise_of_its_own():
    batch = prompts(0, 2).repeated(3)
    text = batch.condition.text.pooled
    assert torch.equal(text[0], text[2])
    assert not torch.equal(text[2], text[3])
    assert len(set(batch.seeds)) == 6
    assert batch.seeds[::3] == prompts(0, 2).seeds


@pytest.mark.parametrize(
    ("make", "sampler"),
    [(lambda: DDPO(5), "ddim"), (lambda: DDPO(5), "flow"), (lambda: FlowGRPO(5), "ddpm")],
)
def test_samplers_that_they_are_not_defined_on(make, sampler):
    run = toy_run(BY_VALUE["dpo"][0], {"updates": 1}, sampler=sampler)
    with pytest.raises(InputError, match="Fix: use"):
        make().check(run.sampler.table)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DDPO(5, group=1),
        lambda: DDPO(5, clip=0.0),
        lambda: DDPO(5, epochs=0),
        lambda: DDPO(5, least_noise=0.0),
        lambda: DDPO(5, weights="even"),
        lambda: FlowGRPO(5, noise=0.0),
    ],
)
def test_invalid_options(make):
    with pytest.raises(InputError):
        make()


def test_a_later_update_asks_no_reward_again(tmp_path):
    run = toy_run(BY_VALUE["ddpo"][0], {"updates": 4}, sampler="ddpm")
    training = Training(run, tmp_path / "checkpoint")
    training.run()
    counts = training.meter.counts()
    # two trajectories of five steps, each learnt from twice at all of them
    assert counts["scorings"] == 2
    assert (counts["forwards"], counts["backwards"]) == (2 * (5 + 2 * 5), 2 * 2 * 5)
