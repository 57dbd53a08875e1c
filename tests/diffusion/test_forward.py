"""The forward process has the mean and variance it states."""

from __future__ import annotations

import torch

from reference.tolerance import UNIT
from tests.backbones.mdm.small_mdm import DIM, make


def test_forward_process_has_the_stated_mean_and_variance():
    process = make().forward_process
    alphas = (process.signal**2).double()
    torch.testing.assert_close(
        alphas + process.noise.double() ** 2, torch.ones(20).double(), atol=2 * UNIT, rtol=0
    )
    x0, eps, t = torch.randn(3, 4, DIM), torch.randn(3, 4, DIM), torch.tensor([0, 7, 19])
    out = process(x0, t, eps)
    for row in range(3):
        a = alphas[t[row]].float()
        torch.testing.assert_close(out[row], a.sqrt() * x0[row] + (1 - a).sqrt() * eps[row])
