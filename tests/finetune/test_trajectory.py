"""What must hold between methods whatever the numbers are (and the mistakes these would catch)."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from torch import nn

from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.finetune.kl_penalty import KLPenalty
from motionrft.finetune.methods.alignprop import AlignProp
from motionrft.finetune.methods.draft import Draft
from motionrft.finetune.methods.drtune import DRTune
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.methods.refl import Refl
from motionrft.finetune.settings import Optimisation
from motionrft.finetune.trajectory import Walk
from motionrft.finetune.window import Window
from reference.closed_form import RecordedModel, drawn, run_sequence
from reference.noise import RecordedNoise


def drtune(toy, trained, stop):
    return drawn(DRTune, trained=trained, stop=stop)(toy.steps, k=1, m=1)


def close(a, b, tolerance=1e-12):
    assert a.abs().max() > 0
    assert (a - b).abs().max() <= tolerance * b.abs().max()


def test_refl_is_the_one_step_easytune_gradient(toy, gradient):
    for t in range(toy.steps):
        easytune = EasyTune(toy.steps, window=Window("listed", listed=[t]), form="one_step")
        refl = drawn(Refl, stop=t)(toy.steps, m=1)
        close(gradient(toy, easytune), gradient(toy, refl), 0.0)


def test_alignprop_with_one_cut_is_draft(toy, gradient):
    for cut in range(toy.steps):
        alignprop = drawn(AlignProp, live=range(cut, toy.steps))(toy.steps)
        close(gradient(toy, alignprop), gradient(toy, Draft(toy.steps, k=toy.steps - cut)), 0.0)


def test_draft_1_is_the_noise_aware_easytune_gradient_of_the_last_step(toy, gradient):
    toy.levels["next"][-1] = replace(toy.levels["next"][-1], t=0.0)
    easytune = EasyTune(toy.steps, window=Window("last", 1), form="noise_aware")
    close(gradient(toy, easytune), gradient(toy, Draft(toy.steps, k=1)))


def test_drtune_over_the_whole_trajectory_differs_from_draft_only_by_the_cut(toy, gradient):
    T = toy.steps
    cut = gradient(toy, lambda walk: [walk.run(T - 1, range(T), cut_input=True)])
    uncut = gradient(toy, lambda walk: [walk.run(T - 1, range(T))])
    close(uncut, gradient(toy, Draft(toy.steps, k=toy.steps)), 0.0)
    assert (cut - uncut).abs().max() > 1e-6 * uncut.abs().max()


def test_with_one_step_every_method_is_the_same(cases, gradient):
    # the last step of the consistency sampler: x_1 = x0hat_0, as for every sampler that ends clean
    toy = RecordedModel(cases["lcm_eps_tanh"])
    last = toy.steps - 1
    toy.table = type(toy.table)(
        *(getattr(toy.table, name)[last:] for name in ("A", "B", "C", "P", "Q", "E", "t_model")),
        toy.table.signal[last:],
        toy.table.noise[last:],
    )
    toy.steps, toy.levels = 1, {"next": [toy.levels["next"][0]] * 2}
    toy.noise = RecordedNoise(toy.noise.start, toy.noise.steps[last:])
    reference = gradient(toy, Draft(1, k=1))
    for method in (
        Refl(1, m=1),
        AlignProp(1, rule="fixed"),
        AlignProp(1, prob=1.0),
        DRTune(1, k=1, m=1),
        EasyTune(1, form="one_step"),
        EasyTune(1, form="noise_aware"),
        EasyTune(1, "chain"),
    ):
        close(gradient(toy, method), reference)


@pytest.mark.parametrize("form", ["one_step", "noise_aware"])
def test_step_and_chain_agree_when_nothing_moves(toy, form):
    still = Optimisation(lr=0.0)
    window = Window("all")
    step = run_sequence(toy, EasyTune(toy.steps, "step", window, form), toy.backbone(), still)
    chain = run_sequence(toy, EasyTune(toy.steps, "chain", window, form), toy.backbone(), still)
    for a, b in zip(step[:3], chain[:3], strict=True):
        torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), rtol=1e-13, atol=0)


def test_the_sum_of_chain_gradients_is_the_single_update(toy, gradient):
    window = Window("all")
    single = EasyTune(toy.steps, window=window, single_update=True)
    close(gradient(toy, single), gradient(toy, EasyTune(toy.steps, "chain", window)))
    updates = [sample.update for sample in single.samples(toy.walk(toy.backbone()))]
    assert updates == [False] * (toy.steps - 1) + [True]


class LinearNoise(nn.Module):
    """eps = w x + b at every step of `table`, said as `prediction`."""

    def __init__(self, table, prediction):
        super().__init__()
        self.table, self.prediction = table, prediction
        self.w, self.b = (nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (0.4, -0.3))

    def guided(self, x, t, condition, scale):
        i = self.table.t_model.tolist().index(t[0].item())
        s, n = self.table.signal[i], self.table.noise[i]
        eps = self.w * x + self.b
        x0 = (x - n * eps) / s
        return {"epsilon": eps, "sample": x0, "v_prediction": s * eps - n * x0}[self.prediction]


def by_hand(epsilon, noise, live, last, *, cut_input, clean):
    """d(sum z)/dw and /db, walked forward: dz' = A dz + B deps, where deps = x or 1 at live steps, plus w dz where
    the network's input is not cut. Coefficients are those of a network that says eps, 0.4 x - 0.3."""
    x, moved = noise.start, torch.zeros(2, *noise.start.shape, dtype=torch.float64)
    for i in range(last + 1):
        row = epsilon[i]
        own, through = (row.P, row.Q) if clean and i == last else (row.A, row.B)
        of_noise = torch.zeros_like(moved)
        if i in live:
            of_noise = torch.stack([x, torch.ones_like(x)]) + (0.0 if cut_input else 0.4 * moved)
        moved = own * moved + through * of_noise
        x = epsilon.advance(i, x, 0.4 * x - 0.3, noise(i))
    return moved.sum((1, 2))


@pytest.mark.parametrize("activations", ["plain", "checkpoint", "exact"])
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("kind", ["ddim", "ddpm", "lcm"])
def test_cut_steps_pass_the_gradient_of_a_held_noise_estimate(kind, prediction, activations):
    """One linear model, three ways to say it: the same gradients, DRTune's with cut inputs and an untrained stop,
    AlignProp's over dead steps, the last one (of ancestral sampling the estimate itself) among them."""
    settings = {"kind": kind, "steps": 5, "schedule": {"beta_schedule": "scaled_linear"}}
    epsilon, table = (step_table(settings, name) for name in ("epsilon", prediction))
    generator = torch.Generator().manual_seed(8)
    start, *fresh = torch.randn(6, 3, 2, dtype=torch.float64, generator=generator)
    noise = RecordedNoise(start, torch.stack(fresh))
    for method, live, last in (
        (drawn(DRTune, trained={0, 2}, stop=3)(5, k=1, m=1), {0, 2}, 3),
        (drawn(DRTune, trained={1, 4}, stop=4)(5, k=1, m=1), {1, 4}, 4),
        (drawn(AlignProp, live={0, 1, 3})(5), {0, 1, 3}, 4),
    ):
        network = LinearNoise(table, prediction)
        walk = Walk(
            Sampler(network, table, 1.0), None, noise, [], random.Random(0), activations=activations
        )
        (sample,) = method.samples(walk)
        sample.backward(torch.ones_like(sample.z))
        drtune = isinstance(method, DRTune)
        wanted = by_hand(epsilon, noise, live, last, cut_input=drtune, clean=drtune)
        close(torch.stack([network.w.grad, network.b.grad]), wanted, 1e-11)


@pytest.mark.parametrize("activations", ["plain", "checkpoint", "exact"])
@pytest.mark.parametrize("kind", ["ddim", "ddpm"])
def test_a_held_output_of_x0_passes_nothing_to_an_untrained_stop(kind, activations):
    """`held: output`, the released loops: DRTune learns from the stop alone (P = 0), and AlignProp with its last
    step dead (A = 0) from nothing."""
    settings = {"kind": kind, "steps": 5, "schedule": {"beta_schedule": "scaled_linear"}}
    table = step_table(settings, "sample")
    generator = torch.Generator().manual_seed(8)
    start, *fresh = torch.randn(6, 3, 2, dtype=torch.float64, generator=generator)
    noise = RecordedNoise(start, torch.stack(fresh))

    def gradients(method):
        network = LinearNoise(table, "sample")
        sampler = Sampler(network, table, 1.0)
        walk = Walk(sampler, None, noise, [], random.Random(0), activations=activations)
        (sample,) = method.samples(walk)
        sample.backward(torch.ones_like(sample.z))
        return network.w.grad, network.b.grad

    for held, learns in (("output", False), ("noise", True)):
        untrained = drawn(DRTune, trained={0, 2}, stop=3)(5, k=1, m=1, held=held)
        assert any(bool(each.abs().max() > 1e-3) for each in gradients(untrained)) is learns
        dead = drawn(AlignProp, live={0, 1, 3})(5, held=held)
        assert any(bool(each.abs().max() > 1e-3) for each in gradients(dead)) is learns
    for stop in ({1, 3}, {3}):
        trained = drawn(DRTune, trained=stop, stop=3)(5, k=1, m=1, held="output")
        torch.testing.assert_close(
            gradients(trained),
            gradients(drawn(DRTune, trained={3}, stop=3)(5, k=1, m=1, held="output")),
        )


@pytest.mark.parametrize("activations", ["checkpoint", "exact"])
def test_memory_saving_forms_are_exact(toy, gradient, activations):
    T = toy.steps
    for method in (
        Draft(T, k=T),
        AlignProp(T, rule="uniform"),
        Refl(T, m=2),
        drtune(toy, {0, T - 2}, T - 2),
        EasyTune(T, "step", Window("all"), "noise_aware"),
        EasyTune(T, "chain", Window("all"), "noise_aware"),
    ):
        close(gradient(toy, method, activations), gradient(toy, method))


def test_draft_lv_averages_its_terms(cases, gradient):
    toy = RecordedModel(cases["ddim_eps_tanh"])
    samples = list(Draft(toy.steps, k=1, lv=2).samples(toy.walk(toy.backbone())))
    assert [sample.weight for sample in samples] == [1 / 3] * 3
    assert [sample.update for sample in samples] == [False, False, True]


def test_kl_adds_its_own_gradient_in_every_form(toy, gradient):
    """Towards the model's own outputs shifted by a constant: its gradient is known by autograd."""
    backbone = toy.backbone()
    plain = toy.walk(toy.backbone()).sampler
    shift = 0.3

    def penalised(walk):
        kl = KLPenalty(0.7, lambda i, x, condition: plain.output(i, x, condition).detach() - shift)
        return EasyTune(toy.steps, window=Window("last", 2)).samples(replace(walk, kl=kl))

    expected = gradient(toy, EasyTune(toy.steps, window=Window("last", 2)))
    sampler = toy.walk(backbone).sampler
    for step in list(sampler.walk(toy.condition, toy.noise, live=()))[-2:]:
        output = sampler.output(step.i, step.x.detach(), toy.condition)
        (0.7 * (2 * shift * (output - output.detach()) + shift**2)).mean().backward()
    extra = torch.cat([parameter.grad.flatten() for parameter in backbone.parameters()])
    for activations in ("plain", "checkpoint", "exact"):
        close(gradient(toy, penalised, activations), expected + extra, 1e-11)
