import pytest
import torch
import torch.nn.functional as F
from torch import nn

from motionrft.networks.attention import Attention, attend
from tests.same import assert_same

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def pair():
    torch.manual_seed(0)
    theirs, ours = nn.MultiheadAttention(16, 4, batch_first=True), Attention(16, 4)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def ragged(batch: int, length: int) -> torch.Tensor:
    return torch.arange(length)[None] < torch.tensor([length, 3, 1])[:batch, None]


def test_self_attention_is_torchs(pair):
    ours, theirs = pair
    x, valid = torch.randn(3, 7, 16), ragged(3, 7)
    expected, _ = theirs(x, x, x, key_padding_mask=~valid)
    assert_same(ours(x, x, x, valid), expected)


@pytest.mark.parametrize("shared_value", [True, False])
def test_cross_attention_is_torchs(pair, shared_value):
    ours, theirs = pair
    query, key = torch.randn(3, 5, 16), torch.randn(3, 7, 16)
    value = key if shared_value else torch.randn(3, 7, 16)
    valid = ragged(3, 7)
    expected, _ = theirs(query, key, value, key_padding_mask=~valid)
    assert_same(ours(query, key, value, valid), expected)


def test_one_key_needs_no_softmax(pair):
    ours, theirs = pair
    query, key = torch.randn(3, 5, 16), torch.randn(3, 1, 16, requires_grad=True)
    result = ours(query, key, key)
    expected, _ = theirs(query, key, key)
    assert_same(result, expected)
    weight = torch.randn_like(result)
    (ours_gradient,) = torch.autograd.grad((result * weight).sum(), key)
    (theirs_gradient,) = torch.autograd.grad((expected * weight).sum(), key)
    assert_same(ours_gradient, theirs_gradient)


def test_dropout_is_active_only_in_training():
    torch.manual_seed(0)
    attention = Attention(16, 4, dropout=0.5)
    query, key = torch.randn(2, 3, 16), torch.randn(2, 1, 16)
    calm = attention.eval()(query, key, key)
    assert_same(attention(query, key, key), calm)
    assert not torch.allclose(attention.train()(query, key, key), calm)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="heads"):
        Attention(10, 4)


@pytest.mark.parametrize("masked", [False, True])
def test_bf16_on_a_cpu_is_the_fused_form(masked):
    """Values and gradients, to the rounding of bf16 (2^-8) of a few sums."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 8).requires_grad_() for n in (5, 7, 7))
    mask = (
        torch.arange(7)[None, None, None] < torch.tensor([7, 4]).view(2, 1, 1, 1)
        if masked
        else None
    )
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    upstream = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [q, k, v], upstream)
    found = attend(*(tensor.bfloat16() for tensor in (q, k, v)), mask)
    assert found.dtype == torch.bfloat16
    gradients = torch.autograd.grad(found, [q, k, v], upstream.bfloat16())
    for a, b in zip([found, *gradients], [expected, *wanted], strict=True):
        torch.testing.assert_close(
            a.double(), b, rtol=0, atol=2**-6 * float(b.detach().abs().max())
        )
