"""Operations counted on the CPU, against torch's own counter and closed forms."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from motionrft.counting.attention import FLOPS_OF_ATTENTION
from motionrft.counting.flops import FlopCounter

B, T, D, F = 2, 12, 16, 24


def layer() -> tuple[nn.Module, torch.Tensor]:
    # in training mode: torch has no formula of the layer it runs whole otherwise, and no network that is counted has it
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(D, 4, F, dropout=0, batch_first=True), torch.randn(B, T, D)


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_it_counts_as_torch_does(mode):
    module, x = layer()
    counts = []
    for _ in range(2):
        with mode(), FlopCounter() as counter:
            y = module(x)
        with (
            mode(),
            FlopCounterMode(display=False, custom_mapping=dict(FLOPS_OF_ATTENTION)) as torchs,
        ):
            module(x)
        counts.append((counter.flops, torchs.get_total_flops()))
    assert counts[0] == counts[1]
    assert counts[0][0] == counts[0][1]
    products = 2 * B * T * D * (4 * D + 2 * F)
    assert counts[0][0] == products + 4 * B * T * T * D
    assert y.shape == x.shape


def test_a_backward_pass_counts_both_products_of_a_layer():
    linear, x = nn.Linear(D, F), torch.randn(B, D, requires_grad=True)
    y = linear(x).sum()
    with FlopCounter() as counter:
        y.backward()
    assert counter.flops == 2 * (2 * B * D * F)
