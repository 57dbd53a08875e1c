"""Attention in linear time, and blocks that start idle."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.motiondiffuse.blocks import efficient
from tests.backbones.motiondiffuse.small_motiondiffuse import DIM, condition, make
from tests.same import assert_same


def test_a_fresh_network_answers_zero_and_every_branch_starts_idle():
    model = make(fresh=True)
    x, t = torch.randn(2, 24, DIM), torch.tensor([3, 50])
    assert model.predict(x, t, condition([24, 12])).abs().max() == 0
    h = torch.randn(2, 24, 16)
    style, text = torch.randn(2, 1, 64), torch.randn(2, 6, 8)
    assert torch.equal(model.temporal_decoder_blocks[0](h, style, text, None, None), h)


@pytest.mark.usefixtures("float64")
def test_efficient_attention_is_the_product_of_two_softmaxes():
    q, k, v = torch.randn(3, 1, 2, 5, 4)
    valid = torch.tensor([[True, True, True, False, False]])
    out = efficient(q, k, v, valid, 0.0)
    for head in range(2):
        weight = k[0, head, :3].exp() / k[0, head, :3].exp().sum(0)
        query = q[0, head].exp() / q[0, head].exp().sum(1, keepdim=True)
        assert_same(out[0, head], query @ weight.T @ v[0, head, :3])
