"""What is counted on the meta device, against closed forms and against the CPU."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from motionrft.counting.flops import FlopCounter
from motionrft.counting.generator import MetaGenerator
from motionrft.counting.operations import counted
from motionrft.training.loop import autocast

B, H, T, D = 2, 4, 24, 16


def test_products_traffic_and_kernels_of_a_layer():
    with torch.device("meta"):
        layer, x = nn.Linear(64, 32), torch.empty(128, 64)
    with counted() as operations, torch.no_grad():
        y = layer(x).relu()
        work, peak = operations.take()
    assert work.flops == 2 * 128 * 64 * 32
    # relu reads and writes; the layer's own traffic hides behind its products
    assert work.traffic == 2 * 128 * 32 * 4
    assert work.kernels == 2
    assert peak == 2 * 128 * 32 * 4
    assert operations.live == y.nbytes
    del y
    assert operations.live == 0


def test_views_and_expanded_tensors_move_nothing_more():
    with torch.device("meta"):
        x, bias = torch.empty(512, 512), torch.empty(512)
    with counted() as operations:
        x.T[:4].reshape(-1)[None].detach()
        before, _ = operations.take()
        x + bias.expand(512, 512)
        work, _ = operations.take()
    assert before.kernels == 1  # reshape of a transposed matrix copies
    assert work.traffic == (2 * 512 * 512 + 512) * 4


def attention(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    q = torch.empty(B, H, T, D, device=device).fill_(0.5).requires_grad_()
    mask = torch.ones(B, 1, 1, T, dtype=torch.bool, device=device)
    return q, F.scaled_dot_product_attention(q, q, q, attn_mask=mask)


def test_attention_holds_no_matrix_of_pairs_and_counts_as_on_the_cpu():
    with counted() as operations:
        _, y = attention("meta")
        forward, _ = operations.take()
        held = operations.live
        y.backward(torch.ones_like(y))
        backward, _ = operations.take()
    with FlopCounter() as of_forward:
        _, y = attention("cpu")
    with FlopCounter() as of_backward:
        y.sum().backward()
    assert forward.flops == of_forward.flops == 4 * B * H * T * T * D
    assert backward.flops == of_backward.flops == 10 * B * H * T * T * D
    assert held < B * H * T * T * 4 + 2 * B * H * T * D * 4


def test_a_tensor_left_on_another_device_is_an_error():
    with counted(), pytest.raises(RuntimeError, match="device"):
        torch.empty(3, device="meta") + torch.ones(3)


def test_draws_without_values():
    generator = MetaGenerator()
    drawn = [
        torch.randn(3, 2, generator=generator, device=generator.device),
        torch.randint(5, (3,), generator=generator, device=generator.device),
        torch.multinomial(torch.ones(4, device="meta"), 3, replacement=True, generator=generator),
    ]
    assert all(tensor.is_meta for tensor in drawn)


def test_bfloat16_products_as_autocast_has_them():
    shapes = {}
    for device in ("cpu", "meta"):
        layer, norm = nn.Linear(8, 8, device=device), nn.LayerNorm(8, device=device)
        x = torch.ones(2, 3, 8, device=device)
        with autocast("bf16", device):
            product = layer(x)
            shapes[device] = [product.dtype, norm(product).dtype, (product @ product.mT).dtype]
        assert layer(x).dtype == torch.float32
    assert shapes["meta"] == [torch.bfloat16, torch.float32, torch.bfloat16]
    assert shapes["meta"][::2] == shapes["cpu"][::2]
