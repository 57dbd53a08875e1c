"""What each method's graph holds: counted exactly, flat in T for EasyTune and linear for DRaFT."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from motionrft.finetune.memory_meter import SavedBytes
from motionrft.finetune.method import Method
from motionrft.finetune.methods.draft import Draft
from motionrft.finetune.methods.drtune import DRTune
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.window import Window
from reference.closed_form import RecordedModel, drawn
from reference.noise import RecordedNoise

STEPS = (5, 10, 20, 40)


def test_saved_bytes_are_counted_once_and_given_back():
    layer, x = nn.Linear(10, 10), torch.randn(100, 10)
    with SavedBytes(list(layer.parameters())) as saved:
        y = layer(x).tanh()
        assert (
            saved.held == 2 * x.nbytes
        )  # the input and tanh's output; weights are not activations
        z = y * y  # both factors are the storage that tanh saved already
        assert saved.held == 2 * x.nbytes
        z.sum().backward()
    assert saved.held == 0
    assert saved.peak == 2 * x.nbytes


def longer(toy: RecordedModel, steps: int) -> RecordedModel:
    """The same model on a sampler of `steps` equal flow steps."""
    from motionrft.diffusion.schedules import flow_euler

    toy.table, toy.steps = flow_euler(steps), steps
    toy.noise = RecordedNoise(toy.noise.start, toy.noise.steps[:1].expand(steps, -1, -1))
    return toy


def peak(cases, steps: int, method: Method, activations: str) -> int:
    toy = longer(RecordedModel(cases["flow_euler_tanh"]), steps)
    backbone = toy.backbone()
    objective = toy.objective(backbone)
    walk = replace(toy.walk(backbone, activations), levels=[toy.levels["next"][0]] * (steps + 1))
    with SavedBytes(list(backbone.parameters())) as saved:
        for sample in method.samples(walk):
            sample.backward(objective.score(sample.z, sample.level, sample.weight).gradient)
    assert saved.held == 0
    return saved.peak


def slope(cases, make, activations="plain") -> float:
    """Bytes a step, between 5 and 40 steps."""
    peaks = [peak(cases, steps, make(steps), activations) for steps in STEPS]
    return (peaks[-1] - peaks[0]) / (STEPS[-1] - STEPS[0])


@pytest.fixture
def one_step(cases) -> int:
    return peak(cases, 1, Draft(1, k=1), "plain")


def test_easytune_is_flat_in_the_number_of_steps(cases, one_step):
    for variant in ("step", "chain"):
        for form in ("one_step", "noise_aware"):
            make = lambda steps: EasyTune(steps, variant, Window("all"), form)  # noqa: B023, E731
            assert abs(slope(cases, make)) <= 0.01 * one_step


def test_draft_is_linear_and_flat_in_its_exact_form(cases, one_step):
    make = lambda steps: Draft(steps, k=steps)  # noqa: E731
    plain = slope(cases, make)
    assert plain > 0.5 * one_step
    peaks = [peak(cases, steps, make(steps), "plain") for steps in STEPS]
    gaps = [
        (b - a) / (t - s) for a, b, s, t in zip(peaks, peaks[1:], STEPS, STEPS[1:], strict=False)
    ]
    assert max(gaps) <= 1.02 * min(gaps)
    assert abs(slope(cases, make, "exact")) <= 0.01 * one_step
    # checkpointing keeps one x_i a step
    toy = RecordedModel(cases["flow_euler_tanh"])
    assert slope(cases, make, "checkpoint") <= toy.noise.start.nbytes


def test_drtune_grows_by_its_trained_steps_and_not_when_recomputed(cases, one_step):
    def make(steps: int) -> Method:
        return drawn(DRTune, stop=steps - 1, trained=range(steps))(steps, k=1, m=1)

    assert slope(cases, make) > 0.5 * one_step
    assert abs(slope(cases, make, "exact")) <= 0.01 * one_step


def test_micro_batches_lower_the_decode_and_reward_peak(cases):
    toy = RecordedModel(cases["ddim_eps_tanh"])
    backbone = toy.backbone()
    peaks = []
    for micro_batch in (0, 1):
        objective = toy.objective(backbone, micro_batch=micro_batch)
        sample = next(EasyTune(toy.steps, window=Window("all")).samples(toy.walk(backbone)))
        with SavedBytes([*backbone.parameters(), *toy.decode, toy.reward.E]) as saved:
            objective.score(sample.z.detach())
        peaks.append(saved.peak)
    assert peaks[1] <= peaks[0] / 2
