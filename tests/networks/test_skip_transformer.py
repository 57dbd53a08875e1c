import pytest
import torch

from motionrft.networks.skip_transformer import SkipDecoder, SkipEncoder
from tests.same import assert_same

HIDDEN, LAYERS = 16, 5
pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return SkipEncoder(HIDDEN, 4, 32, LAYERS).eval()


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return SkipDecoder(HIDDEN, 4, 32, LAYERS).eval()


def test_the_names_are_the_official_ones(encoder, decoder):
    names = set(encoder.state_dict())
    assert {"input_blocks.1.self_attn.in_proj_weight", "middle_block.linear1.bias"} <= names
    assert {"output_blocks.1.norm2.weight", "linear_blocks.0.weight", "norm.bias"} <= names
    assert "output_blocks.0.multihead_attn.out_proj.weight" in decoder.state_dict()
    assert encoder.linear_blocks[0].weight.shape == (HIDDEN, 2 * HIDDEN)


def test_the_last_stored_output_is_read_first(encoder):
    x = torch.randn(2, 4, HIDDEN)
    first = encoder.input_blocks[0](x)
    second = encoder.input_blocks[1](first)
    y = encoder.middle_block(second)
    y = encoder.output_blocks[0](encoder.linear_blocks[0](torch.cat([y, second], -1)))
    y = encoder.output_blocks[1](encoder.linear_blocks[1](torch.cat([y, first], -1)))
    assert_same(encoder(x), encoder.norm(y))


@pytest.mark.parametrize("layers", [1, 5])
def test_keeping_some_tokens_changes_no_number(layers):
    encoder = SkipEncoder(HIDDEN, 4, 32, layers).eval()
    x = torch.randn(3, 7, HIDDEN)
    valid = torch.arange(7)[None] < torch.tensor([7, 4, 3])[:, None]
    assert_same(encoder(x, valid, keep=2), encoder(x, valid)[:, :2])


def test_padding_does_not_leak(encoder, decoder):
    x, memory = torch.randn(3, 7, HIDDEN), torch.randn(3, 2, HIDDEN)
    lengths = [7, 4, 1]
    valid = torch.arange(7)[None] < torch.tensor(lengths)[:, None]
    encoded, decoded = encoder(x, valid), decoder(x, memory, valid)
    for row, length in enumerate(lengths):
        alone, past = x[row : row + 1, :length], memory[row : row + 1]
        assert_same(encoded[row, :length], encoder(alone)[0])
        assert_same(decoded[row, :length], decoder(alone, past)[0])


def test_initialisation(encoder):
    weight = encoder.middle_block.self_attn.in_proj_weight
    assert weight.abs().max() <= (6 / (4 * HIDDEN)) ** 0.5
    assert weight.std().item() == pytest.approx((6 / (4 * HIDDEN)) ** 0.5 / 3**0.5, rel=0.1)
    assert not encoder.middle_block.self_attn.out_proj.bias.any()
    assert not encoder.middle_block.self_attn.in_proj_bias.any()


def test_even_stacks_are_refused():
    with pytest.raises(ValueError, match="odd"):
        SkipEncoder(HIDDEN, 4, 32, 4)
