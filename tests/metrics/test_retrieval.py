from __future__ import annotations

import math

import pytest
import torch

from motionrft.metrics.retrieval import recall, recall_filled


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_recall_both_ways_and_filled():
    x = normal(70, 6)
    noisy = x + 0.8 * normal(70, 6, seed=4)
    assert recall(x, x)["R@1"] == 100.0
    full = recall(x, noisy, group=None)
    assert full["R@1"] <= full["R@2"] <= full["R@10"] <= 100.0
    assert full["R@1"] < recall(x, noisy, group=32)["R@1"]
    # percent of 70 queries
    assert full["R@5"] * 0.7 == pytest.approx(round(full["R@5"] * 0.7))
    filled = recall_filled(x, noisy, torch.arange(26))
    assert all(math.isclose(value, round(value, 3), abs_tol=1e-3) for value in filled.values())
