"""Preference optimisation: its loss and gradient in closed form, its pairs, what it costs."""

from __future__ import annotations

import math

import pytest
import torch

from motionrft.diffusion.schedules import step_table
from motionrft.errors import InputError
from motionrft.finetune.loop import Training
from motionrft.finetune.methods.diffusion_dpo import DiffusionDPO
from motionrft.finetune.methods.sopo import SoPo
from motionrft.finetune.optimizer import weights_of_now
from motionrft.finetune.preference import PairLesson, Pairs, preference_loss, target
from tests.same import SHARE

from .test_policy_gradient import condition, flat, linear_gaussian, walked
from .toy_run import BY_VALUE, SAMPLERS, toy_run


def test_the_loss_is_the_logistic_function_of_the_margin():
    winner, loser = torch.tensor([0.2, -0.4, 0.1]), torch.tensor([0.5, -0.1, 0.1])
    for row, margin in enumerate((3 * (0.5 - 0.2), 3 * (-0.1 + 0.4), 0.0)):
        expected = math.log(1 + math.exp(-margin))
        assert float(preference_loss(winner, loser, 3.0, 3.0)[row]) == pytest.approx(expected)
    # a loser of weight zero takes no part
    alone = preference_loss(winner, loser, 3.0, 0.0)
    torch.testing.assert_close(alone, (1 + (3 * winner).exp()).log())


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction", "velocity"])
def test_the_target_is_what_the_network_is_trained_to_say(prediction):
    if prediction == "velocity":
        table = step_table({"kind": "flow", "steps": 4}, prediction)
    else:
        table = step_table({"kind": "ddim", "steps": 4, "schedule": {}}, prediction)
    x0, eps = (
        torch.tensor([[0.3]], dtype=torch.float64),
        torch.tensor([[-0.8]], dtype=torch.float64),
    )
    for i in range(4):
        s, n = table.signal[i], table.noise[i]
        wanted = {
            "epsilon": eps,
            "sample": x0,
            "v_prediction": s * eps - n * x0,
            "velocity": x0 - eps,
        }[prediction]
        torch.testing.assert_close(target(table, i, x0, s * x0 + n * eps), wanted)


@pytest.mark.usefixtures("float64")
def test_loss_and_gradient_on_the_linear_model():
    """-log sigmoid of the margin, whose gradient is -sigmoid(-margin) times that of the margin, written out."""
    backbone, table, *_, c = linear_gaussian()
    table = type(table)(
        table.A, table.B, table.C, table.P, table.Q, table.E, table.t_model,
        torch.tensor([0.4, 0.8, 1.0]), torch.tensor([0.9, 0.6, 0.0]),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(9)
    better, worse, eps = (torch.randn(3, 2, generator=generator) for _ in range(3))
    walk = walked(backbone, table, c, torch.zeros(3, 3, 2))
    reference = weights_of_now(list(backbone.parameters()))
    old = {name: value.detach().clone() for name, value in backbone.weights.items()}
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    object.__setattr__(walk, "reference", reference)
    beta_w, beta_l = torch.tensor([2.0, 1.0, 3.0]), torch.tensor([2.0, 0.0, 1.0])
    pairs = Pairs(better, worse, condition(c, 3), beta_w, beta_l)
    lesson = PairLesson(walk, lambda _: pairs, 1, [1], [0], 1)
    loss = lesson.loss(pairs, 1, eps)
    found = flat(torch.autograd.grad(loss.sum(), list(backbone.parameters())))

    def error(weights, x0):
        x = 0.8 * x0 + 0.6 * eps
        out = x @ weights["W"].T + (c @ weights["S"].T) * x + c @ weights["U"].T
        out = out + weights["b"] + 0.3 * weights["v"]
        return ((x0 - table.P[1] * x) / table.Q[1] - out).square().mean(1)

    d_w, d_l = (
        error(backbone.weights, better) - error(old, better),
        error(backbone.weights, worse) - error(old, worse),
    )
    margin = beta_l * d_l - beta_w * d_w
    torch.testing.assert_close(loss, (1 + (-margin).exp()).log())
    by_hand = flat(
        torch.autograd.grad(margin, list(backbone.parameters()), -torch.sigmoid(-margin).detach())
    )
    torch.testing.assert_close(found, by_hand)


def trained(tmp_path, name, sampler="ddim", **settings):
    run = toy_run(BY_VALUE[name][0], {"updates": 4, **settings}, sampler=sampler)
    training = Training(run, tmp_path / "checkpoint")
    return run, training, training.run()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["dpo", "sopo"])
def test_the_first_loss_is_that_of_no_preference(tmp_path, name):
    """Before the first update network and reference are the same: log 2."""
    _, _, record = trained(tmp_path, name, updates=1)
    loss = record[record["name"].eq("loss")]["value"].iloc[0]
    assert loss == pytest.approx(math.log(2), rel=SHARE)


def test_pairs_are_the_best_and_the_worst_of_the_pretrained_models_samples():
    run = toy_run(BY_VALUE["dpo"][0], {"updates": 1})
    method, batch = run.method, run.batch(0)
    walk, objective = run.walk(batch, 0), run.objective(batch)
    x = run.sampler.sample(batch.condition, batch.noise())
    with torch.no_grad():
        for parameter in run.trained:
            parameter.add_(0.3)
    candidates = method.candidates(walk)
    assert torch.equal(candidates, x)
    pairs = method.pairs(candidates, walk, objective)
    rewards = objective.rewards(x)["total"].view(-1, 3)
    for p in range(len(pairs)):
        assert torch.equal(pairs.winners[p], x[3 * p + int(rewards[p].argmax())])
        assert torch.equal(pairs.losers[p], x[3 * p + int(rewards[p].argmin())])
    assert torch.equal(pairs.condition.text.pooled, batch.condition.text.pooled[::3])


def test_sopo_sets_recorded_motions_against_its_own_worst():
    run = toy_run(BY_VALUE["sopo"][0], {"updates": 1})
    batch = run.batch(0)
    walk, objective = run.walk(batch, 0), run.objective(batch)
    candidates = run.method.candidates(walk)
    rewards = objective.rewards(candidates)["total"].view(-1, 3)
    between = float(rewards.amin(1).mean())
    method = SoPo(5, group=3, beta=2.0, threshold=between, weight=2.0)
    pairs = method.pairs(candidates, walk, objective)
    assert torch.equal(pairs.winners, batch.references[::3])
    assert pairs.beta_loser.tolist() == [2.0 if low < between else 0.0 for low in rewards.amin(1)]
    assert {0.0, 2.0} == set(pairs.beta_loser.tolist())
    cosine = torch.nn.functional.cosine_similarity(
        candidates.view(2, 3, -1), batch.references[::3].flatten(1)[:, None], dim=-1
    )
    torch.testing.assert_close(pairs.beta_winner, 2 * (2 - cosine.amin(1)))


def test_sopo_needs_the_recorded_motions():
    run = toy_run(BY_VALUE["sopo"][0], {"updates": 1})
    batch = run.batch(0)
    object.__setattr__(batch, "references", None)
    walk = run.walk(batch, 0)
    with pytest.raises(InputError, match="recorded"):
        run.method.pairs(run.method.candidates(walk), walk, run.objective(batch))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_an_update_costs(tmp_path, sampler):
    _, training, _ = trained(tmp_path, "dpo", sampler, updates=2)
    counts = training.meter.counts()
    # five steps of sampling; two updates at four levels, each an unguided call on a third of the rows, twice over:
    # as many numbers as a third of a guided call; one of the network, one of the reference
    assert counts["scorings"] == 1
    assert counts["forwards"] == pytest.approx(5 + 2 * 4 * 2 / 3)
    assert counts["backwards"] == pytest.approx(2 * 4 / 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DiffusionDPO(5, beta=0.0),
        lambda: DiffusionDPO(5, group=1),
        lambda: DiffusionDPO(5, levels=0),
        lambda: SoPo(5, weight=0.5),
        lambda: SoPo(5, epochs=0),
    ],
)
def test_invalid_options(make):
    with pytest.raises(InputError):
        make()
