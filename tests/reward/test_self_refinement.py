"""Self-refinement: which pairs are mined, and their loss against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from motionrft.reward.self_refinement import mine, spl_loss

pytestmark = pytest.mark.usefixtures("float64")


def test_spl_targets():
    own, best = torch.tensor([0.2]), torch.tensor([0.5])
    unsolved, solved = torch.tensor([False]), torch.tensor([True])
    p_own = 1 / (1 + math.exp(3))
    wrong = spl_loss(own, best, unsolved, 0.1)
    assert float(wrong) == pytest.approx(-math.log(p_own), rel=1e-9)
    tied = spl_loss(own, best, solved, 0.1)
    expected = 0.5 * math.log(0.5 / p_own) + 0.5 * math.log(0.5 / (1 - p_own))
    assert float(tied) == pytest.approx(expected, rel=1e-9)
    assert float(spl_loss(best, best, solved, 0.1)) == pytest.approx(0.0, abs=1e-9)


def test_mining():
    scores = torch.tensor([[0.1, 0.9, 0.3], [0.2, 0.7, 0.1], [0.9, 0.8, 0.7]])
    best, solved = mine(scores, torch.arange(3), k=2)
    assert best.tolist() == [1, 1, 0]
    assert solved.tolist() == [False, True, False]
    assert mine(scores, torch.arange(3), k=2, confident=0.85)[1].tolist() == [True, True, True]
