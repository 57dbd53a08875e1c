"""What of the reward's gradient is kept: projection and smoothing in closed form, and that only the gradient changes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from motionrft.errors import InputError
from motionrft.finetune.confinement import Confinement, projected, smoothed
from motionrft.finetune.loop import Training
from motionrft.finetune.settings import Settings

from .toy_run import METHODS, toy_run

LENGTHS = torch.tensor([9, 6])


@pytest.fixture
def gradient():
    x = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x[1, 6:] = 0
    return x


@pytest.fixture
def loadings():
    return torch.randn(3, 9, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_the_projection_keeps_the_span_and_nothing_else(gradient, loadings):
    kept = projected(gradient, LENGTHS, loadings)
    torch.testing.assert_close(projected(kept, LENGTHS, loadings), kept)
    for row, length in enumerate(LENGTHS.tolist()):
        directions = loadings[:, :length].flatten(1)
        rest = (gradient - kept)[row, :length].flatten()
        torch.testing.assert_close(directions @ rest, torch.zeros(3, dtype=torch.float64))
        inside = (torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) @ directions).view(length, 4)
        padded = torch.zeros(1, 9, 4, dtype=torch.float64)
        padded[0, :length] = inside
        torch.testing.assert_close(projected(padded, LENGTHS[row : row + 1], loadings), padded)
    assert float(kept[1, 6:].abs().max()) == 0.0


def test_smoothing_is_a_symmetric_average_within_the_clip(gradient):
    constant = torch.ones(2, 9, 4, dtype=torch.float64)
    constant[1, 6:] = 0
    torch.testing.assert_close(smoothed(constant, LENGTHS, 2.0), constant)
    other = gradient.flip(1) * constant
    left = (smoothed(gradient, LENGTHS, 1.5) * other).sum()
    torch.testing.assert_close(left, (gradient * smoothed(other, LENGTHS, 1.5)).sum())
    impulse = torch.zeros(1, 41, 1, dtype=torch.float64)
    impulse[0, 20] = 1.0
    wave = smoothed(impulse, torch.tensor([41]), 2.0)[0, :, 0]
    assert float(wave[22] / wave[20]) == pytest.approx(math.exp(-0.5))
    assert float(wave.sum()) == pytest.approx(1.0)
    assert bool((wave[[13, 27]] == 0).all())


@pytest.mark.parametrize("smooth", [0.5, 2.0, 6.0])
def test_what_is_kept_is_still_an_ascent(gradient, loadings, smooth):
    for kept in (projected(gradient, LENGTHS, loadings), smoothed(gradient, LENGTHS, smooth)):
        assert float((kept * gradient).sum()) > 0


def test_the_reward_stays_and_its_gradient_is_the_confined_one():
    run = toy_run(METHODS["draft"], {"updates": 1})
    batch = run.batch(0)
    z = torch.randn(len(batch), *batch.shape, generator=torch.Generator().manual_seed(3))
    plain = run.objective(batch).score(z)
    run.confine = Confinement(None, 1.0)
    confined = run.objective(batch).score(z)
    assert confined.read() == plain.read()
    # by hand: the gradient at the motion, smoothed, through the decoder
    leaf = z.clone().requires_grad_()
    motion = run.backbone.to_features(leaf, batch.lengths)
    decoded = motion.detach().requires_grad_()
    context = run.reward.context(batch.captions, None, batch.lengths, "kinematic")
    total = run.reward(decoded, batch.lengths, context, torch.zeros(len(batch)))["total"]
    (-total.sum() / len(batch)).backward()
    motion.backward(smoothed(decoded.grad, batch.lengths, 1.0))
    torch.testing.assert_close(confined.gradient, leaf.grad)
    assert not torch.allclose(confined.gradient, plain.gradient)


def test_nothing_asked_is_nothing_changed(tmp_path):
    runs = []
    for number, confine in enumerate((None, Confinement(None, 0.0))):
        run = toy_run(METHODS["draft"], {"updates": 3})
        run = replace(run, confine=confine)
        Training(run, tmp_path / str(number)).run()
        runs.append([parameter.detach().clone() for parameter in run.trained])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_settings_are_read_and_checked():
    read = Settings.read({"updates": 1, "gradient": {"components": 64, "smooth": 2.0}})
    assert (read.gradient.components, read.gradient.smooth) == (64, 2.0)
    with pytest.raises(InputError, match=r"gradient\.smooth"):
        Settings.read({"updates": 1, "gradient": {"smooth": -1.0}})
