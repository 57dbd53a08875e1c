"""What must hold between methods whatever the numbers are (and the mistakes these would catch)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motionrft.finetune.kl_penalty import KLPenalty
from motionrft.finetune.methods.alignprop import AlignProp
from motionrft.finetune.methods.draft import Draft
from motionrft.finetune.methods.drtune import DRTune
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.methods.refl import Refl
from motionrft.finetune.settings import Optimisation
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
        *(getattr(toy.table, name)[last:] for name in ("A", "B", "C", "P", "Q", "t_model")),
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
